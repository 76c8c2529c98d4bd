// A folder of 8-bit weights in the layout of the official ones, on any number of ranks: kept as it is, it computes what
// it does dequantised.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "model/model_files.h"
#include "ranks.h"
#include "specthink/model/transformer.h"

namespace specthink {
namespace {

using test::expect_user_error;
using test::SafetensorsWriter;
using test::TemporaryFolder;
using testing_support::device;
using testing_support::world;

// Blocks of 128 that end within a rank's part of every matrix, whatever the number of ranks.
constexpr std::int64_t kVocab = 97;
constexpr std::int64_t kHidden = 176;
constexpr std::int64_t kIntermediate = 300;
constexpr std::int64_t kHeads = 12;
constexpr std::int64_t kKvHeads = 4;
constexpr std::int64_t kHeadDim = 16;

class Float8Folder {
 public:
  Float8Folder() {
    at::manual_seed(5);
    const std::vector<std::int64_t> heads{kHeads * kHeadDim, kKvHeads * kHeadDim};
    for (int i = 0; i < 2; ++i) {
      const std::string layer = fmt::format("model.layers.{}.", i);
      add_float8(layer + "self_attn.q_proj", heads[0], kHidden);
      add_float8(layer + "self_attn.k_proj", heads[1], kHidden);
      add_float8(layer + "self_attn.v_proj", heads[1], kHidden);
      add_float8(layer + "self_attn.o_proj", kHidden, heads[0]);
      add_float8(layer + "mlp.gate_proj", kIntermediate, kHidden);
      add_float8(layer + "mlp.up_proj", kIntermediate, kHidden);
      add_float8(layer + "mlp.down_proj", kHidden, kIntermediate);
      for (const char* name : {"input_layernorm", "post_attention_layernorm"}) add_plain(layer + name, {kHidden});
      for (const char* name : {"self_attn.q_norm", "self_attn.k_norm"}) add_plain(layer + name, {kHeadDim});
    }
    for (const char* name : {"model.embed_tokens", "lm_head"}) add_plain(name, {kVocab, kHidden});
    add_plain("model.norm", {kHidden});
    folder_.write("model.safetensors", file_.bytes());
    Json config{{"model_type", "qwen3"},
                {"vocab_size", kVocab},
                {"hidden_size", kHidden},
                {"intermediate_size", kIntermediate},
                {"num_hidden_layers", 2},
                {"num_attention_heads", kHeads},
                {"num_key_value_heads", kKvHeads},
                {"head_dim", kHeadDim},
                {"max_position_embeddings", 512},
                {"eos_token_id", 7},
                {"quantization_config",
                 {{"quant_method", "fp8"},
                  {"fmt", "e4m3"},
                  {"activation_scheme", "dynamic"},
                  {"weight_block_size", {128, 128}}}}};
    folder_.write("config.json", config.dump());
  }

  ModelConfig config(WeightPrecision precision, bool on_gpu) const {
    ModelConfig config = ModelConfig::load(folder_.path());
    config.set_layout(precision, DType::float32, on_gpu);
    return config;
  }

  at::Tensor logits(WeightPrecision precision, DType dtype) const {
    const auto collectives = Collectives::create(world(), device());
    const ModelConfig loaded = config(precision, true);
    Transformer model(folder_.path(), loaded, *collectives, {.dtype = dtype, .device = device(), .pages = 1});
    model.set_pages(0, std::vector<std::int32_t>{0});
    const TokenIds ids{3, 14, 15, 92, 65, 35, 89, 79, 32, 38, 46, 26};
    const SlotRows rows[] = {{0, 0, ids}};
    return model.local_logits(model.forward(rows));
  }

 private:
  void add_float8(const std::string& module, std::int64_t rows, std::int64_t columns) {
    const at::Tensor values = at::randn({rows, columns}).mul(100).clamp(-448, 448).to(at::kFloat8_e4m3fn);
    const auto* bytes = static_cast<const std::uint8_t*>(values.const_data_ptr());
    file_.add(module + ".weight", "F8_E4M3", {rows, columns}, std::vector<std::uint8_t>(bytes, bytes + values.numel()));
    const std::int64_t of_rows = (rows + 127) / 128;
    const std::int64_t of_columns = (columns + 127) / 128;
    const at::Tensor scales =
        at::rand({of_rows * of_columns}).add(0.2).mul(0.01 / std::sqrt(static_cast<double>(columns)));
    const auto* factors = scales.const_data_ptr<float>();
    file_.add(module + ".weight_scale_inv", "F32", {of_rows, of_columns},
              std::vector<float>(factors, factors + scales.numel()));
  }
  void add_plain(const std::string& module, const std::vector<std::int64_t>& shape) {
    const at::Tensor values = at::randn(shape);
    const auto* data = values.const_data_ptr<float>();
    file_.add(module + ".weight", "F32", shape, std::vector<float>(data, data + values.numel()));
  }

  SafetensorsWriter file_;
  TemporaryFolder folder_;
};

TEST(float8_model, kept_or_dequantised_is_the_same_in_float32) {
  const Float8Folder folder;
  const at::Tensor expected = folder.logits(WeightPrecision::compute, DType::float32);
  const at::Tensor found = folder.logits(WeightPrecision::float8, DType::float32);
  EXPECT_GT(expected.std().item<double>(), 0.1);
  EXPECT_TRUE(at::allclose(found, expected, 1e-4, 1e-4)) << (found - expected).abs().max().item<double>();
}

TEST(float8_model, rounds_in_sixteen_bits_as_dequantised_weights_do) {
  const Float8Folder folder;
  const at::Tensor exact = folder.logits(WeightPrecision::compute, DType::float32);
  const at::Tensor found = folder.logits(WeightPrecision::float8, DType::bfloat16);
  EXPECT_LT(((found - exact).norm() / exact.norm()).item<double>(), 0.03);
}

TEST(float8_model, automatic_keeps_what_a_folder_has_on_gpus) {
  const Float8Folder folder;
  EXPECT_TRUE(folder.config(WeightPrecision::automatic, true).float8_linear);
  EXPECT_FALSE(folder.config(WeightPrecision::automatic, false).float8_linear);
  EXPECT_FALSE(folder.config(WeightPrecision::compute, true).float8_linear);
  const ModelConfig kept = folder.config(WeightPrecision::float8, false);
  EXPECT_TRUE(kept.keeps_quantization());
  EXPECT_LT(kept.weight_bytes(2), 2 * kept.num_parameters());
}

TEST(float8_model, partial_rotation_is_refused) {
  ModelConfig config = Float8Folder().config(WeightPrecision::compute, true);
  config.rope.rotary_dim = kHeadDim / 2;
  config.set_layout(WeightPrecision::automatic, DType::bfloat16, true);
  EXPECT_FALSE(config.float8_linear);
  expect_user_error([&] { config.set_layout(WeightPrecision::float8, DType::bfloat16, true); },
                    {"--weights fp8", "--weights bf16"});
}

}  // namespace
}  // namespace specthink
