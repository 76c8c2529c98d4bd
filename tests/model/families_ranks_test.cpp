// A family is a page: a made-up one, with tensor names, biases and defaults of its own, runs without a change
// elsewhere.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "model/families/family.h"
#include "model/model_files.h"
#include "ranks.h"
#include "specthink/model/transformer.h"

namespace specthink {
namespace {

using test::expect_user_error;
using test::TemporaryFolder;
using testing_support::device;
using testing_support::world;

constexpr std::int64_t kFamilyVocab = 101;
constexpr std::int64_t kFamilyHidden = 48;
constexpr std::int64_t kFamilyIntermediate = 61;
constexpr std::int64_t kLayers = 2;
constexpr std::int64_t kFamilyHeads = 12;
constexpr std::int64_t kFamilyKvHeads = 2;
constexpr std::int64_t kFamilyHeadDim = 8;

/// Biases of query, key and value alone, as many KV heads as kFamilyKvHeads unless config.json says otherwise.
Family lumen() {
  return {.model_type = "lumen",
          .architecture = "LumenForCausalLM",
          .default_kv_heads = kFamilyKvHeads,
          .default_head_dim = kFamilyHeadDim,
          .default_max_position_embeddings = 512,
          .tensors = {.embedding = "decoder.words",
                      .final_norm = "decoder.last_norm",
                      .head = "decoder.to_words",
                      .layers = "decoder.blocks",
                      .input_norm = "norm_1",
                      .query = "attention.query",
                      .key = "attention.key",
                      .value = "attention.value",
                      .query_norm = "attention.norm_of_query",
                      .key_norm = "attention.norm_of_key",
                      .output = "attention.out",
                      .post_norm = "norm_2",
                      .gate = "ffn.gate",
                      .up = "ffn.in",
                      .down = "ffn.out"},
          .describe = [](const ConfigReader& config, ModelDescription& model) {
            if (config.boolean("parallel_blocks", false)) config.fail("parallel_blocks", "false");
            model.qk_norm = true;
            model.qkv_bias = true;
          }};
}

const std::array kFamilies{qwen3(), lumen()};

/// model.safetensors in float32: the same numbers under any names.
class WeightFile {
 public:
  explicit WeightFile(const TensorNames& names) {
    add(names.embedding + ".weight", {kFamilyVocab, kFamilyHidden});
    for (std::int64_t i = 0; i < kLayers; ++i) add_layer(names, fmt::format("{}.{}.", names.layers, i));
    add(names.final_norm + ".weight", {kFamilyHidden}, 1);
    add(names.head + ".weight", {kFamilyVocab, kFamilyHidden});
  }

  void add_zeros(const std::string& name, std::int64_t size) {
    append(name, {size}, std::vector<float>(static_cast<std::size_t>(size), 0.0F));
  }

  std::string bytes() const { return test::safetensors_bytes(header_.dump(), data_); }

 private:
  void add_layer(const TensorNames& names, const std::string& layer) {
    const auto add_linear = [&](const std::string& module, std::int64_t rows, std::int64_t columns, bool bias) {
      add(layer + module + ".weight", {rows, columns});
      if (bias) add(layer + module + ".bias", {rows});
    };
    add(layer + names.input_norm + ".weight", {kFamilyHidden}, 1);
    add_linear(names.query, kFamilyHeads * kFamilyHeadDim, kFamilyHidden, true);
    add_linear(names.key, kFamilyKvHeads * kFamilyHeadDim, kFamilyHidden, true);
    add_linear(names.value, kFamilyKvHeads * kFamilyHeadDim, kFamilyHidden, true);
    add(layer + names.query_norm + ".weight", {kFamilyHeadDim}, 1);
    add(layer + names.key_norm + ".weight", {kFamilyHeadDim}, 1);
    add_linear(names.output, kFamilyHidden, kFamilyHeads * kFamilyHeadDim, false);
    add(layer + names.post_norm + ".weight", {kFamilyHidden}, 1);
    add_linear(names.gate, kFamilyIntermediate, kFamilyHidden, false);
    add_linear(names.up, kFamilyIntermediate, kFamilyHidden, false);
    add_linear(names.down, kFamilyHidden, kFamilyIntermediate, false);
  }

  /// Pseudorandom numbers within 0.4 of `center`.
  void add(const std::string& name, const std::vector<std::int64_t>& shape, float center = 0) {
    std::int64_t size = 1;
    for (const std::int64_t extent : shape) size *= extent;
    std::vector<float> values;
    for (std::int64_t i = 0; i < size; ++i) {
      state_ = state_ * 6364136223846793005U + 1442695040888963407U;
      values.push_back(center + 0.8F * (static_cast<float>(state_ >> 40) / static_cast<float>(1 << 24) - 0.5F));
    }
    append(name, shape, values);
  }

  void append(const std::string& name, const std::vector<std::int64_t>& shape, const std::vector<float>& values) {
    const std::size_t begin = data_.size();
    data_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    header_[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {begin, data_.size()}}};
  }

  Json header_;
  std::string data_;
  std::uint64_t state_ = 1;
};

Json common_config() {
  return {
      {"vocab_size", kFamilyVocab},   {"hidden_size", kFamilyHidden},        {"intermediate_size", kFamilyIntermediate},
      {"num_hidden_layers", kLayers}, {"num_attention_heads", kFamilyHeads}, {"eos_token_id", 7}};
}

/// A folder of the made-up family.
void write_lumen(const TemporaryFolder& folder, const WeightFile& weights) {
  Json config = common_config();
  config["model_type"] = "lumen";
  folder.write("config.json", config.dump());
  folder.write("model.safetensors", weights.bytes());
}

/// The same model as Qwen3 says it, whose attention has a bias of the output too: zeros.
void write_qwen3(const TemporaryFolder& folder) {
  Json config = common_config();
  config.update({{"model_type", "qwen3"},
                 {"num_key_value_heads", kFamilyKvHeads},
                 {"head_dim", kFamilyHeadDim},
                 {"max_position_embeddings", 512},
                 {"attention_bias", true}});
  folder.write("config.json", config.dump());
  WeightFile weights(TensorNames{});
  for (std::int64_t i = 0; i < kLayers; ++i) {
    weights.add_zeros(fmt::format("model.layers.{}.self_attn.o_proj.bias", i), kFamilyHidden);
  }
  folder.write("model.safetensors", weights.bytes());
}

at::Tensor logits_of(const TemporaryFolder& folder, DType dtype) {
  const auto collectives = Collectives::create(world(), device());
  Transformer model(folder.path(), ModelConfig::load(folder.path(), kFamilies), *collectives,
                    {.dtype = dtype, .device = device(), .pages = 1});
  model.set_pages(0, std::vector<std::int32_t>{0});
  const TokenIds ids{3, 14, 15, 92, 65, 35, 89, 79, 32, 38, 46, 26};
  const SlotRows rows[] = {{0, 0, ids}};
  return model.local_logits(model.forward(rows));
}

TEST(families, a_made_up_one_computes_what_the_same_weights_do_as_qwen3) {
  const TemporaryFolder made_up;
  const TemporaryFolder reference;
  write_lumen(made_up, WeightFile(lumen().tensors));
  write_qwen3(reference);
  for (const DType dtype : {DType::float32, DType::bfloat16}) {
    const at::Tensor expected = logits_of(reference, dtype);
    EXPECT_TRUE(at::equal(logits_of(made_up, dtype), expected));
    EXPECT_GT(expected.std().item<double>(), 0.1) << "the logits tell models apart";
  }
}

TEST(families, describe_their_models_alone) {
  const TemporaryFolder folder;
  write_lumen(folder, WeightFile(lumen().tensors));
  const ModelConfig config = ModelConfig::load(folder.path(), kFamilies);
  EXPECT_EQ(config.model_type, "lumen");
  EXPECT_EQ(config.num_kv_heads, kFamilyKvHeads);
  EXPECT_EQ(config.head_dim, kFamilyHeadDim);
  EXPECT_TRUE(config.qkv_bias);
  EXPECT_FALSE(config.output_bias);
  EXPECT_EQ(config.eos_ids, TokenIds{7});

  Json other = common_config();
  other["architectures"] = {"LumenForCausalLM"};
  EXPECT_EQ(ModelConfig::parse(other, {}, "folder", kFamilies).model_type, "lumen");
  other["parallel_blocks"] = true;
  expect_user_error([&] { ModelConfig::parse(other, {}, "folder", kFamilies); },
                    {"folder/config.json", "parallel_blocks", "true"});
}

TEST(families, that_are_not_supported_are_told_which_are) {
  Json config = common_config();
  config["model_type"] = "lumen";
  expect_user_error([&] { ModelConfig::parse(config, {}, "folder"); },
                    {"\"lumen\" is not supported", "supported model types: llama, mistral, phi3, qwen2, qwen3"});
  config["model_type"] = "ember";
  expect_user_error([&] { ModelConfig::parse(config, {}, "folder", kFamilies); },
                    {"\"ember\" is not supported", "supported model types: qwen3, lumen"});
}

TEST(families, errors_name_tensors_as_the_folder_does) {
  TensorNames names = lumen().tensors;
  names.key = "attention.k";
  const TemporaryFolder folder;
  write_lumen(folder, WeightFile(names));
  ModelConfig config = ModelConfig::load(folder.path(), kFamilies);
  const ShardPlan plan(config, world().rank(), world().size());
  expect_user_error([&] { Transformer::check_folder(folder.path(), config, plan); },
                    {"\"decoder.blocks.0.attention.key.weight\""});
}

}  // namespace
}  // namespace specthink
