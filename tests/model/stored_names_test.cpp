#include "model/checkpoint/stored_names.h"

#include <gtest/gtest.h>

#include <cstring>

#include "model/model_files.h"

namespace specthink {
namespace {

using test::expect_user_error;
using test::safetensors_bytes;
using test::TemporaryFolder;

/// The three tensors that matter, float32, with a first layer's norm under `layers`.
class Weights {
 public:
  Weights& add(const std::string& name, const std::vector<std::int64_t>& shape, float value) {
    std::int64_t size = 1;
    for (const std::int64_t extent : shape) size *= extent;
    const std::vector<float> values(static_cast<std::size_t>(size), value);
    return add_bytes(name, "F32", shape, {reinterpret_cast<const char*>(values.data()), values.size() * 4});
  }

  Weights& add_bytes(const std::string& name, const char* type, const std::vector<std::int64_t>& shape,
                     const std::string& bytes) {
    header_[name] = {{"dtype", type}, {"shape", shape}, {"data_offsets", {data_.size(), data_.size() + bytes.size()}}};
    data_ += bytes;
    return *this;
  }

  /// A configuration of four tokens, settled by these weights.
  ModelConfig settled(bool tied) const {
    const TemporaryFolder folder;
    folder.write("model.safetensors", safetensors_bytes(header_.dump(), data_));
    ModelConfig config = ModelConfig::parse({{"model_type", "qwen2"},
                                             {"vocab_size", 4},
                                             {"hidden_size", 2},
                                             {"intermediate_size", 2},
                                             {"num_hidden_layers", 1},
                                             {"num_attention_heads", 1},
                                             {"num_key_value_heads", 1},
                                             {"tie_word_embeddings", tied}},
                                            {}, folder.path().string());
    settle_names(config, Checkpoint::open(folder.path()));
    return config;
  }

 private:
  Json header_;
  std::string data_;
};

Weights weights_in(const std::string& wrapper) {
  return Weights()
      .add(wrapper + "layers.0.input_layernorm.weight", {2}, 1)
      .add(wrapper + "embed_tokens.weight", {4, 2}, 1);
}

TEST(stored_names, wrappers_are_found) {
  for (const char* wrapper : {"model.", "", "language_model.model.", "model.language_model.", "module.model."}) {
    SCOPED_TRACE(wrapper);
    const TensorNames names = weights_in(wrapper).add("lm_head.weight", {4, 2}, 2).settled(false).tensors;
    EXPECT_EQ(names.layers, std::string(wrapper) + "layers");
    EXPECT_EQ(names.embedding, std::string(wrapper) + "embed_tokens");
    EXPECT_EQ(names.final_norm, std::string(wrapper) + "norm");
    EXPECT_EQ(names.head, "lm_head");
  }
  const Weights beside = weights_in("language_model.model.").add("language_model.lm_head.weight", {4, 2}, 2);
  EXPECT_EQ(beside.settled(false).tensors.head, "language_model.lm_head");
  const Weights both = weights_in("audio.").add("language.layers.0.input_layernorm.weight", {2}, 1);
  EXPECT_EQ(both.settled(false).tensors.layers, "language.layers");
}

TEST(stored_names, of_a_tied_pair_one_is_enough) {
  EXPECT_TRUE(weights_in("model.").settled(true).tie_word_embeddings);
  const ModelConfig head_alone =
      Weights().add("model.layers.0.input_layernorm.weight", {2}, 1).add("lm_head.weight", {4, 2}, 1).settled(true);
  EXPECT_TRUE(head_alone.tie_word_embeddings);
  EXPECT_EQ(head_alone.tensors.embedding, "lm_head");
}

TEST(stored_names, a_head_that_differs_from_a_tied_embedding_counts) {
  EXPECT_TRUE(weights_in("model.").add("lm_head.weight", {4, 2}, 1).settled(true).tie_word_embeddings);
  EXPECT_FALSE(weights_in("model.").add("lm_head.weight", {4, 2}, 1.5).settled(true).tie_word_embeddings);
  std::string ones;  // in bfloat16
  for (int i = 0; i < 8; ++i) ones += std::string("\x80\x3F", 2);
  EXPECT_TRUE(weights_in("model.").add_bytes("lm_head.weight", "BF16", {4, 2}, ones).settled(true).tie_word_embeddings)
      << "the same numbers in another type";
  expect_user_error([] { weights_in("model.").add("lm_head.weight", {3, 2}, 1).settled(true); }, {"lm_head", "[4,2]"});
}

}  // namespace
}  // namespace specthink
