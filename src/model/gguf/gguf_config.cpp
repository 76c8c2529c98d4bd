#include "model/gguf/gguf_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "model/checkpoint/unique_json.h"
#include "model/gguf/ggml_types.h"
#include "specthink/base/error.h"

namespace specthink::inline model::gguf {
namespace {

struct Architecture {
  const char* name;  // in GGUF, and model_type of config.json
  const char* class_name;
};
constexpr std::array kArchitectures{Architecture{"llama", "LlamaForCausalLM"}, Architecture{"phi3", "Phi3ForCausalLM"},
                                    Architecture{"qwen2", "Qwen2ForCausalLM"},
                                    Architecture{"qwen3", "Qwen3ForCausalLM"}};

/// The keys of the model's own part, "qwen2.block_count" for instance.
class ModelKeys {
 public:
  explicit ModelKeys(const GgufFile& file) : file_(file), prefix_(architecture(file) + ".") {}

  const Json* find(const std::string& key) const { return find_value(file_, prefix_ + key); }

  std::int64_t integer(const std::string& key) const {
    const Json* value = find(key);
    if (!value || !value->is_number_integer() || *value > INT32_MAX || *value < 0) fail(key, "a whole number", value);
    return value->get<std::int64_t>();
  }

  double number(const std::string& key, double fallback) const {
    const Json* value = find(key);
    if (!value) return fallback;
    if (!value->is_number() || !std::isfinite(value->get<double>())) fail(key, "a number", value);
    return value->get<double>();
  }

  [[noreturn]] void fail(const std::string& key, const std::string& expected, const Json* found) const {
    throw UserError("{}: {}{}: expected {}, found {}", file_.path().string(), prefix_, key, expected,
                    found ? excerpt(*found) : "no such key");
  }

 private:
  const GgufFile& file_;
  std::string prefix_;
};

std::vector<double> factors_of(const GgufFile& file, const Tensor& tensor) {
  constexpr std::int64_t kMost = 1 << 12;
  if (!tensor.type->dequantize || tensor.shape.size() != 1 || tensor.elements() > kMost) {
    throw UserError("{}, tensor {}: expected up to {} numbers in {}, found shape {} in {}", file.path().string(),
                    specthink::quoted(tensor.name), kMost, supported_type_names(), excerpt(tensor.shape),
                    tensor.type->name);
  }
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  tensor.type->dequantize(tensor.bytes.data(), tensor.elements() / tensor.type->block_elements, values.data());
  return {values.begin(), values.end()};
}

/// Of Llama 3.1 and later a GGUF file has the factor of each pair; the settings that give them are in none, but all of
/// these models share them up to the largest factor. Throws UserError when that does not give the factors.
Json llama3_rope(const GgufFile& file, const Tensor& tensor, double theta) {
  constexpr double kLow = 1;
  constexpr double kHigh = 4;
  constexpr double kOriginal = 8192;
  const std::vector<double> factors = factors_of(file, tensor);
  const double factor = *std::ranges::max_element(factors);
  for (std::size_t i = 0; i < factors.size(); ++i) {
    const double exponent = static_cast<double>(i) / static_cast<double>(factors.size());
    const double wave = 2 * std::numbers::pi * std::pow(theta, exponent);
    const double smooth = std::clamp((kOriginal / wave - kLow) / (kHigh - kLow), 0.0, 1.0);
    const double expected = 1 / ((1 - smooth) / factor + smooth);
    if (std::abs(factors[i] / expected - 1) > 1e-3) {
      throw UserError("{}, tensor {}: its factors are not those of Llama 3.1: factor {} is {}, expected {}",
                      file.path().string(), specthink::quoted(tensor.name), i, factors[i], expected);
    }
  }
  return {{"rope_type", "llama3"},
          {"factor", factor},
          {"low_freq_factor", kLow},
          {"high_freq_factor", kHigh},
          {"original_max_position_embeddings", static_cast<std::int64_t>(kOriginal)}};
}

Json rope_scaling(const GgufFile& file, const ModelKeys& keys, double theta) {
  if (const Tensor* factors = file.find("rope_freqs.weight")) return llama3_rope(file, *factors, theta);
  const Tensor* long_factors = file.find("rope_factors_long.weight");
  const Tensor* short_factors = file.find("rope_factors_short.weight");
  if (long_factors && short_factors) {
    Json scaling{{"rope_type", "longrope"},
                 {"long_factor", factors_of(file, *long_factors)},
                 {"short_factor", factors_of(file, *short_factors)}};
    if (keys.find("rope.scaling.attn_factor")) {
      scaling["attention_factor"] = keys.number("rope.scaling.attn_factor", 1);
    }
    return scaling;
  }
  const Json* type = keys.find("rope.scaling.type");
  if (!type || *type == "none") return nullptr;
  if (*type != "linear" && *type != "yarn") keys.fail("rope.scaling.type", "none, linear or yarn", type);
  Json scaling{{"rope_type", *type}, {"factor", keys.number("rope.scaling.factor", 1)}};
  if (*type == "yarn" && keys.find("rope.scaling.original_context_length")) {
    scaling["original_max_position_embeddings"] = keys.integer("rope.scaling.original_context_length");
  }
  return scaling;
}

/// What only some architectures have.
void add_own_settings(const GgufFile& file, const ModelKeys& keys, std::int64_t head_dim, Json& config) {
  const std::string name = architecture(file);
  if (name == "llama") config["attention_bias"] = file.find("blk.0.attn_q.bias") != nullptr;
  if (keys.find("rope.dimension_count") && keys.integer("rope.dimension_count") != head_dim) {
    config["partial_rotary_factor"] =
        static_cast<double>(keys.integer("rope.dimension_count")) / static_cast<double>(head_dim);
  }
  if (name == "phi3") {
    if (keys.find("rope.scaling.original_context_length")) {
      config["original_max_position_embeddings"] = keys.integer("rope.scaling.original_context_length");
    }
    const bool slides = keys.find("attention.sliding_window") && keys.integer("attention.sliding_window") > 0;
    config["sliding_window"] = slides ? Json(keys.integer("attention.sliding_window")) : Json();
  }
}

}  // namespace

const Json* find_value(const GgufFile& file, const std::string& key) {
  const auto it = file.metadata().find(key);
  return it == file.metadata().end() ? nullptr : &*it;
}

std::string require_text(const GgufFile& file, const std::string& key) {
  const Json* value = find_value(file, key);
  if (!value || !value->is_string()) {
    throw UserError("{}: {}: expected a text, found {}", file.path().string(), key,
                    value ? excerpt(*value) : "no such key");
  }
  return value->get<std::string>();
}

std::string architecture(const GgufFile& file) { return require_text(file, "general.architecture"); }

Json model_config(const GgufFile& file) {
  const std::string name = architecture(file);
  const auto known =
      std::ranges::find(kArchitectures, name, [](const Architecture& own) { return std::string(own.name); });
  if (known == kArchitectures.end()) {
    std::string names;
    for (const Architecture& own : kArchitectures) names += (names.empty() ? "" : ", ") + std::string(own.name);
    throw UserError("{}: general.architecture: {} is not supported; supported architectures: {}", file.path().string(),
                    specthink::quoted(name), names);
  }
  const Tensor* embedding = file.find("token_embd.weight");
  if (!embedding || embedding->shape.size() != 2) {
    throw UserError("{}: expected a matrix token_embd.weight, found {}", file.path().string(),
                    embedding ? excerpt(embedding->shape) : "none");
  }
  const ModelKeys keys(file);
  const std::int64_t hidden = keys.integer("embedding_length");
  const std::int64_t heads = keys.integer("attention.head_count");
  if (heads == 0) keys.fail("attention.head_count", "at least 1", keys.find("attention.head_count"));
  const bool given = keys.find("attention.key_length") != nullptr;
  const std::int64_t head_dim = given ? keys.integer("attention.key_length") : hidden / heads;
  const double theta = keys.number("rope.freq_base", 10000);
  Json config{
      {"architectures", {known->class_name}},
      {"model_type", name},
      {"hidden_act", "silu"},
      {"vocab_size", embedding->shape[0]},
      {"hidden_size", hidden},
      {"intermediate_size", keys.integer("feed_forward_length")},
      {"num_hidden_layers", keys.integer("block_count")},
      {"num_attention_heads", heads},
      {"num_key_value_heads", keys.find("attention.head_count_kv") ? keys.integer("attention.head_count_kv") : heads},
      {"head_dim", head_dim},
      {"max_position_embeddings", keys.integer("context_length")},
      {"rms_norm_eps", keys.number("attention.layer_norm_rms_epsilon", 1e-6)},
      {"rope_theta", theta},
      {"rope_scaling", rope_scaling(file, keys, theta)},
      {"tie_word_embeddings", file.find("output.weight") == nullptr}};
  add_own_settings(file, keys, head_dim, config);
  for (const auto& [own, gguf] : {std::pair{"bos_token_id", "bos"}, {"eos_token_id", "eos"}}) {
    const Json* id = find_value(file, std::string("tokenizer.ggml.") + gguf + "_token_id");
    config[own] = id ? *id : Json();
  }
  return config;
}

Json generation_config(const GgufFile& file) {
  Json ids = Json::array();
  for (const char* key : {"eos", "eot", "eom"}) {
    const Json* id = find_value(file, std::string("tokenizer.ggml.") + key + "_token_id");
    if (id && std::ranges::find(ids, *id) == ids.end()) ids.push_back(*id);
  }
  return ids.empty() ? Json::object() : Json{{"eos_token_id", ids}};
}

std::string weight_name(const GgufFile& file, const std::string& name) {
  static const std::map<std::string, std::string> whole{{"token_embd", "model.embed_tokens"},
                                                        {"output_norm", "model.norm"},
                                                        {"output", "lm_head"},
                                                        {"rope_freqs", ""},
                                                        {"rope_factors_long", ""},
                                                        {"rope_factors_short", ""}};
  static const std::map<std::string, std::string> of_layer{{"attn_norm", "input_layernorm"},
                                                           {"attn_q", "self_attn.q_proj"},
                                                           {"attn_k", "self_attn.k_proj"},
                                                           {"attn_v", "self_attn.v_proj"},
                                                           {"attn_qkv", "self_attn.qkv_proj"},
                                                           {"attn_q_norm", "self_attn.q_norm"},
                                                           {"attn_k_norm", "self_attn.k_norm"},
                                                           {"attn_output", "self_attn.o_proj"},
                                                           {"ffn_norm", "post_attention_layernorm"},
                                                           {"ffn_gate", "mlp.gate_proj"},
                                                           {"ffn_up", "mlp.up_proj"},
                                                           {"ffn_down", "mlp.down_proj"}};
  const std::size_t dot = name.rfind('.');
  const std::string module = name.substr(0, dot);
  const std::string kind = dot == name.npos ? "" : name.substr(dot);
  if (kind == ".weight" || kind == ".bias") {
    if (const auto it = whole.find(module); it != whole.end()) return it->second.empty() ? "" : it->second + kind;
    const std::size_t number_end = module.find('.', 4);
    if (module.starts_with("blk.") && number_end != module.npos) {
      const std::string own = module.substr(number_end + 1);
      const auto it = of_layer.find(own);
      const bool fused = own == "ffn_up" && architecture(file) == "phi3";  // gate rows, then up rows
      if (it != of_layer.end()) {
        return "model.layers." + module.substr(4, number_end - 4) + "." + (fused ? "mlp.gate_up_proj" : it->second) +
               kind;
      }
    }
  }
  throw UserError("{}, tensor {}: a model of architecture {} has no such tensor here: this kind is not supported",
                  file.path().string(), specthink::quoted(name), architecture(file));
}

}  // namespace specthink::inline model::gguf
