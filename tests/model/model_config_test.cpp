#include "specthink/model/model_config.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/model_files.h"

namespace specthink {
namespace {

using test::expect_user_error;
using test::TemporaryFolder;

// As transformers 4 writes it.
Json small_config() {
  return Json::parse(R"({
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "torch_dtype": "bfloat16", "hidden_act": "silu",
    "vocab_size": 512, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32, "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5, "rope_theta": 1000000, "rope_scaling": null, "sliding_window": null,
    "use_sliding_window": false, "max_window_layers": 28, "attention_bias": false, "tie_word_embeddings": true,
    "eos_token_id": 7, "transformers_version": "4.51.0"})");
}

ModelConfig parse(const Json& config, const Json& generation_config = {}) {
  return ModelConfig::parse(config, generation_config, "folder");
}

ModelConfig parse_with(const Json& changes) {
  Json config = small_config();
  config.update(changes);
  return parse(config);
}

TEST(model_config, reads_the_spelling_of_transformers_4) {
  const ModelConfig config = parse(small_config());
  EXPECT_EQ(config.source, "folder");
  EXPECT_EQ(config.model_type, "qwen3");
  EXPECT_EQ(config.vocab_size, 512);
  EXPECT_EQ(config.hidden_size, 64);
  EXPECT_EQ(config.intermediate_size, 128);
  EXPECT_EQ(config.num_layers, 2);
  EXPECT_EQ(config.num_heads, 4);
  EXPECT_EQ(config.num_kv_heads, 2);
  EXPECT_EQ(config.group_size(), 2);
  EXPECT_EQ(config.head_dim, 32);
  EXPECT_EQ(config.max_position_embeddings, 4096);
  EXPECT_EQ(config.rms_norm_eps, 1e-5);
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_TRUE(config.qk_norm);
  EXPECT_FALSE(config.qkv_bias);
  EXPECT_FALSE(config.output_bias);
  EXPECT_EQ(config.rope.type, "default");
  EXPECT_EQ(config.rope.theta, 1000000);
  EXPECT_EQ(config.eos_ids, TokenIds{7});
}

TEST(model_config, reads_the_spelling_of_transformers_5) {
  Json json = small_config();
  for (const char* old : {"torch_dtype", "rope_theta", "rope_scaling"}) json.erase(old);
  json["dtype"] = "bfloat16";
  json["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 5000.0}};
  json["layer_types"] = {"full_attention", "full_attention"};
  EXPECT_EQ(parse(json).rope.type, "default");
  EXPECT_EQ(parse(json).rope.theta, 5000);
}

TEST(model_config, missing_keys_have_transformers_defaults) {
  const ModelConfig config = parse(Json::parse(R"({"model_type": "qwen3", "vocab_size": 512, "hidden_size": 64,
    "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 32})"));
  EXPECT_EQ(config.num_kv_heads, 32);
  EXPECT_EQ(config.head_dim, 128);
  EXPECT_EQ(config.max_position_embeddings, 32768);
  EXPECT_EQ(config.rms_norm_eps, 1e-6);
  EXPECT_EQ(config.rope.theta, 10000);
  EXPECT_FALSE(config.tie_word_embeddings);
  EXPECT_FALSE(config.qkv_bias);
  EXPECT_FALSE(config.output_bias);
  EXPECT_TRUE(config.eos_ids.empty());
}

TEST(model_config, null_sizes_follow_from_others) {
  EXPECT_EQ(parse_with({{"num_key_value_heads", nullptr}}).num_kv_heads, 4);
  EXPECT_EQ(parse_with({{"head_dim", nullptr}}).head_dim, 16);
  expect_user_error([] { parse_with({{"head_dim", nullptr}, {"hidden_size", 66}}); }, {"hidden_size", "66"});
}

TEST(model_config, the_architecture_stands_in_for_a_missing_model_type) {
  Json json = small_config();
  json.erase("model_type");
  EXPECT_EQ(parse(json).model_type, "qwen3");
  json["architectures"] = {"LlamaForCausalLM"};
  EXPECT_EQ(parse(json).model_type, "llama");
  json["architectures"] = {"GemmaForCausalLM"};
  expect_user_error([&] { parse(json); }, {"folder/config.json", "architectures", "GemmaForCausalLM", "qwen3"});
  json.erase("architectures");
  expect_user_error([&] { parse(json); }, {"folder/config.json", "model_type", "qwen3"});
}

TEST(model_config, other_model_types_name_the_supported_ones) {
  for (const char* type : {"gemma", "qwen3_moe", "Qwen3", ""}) {
    expect_user_error(
        [&] {
          parse_with({{"model_type", type}});
        },
        {"folder/config.json", "model_type", std::string("\"") + type + "\"", "supported", "qwen3"});
  }
}

TEST(model_config, eos_ids_come_from_the_generation_config_first) {
  const auto eos = [](const Json& generation_config) { return parse(small_config(), generation_config).eos_ids; };
  EXPECT_EQ(eos({{"eos_token_id", {3, 5, 3}}}), (TokenIds{3, 5}));
  EXPECT_EQ(eos({{"eos_token_id", 3}}), TokenIds{3});
  EXPECT_EQ(eos({{"eos_token_id", nullptr}}), TokenIds{7});
  EXPECT_EQ(eos({{"temperature", 0.6}}), TokenIds{7});
  EXPECT_EQ(eos({{"eos_token_id", Json::array()}}), TokenIds{});
  EXPECT_EQ(parse_with({{"eos_token_id", nullptr}}).eos_ids, TokenIds{});
  EXPECT_EQ(parse_with({{"eos_token_id", {511, 512, -1, 18446744073709551615U}}}).eos_ids, TokenIds{511})
      << "ids outside the vocabulary are left out";
  for (const Json& bad : {Json("7"), Json(7.0), Json(true), Json::array({1, "2"}), Json::object()}) {
    SCOPED_TRACE(bad.dump());
    expect_user_error([&] { eos({{"eos_token_id", bad}}); }, {"folder/generation_config.json", "eos_token_id"});
    expect_user_error([&] { parse_with({{"eos_token_id", bad}}); }, {"folder/config.json", "eos_token_id"});
  }
  expect_user_error([&] { eos(Json::array()); }, {"folder/generation_config.json", "object"});
}

TEST(model_config, impossible_sizes_are_user_errors) {
  int cases = 0;
  for (const char* key : {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                          "num_key_value_heads", "head_dim", "max_position_embeddings"}) {
    for (const Json& bad : {Json(0), Json(-1), Json(64.0), Json(1.5), Json("64"), Json(true), Json::array({64}),
                            Json::object(), Json(std::int64_t{1} << 40), Json(INT64_MIN), Json(UINT64_MAX)}) {
      SCOPED_TRACE(std::string(key) + " " + bad.dump());
      expect_user_error([&] { parse_with({{key, bad}}); }, {"folder/config.json", key, bad.dump(), "expected"});
      ++cases;
    }
  }
  EXPECT_EQ(cases, 88);
  for (const char* key :
       {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"}) {
    Json json = small_config();
    json.erase(key);
    expect_user_error([&] { parse(json); }, {"folder/config.json", key, "no such key"});
    json[key] = nullptr;
    expect_user_error([&] { parse(json); }, {"folder/config.json", key, "null"});
  }
}

TEST(model_config, inconsistent_and_unsupported_settings_are_user_errors) {
  struct Case {
    Json changes;
    std::vector<std::string> message;
  };
  const std::vector<Case> corpus{
      {{{"num_key_value_heads", 3}}, {"num_key_value_heads", "num_attention_heads (4)", "3"}},
      {{{"num_key_value_heads", 8}}, {"num_key_value_heads", "8"}},
      {{{"head_dim", 31}}, {"head_dim", "even", "31"}},
      {{{"num_attention_heads", 4096}, {"head_dim", 4096}}, {"num_attention_heads × head_dim", "4096"}},
      {{{"hidden_act", "gelu"}}, {"hidden_act", "silu", "gelu"}},
      {{{"hidden_act", 7}}, {"hidden_act", "7"}},
      {{{"rms_norm_eps", 0}}, {"rms_norm_eps", "0"}},
      {{{"rms_norm_eps", "1e-6"}}, {"rms_norm_eps", "\"1e-6\""}},
      {{{"tie_word_embeddings", 1}}, {"tie_word_embeddings", "true or false", "1"}},
      {{{"attention_bias", "no"}}, {"attention_bias", "true or false"}},
      {{{"model_type", 3}}, {"model_type", "3"}},
      {{{"use_sliding_window", true}, {"sliding_window", 0}}, {"sliding_window", "0"}},
      {{{"use_sliding_window", true}, {"sliding_window", 64}, {"max_window_layers", -1}}, {"max_window_layers", "-1"}},
      {{{"layer_types", {"full_attention", "chunked_attention"}}}, {"layer_types", "chunked_attention"}},
      {{{"layer_types", {"full_attention", "sliding_attention"}}}, {"layer_types", "sliding_attention"}},
      {{{"layer_types", {"full_attention"}}}, {"layer_types", "2"}},
      {{{"layer_types", "full_attention"}}, {"layer_types"}},
      {{{"layer_types", {"full_attention", 1}}}, {"layer_types", "1"}},
      {{{"quantization_config", {{"quant_method", "fp8"}}}}, {"quantization_config.weight_block_size", "FP8"}},
      {{{"partial_rotary_factor", 0.5}}, {"partial_rotary_factor", "0.5"}},
      {{{"rope_theta", 0}}, {"rope_theta", "0"}},
      {{{"rope_theta", "1e6"}}, {"rope_theta"}},
      {{{"rope_scaling", "linear"}}, {"rope_scaling", "an object"}},
      {{{"rope_scaling", {{"rope_type", "dynamic"}}}}, {"rope_scaling.factor", "no such key"}},
      {{{"rope_scaling", {{"type", "mrope"}}}}, {"rope_scaling.type", "mrope"}},
      {{{"rope_scaling", {{"rope_type", 1}}}}, {"rope_scaling.rope_type", "1"}},
      {{{"rope_scaling", {{"rope_type", "linear"}}}}, {"rope_scaling.factor", "no such key"}},
      {{{"rope_scaling", {{"rope_type", "linear"}, {"factor", 0}}}}, {"rope_scaling.factor", "0"}},
      {{{"rope_scaling", {{"rope_type", "linear"}, {"factor", -2.0}}}}, {"rope_scaling.factor", "-2.0"}},
      {{{"rope_scaling", {{"rope_type", "linear"}, {"factor", "2"}}}}, {"rope_scaling.factor", "\"2\""}},
      {{{"rope_parameters", {{"rope_type", "default"}, {"rope_theta", -1}}}}, {"rope_parameters.rope_theta", "-1"}},
      {{{"rope_parameters", {{"rope_type", "default"}, {"partial_rotary_factor", 0.25}}}},
       {"rope_parameters.partial_rotary_factor", "0.25"}},
      {{{"rope_parameters", {{"full_attention", {{"rope_type", "default"}}}}}}, {"rope_parameters.full_attention"}},
      {{{"rope_scaling", {{"rope_type", "llama3"}, {"factor", 8}, {"low_freq_factor", 1}}}}, {"high_freq_factor"}},
      {{{"rope_scaling", {{"rope_type", "llama3"}, {"factor", 8}, {"low_freq_factor", 4}, {"high_freq_factor", 4}}}},
       {"high_freq_factor", "above 4"}},
      {{{"rope_scaling", {{"rope_type", "yarn"}}}}, {"rope_scaling.factor"}},
      {{{"rope_scaling", {{"rope_type", "yarn"}, {"factor", 4}, {"original_max_position_embeddings", 0}}}},
       {"rope_scaling.original_max_position_embeddings", "0"}},
      {{{"rope_scaling", {{"rope_type", "yarn"}, {"factor", 4}, {"truncate", 1}}}}, {"rope_scaling.truncate"}},
      {{{"rope_scaling", {{"rope_type", "yarn"}, {"factor", 4}, {"mscale", "1"}}}}, {"rope_scaling.mscale"}},
      {{{"rope_scaling", {{"rope_type", "yarn"}, {"factor", 4}, {"beta_fast", 1}, {"beta_slow", 2}}}},
       {"rope_scaling.beta_fast", "2"}},
      {{{"rope_scaling", {{"rope_type", "yarn"}, {"factor", 4}, {"attention_factor", 0}}}}, {"attention_factor"}},
  };
  for (const Case& bad : corpus) {
    SCOPED_TRACE(bad.changes.dump());
    expect_user_error([&] { parse_with(bad.changes); }, bad.message);
    expect_user_error([&] { parse_with(bad.changes); }, {"folder/config.json"});
  }
  for (const Json& bad : {Json(), Json(7), Json("qwen3"), Json::array()}) {
    expect_user_error([&] { parse(bad); }, {"folder/config.json", "object"});
  }
}

TEST(model_config, settings_without_effect_are_accepted) {
  EXPECT_NO_THROW(parse_with({{"sliding_window", 4096}}));
  EXPECT_NO_THROW(parse_with({{"use_sliding_window", true}, {"layer_types", {"full_attention", "full_attention"}}}));
  EXPECT_NO_THROW(parse_with({{"quantization_config", nullptr}}));
  EXPECT_NO_THROW(parse_with({{"partial_rotary_factor", 1.0}}));
  EXPECT_NO_THROW(parse_with({{"hidden_act", "swish"}}));
}

ModelConfig parse_family(const std::string& type, const Json& changes) {
  Json config = small_config();
  for (const char* key :
       {"sliding_window", "use_sliding_window", "max_window_layers", "rms_norm_eps", "eos_token_id"}) {
    config.erase(key);
  }
  config["model_type"] = type;
  config.update(changes);
  return parse(config);
}

TEST(model_config, families_have_the_defaults_of_their_classes) {
  const ModelConfig qwen2 = parse_family("qwen2", Json::object());
  EXPECT_TRUE(qwen2.qkv_bias);
  EXPECT_FALSE(qwen2.output_bias);
  EXPECT_FALSE(qwen2.qk_norm);
  EXPECT_TRUE(qwen2.eos_ids.empty());
  const ModelConfig llama = parse_family("llama", {{"attention_bias", true}});
  EXPECT_TRUE(llama.qkv_bias);
  EXPECT_TRUE(llama.output_bias);
  EXPECT_EQ(llama.eos_ids, TokenIds{2});
  EXPECT_EQ(llama.rms_norm_eps, 1e-6);
  expect_user_error([] { parse_family("llama", {{"mlp_bias", true}}); }, {"mlp_bias", "true"});
  EXPECT_EQ(parse_family("mistral", Json::object()).windows, (std::vector<std::int64_t>{4096, 4096}));
  EXPECT_FALSE(parse_family("mistral", {{"sliding_window", nullptr}}).has_windows());
  const ModelConfig phi3 = parse_family("phi3", Json::object());
  EXPECT_EQ(phi3.rms_norm_eps, 1e-5);
  EXPECT_TRUE(phi3.eos_ids.empty()) << "the default is outside this small vocabulary";
  EXPECT_FALSE(phi3.has_windows());
  EXPECT_EQ(phi3.tensors.fused_qkv, "self_attn.qkv_proj");
}

TEST(model_config, windows_are_those_of_the_layers_that_slide) {
  using Windows = std::vector<std::int64_t>;
  const Json slides{{"use_sliding_window", true}, {"sliding_window", 64}, {"max_window_layers", 1}};
  EXPECT_EQ(parse_family("qwen2", slides).windows, (Windows{0, 64}));
  Json types = slides;
  types["layer_types"] = {"sliding_attention", "full_attention"};
  EXPECT_EQ(parse_family("qwen2", types).windows, (Windows{64, 0}));
  for (const char* key : {"sliding_window", "max_window_layers"}) {
    Json none = slides;
    none[key] = std::string(key) == "sliding_window" ? Json() : Json(2);
    EXPECT_TRUE(parse_family("qwen2", none).windows.empty()) << key;
  }
  EXPECT_TRUE(parse_family("llama", slides).windows.empty()) << "Llama has no such key";

  ModelConfig config = parse_family("qwen2", slides);
  config.set_context(65);
  EXPECT_TRUE(config.has_windows());
  config.set_context(64);
  EXPECT_FALSE(config.has_windows()) << "no sequence is longer than the window";
}

TEST(model_config, heads_between_those_of_kernels_are_filled_up) {
  const auto head_of = [](std::int64_t head_dim, DType dtype, bool on_gpu) {
    ModelConfig config =
        parse_family("llama", {{"hidden_size", 4 * head_dim}, {"num_attention_heads", 4}, {"head_dim", head_dim}});
    const std::int64_t parameters = config.num_parameters();
    config.set_layout(WeightPrecision::automatic, dtype, on_gpu);
    EXPECT_EQ(config.head_elements(), head_dim);
    EXPECT_EQ(config.rotary_dim(), head_dim);
    EXPECT_EQ(config.num_parameters(), parameters);
    EXPECT_EQ(config.weight_bytes(2) > 2 * parameters, config.head_dim > head_dim);
    EXPECT_EQ(config.attention_scale(), 1 / std::sqrt(static_cast<double>(head_dim)));
    return config.head_dim;
  };
  EXPECT_EQ(head_of(96, DType::bfloat16, true), 128);
  EXPECT_EQ(head_of(80, DType::float16, true), 128);
  EXPECT_EQ(head_of(64, DType::bfloat16, true), 64);
  EXPECT_EQ(head_of(128, DType::bfloat16, true), 128);
  EXPECT_EQ(head_of(160, DType::bfloat16, true), 160);
  EXPECT_EQ(head_of(96, DType::float32, true), 96);
  EXPECT_EQ(head_of(96, DType::bfloat16, false), 96);
}

TEST(model_config, a_dynamic_rope_stretches_the_context) {
  const Json rope{{"rope_scaling", {{"type", "dynamic"}, {"factor", 2.5}}}};
  EXPECT_EQ(parse_family("llama", rope).max_position_embeddings, 10240);
  EXPECT_EQ(parse_family("llama", rope).rope.original_max_position_embeddings, 4096);
}

TEST(model_config, phi3_ropes) {
  const Json list(std::vector<double>(12, 1.5));
  const Json rope{{"type", "su"}, {"short_factor", list}, {"long_factor", list}};
  Json changes{{"partial_rotary_factor", 0.75}, {"rope_scaling", rope}};
  EXPECT_EQ(parse_family("phi3", changes).rope.type, "longrope");
  EXPECT_EQ(parse_family("phi3", changes).rotary_dim(), 24);
  EXPECT_EQ(parse_family("phi3", changes).rope.original_max_position_embeddings, 4096) << "the class has a default";
  for (const char* key : {"short_factor", "long_factor"}) {
    for (const Json& bad : {Json(), Json(1), Json::array({1.0, 2.0}), Json(std::vector<double>(12, 0)),
                            Json(std::vector<std::string>(12, "1"))}) {
      Json wrong = changes;
      wrong["rope_scaling"][key] = bad;
      expect_user_error([&] { parse_family("phi3", wrong); }, {std::string("rope_scaling.") + key, "12"});
    }
  }
  changes["rope_scaling"]["type"] = "linear";
  expect_user_error([&] { parse_family("phi3", changes); }, {"rope_scaling.type", "longrope", "linear"});
  for (const Json& bad : {Json(0.03), Json(1.5), Json("0.5"), Json(0)}) {
    expect_user_error([&] { parse_family("phi3", {{"partial_rotary_factor", bad}}); }, {"partial_rotary_factor"});
  }
}

TEST(model_config, attention_bias_of_qwen3_is_for_all_four_projections) {
  EXPECT_TRUE(parse_with({{"attention_bias", true}}).qkv_bias);
  EXPECT_TRUE(parse_with({{"attention_bias", true}}).output_bias);
}

// The sizes at their bounds: no product overflows (the sanitizers would tell).
TEST(model_config, the_largest_sizes_do_not_overflow) {
  const ModelConfig config = parse_with({{"vocab_size", 1 << 24},
                                         {"hidden_size", 1 << 18},
                                         {"intermediate_size", 1 << 22},
                                         {"num_hidden_layers", 1 << 10},
                                         {"num_attention_heads", 1 << 10},
                                         {"num_key_value_heads", 1 << 10},
                                         {"head_dim", 1 << 10},
                                         {"tie_word_embeddings", false}});
  EXPECT_GT(config.num_parameters(), std::int64_t{1} << 51);
}

ModelConfig qwen3(std::int64_t hidden, std::int64_t intermediate, std::int64_t layers, std::int64_t heads, bool tied) {
  return parse_with({{"vocab_size", 151936},
                     {"hidden_size", hidden},
                     {"intermediate_size", intermediate},
                     {"num_hidden_layers", layers},
                     {"num_attention_heads", heads},
                     {"num_key_value_heads", 8},
                     {"head_dim", 128},
                     {"tie_word_embeddings", tied}});
}

// As the model cards and Qwen3ForCausalLM(config).num_parameters() have them.
TEST(model_config, counts_parameters) {
  EXPECT_EQ(qwen3(5120, 25600, 64, 64, false).num_parameters(), 32'762'123'264);
  EXPECT_EQ(qwen3(2048, 6144, 28, 16, true).num_parameters(), 1'720'574'976);
  EXPECT_EQ(parse(small_config()).num_parameters(), 131520);
  EXPECT_EQ(parse_with({{"tie_word_embeddings", false}, {"attention_bias", true}}).num_parameters(), 164928);
}

TEST(model_config, loads_a_folder) {
  const TemporaryFolder folder;
  expect_user_error([&] { ModelConfig::load(folder.path()); }, {(folder.path() / "config.json").string()});
  folder.write("config.json", small_config().dump());
  EXPECT_EQ(ModelConfig::load(folder.path()).eos_ids, TokenIds{7});
  EXPECT_EQ(ModelConfig::load(folder.path()).source, folder.path().string());
  folder.write("generation_config.json", R"({"eos_token_id": [1, 2]})");
  EXPECT_EQ(ModelConfig::load(folder.path()).eos_ids, (TokenIds{1, 2}));
  folder.write("generation_config.json", R"({"eos_token_id": [1, 2)");
  EXPECT_EQ(ModelConfig::load(folder.path()).eos_ids, TokenIds{7}) << "the file is left out, as in transformers";
  folder.write("generation_config.json", "");
  EXPECT_EQ(ModelConfig::load(folder.path()).eos_ids, TokenIds{7});
  folder.write("generation_config.json", "[1]");
  expect_user_error([&] { ModelConfig::load(folder.path()); }, {"generation_config.json", "object"});
}

TEST(model_config, malformed_files_are_user_errors) {
  const TemporaryFolder folder;
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("{}"), std::string("[]"), std::string("null"), std::string("\xFF"),
        std::string(R"({"model_type": "qwen3"})"), std::string(R"({"model_type": "qwen3", "hidden_size": 1e999})"),
        std::string(100000, '['), small_config().dump() + "x"}) {
    SCOPED_TRACE(text.substr(0, 100));
    folder.write("config.json", text);
    expect_user_error([&] { ModelConfig::load(folder.path()); }, {(folder.path() / "config.json").string()});
  }
}

}  // namespace
}  // namespace specthink
