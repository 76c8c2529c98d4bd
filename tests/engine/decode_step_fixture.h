// What the tests of DecodeStep share: small models of several shapes, and their logits by LibTorch; CUDA builds only.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <string_view>
#include <vector>

#include "engine/sharded_vocabulary.h"
#include "kernels/device/hopper.h"
#include "ranks.h"
#include "specthink/comm/device.h"
#include "specthink/engine/sampling.h"
#include "specthink/kernels/decode_step.h"
#include "specthink/model/transformer.h"

namespace specthink::testing_support {

struct Shape {
  const char* name;
  std::int64_t hidden, intermediate, heads, kv_heads, head_dim, vocab, layers;
  bool qk_norm, bias;
  DType dtype;
  std::int64_t window = 0;  // of every other layer
  bool float8 = false;      // the layers' matrices
};

inline ModelConfig config_of(const Shape& shape) {
  ModelConfig config;
  config.model_type = "qwen3";
  config.hidden_size = shape.hidden;
  config.intermediate_size = shape.intermediate;
  config.num_layers = shape.layers;
  config.num_heads = shape.heads;
  config.num_kv_heads = shape.kv_heads;
  config.head_dim = shape.head_dim;
  config.vocab_size = shape.vocab;
  config.max_position_embeddings = 40960;
  config.qk_norm = shape.qk_norm;
  config.qkv_bias = shape.bias;
  config.output_bias = shape.bias;
  if (shape.window > 0) {
    for (std::int64_t layer = 0; layer < shape.layers; ++layer) config.windows.push_back(layer % 2 * shape.window);
  }
  config.set_layout(shape.float8 ? WeightPrecision::float8 : WeightPrecision::compute, shape.dtype, /*on_gpu=*/true);
  return config;
}

const auto kShapes =
    testing::Values(Shape{"grouped_128", 512, 1040, 16, 4, 128, 3001, 3, true, false, DType::bfloat16},
                    Shape{"grouped_64_biased", 1000, 720, 8, 4, 64, 2050, 2, false, true, DType::bfloat16},
                    Shape{"filled_up_96", 768, 2048, 8, 8, 96, 1500, 2, false, true, DType::bfloat16},
                    Shape{"half", 256, 512, 12, 4, 128, 999, 2, true, false, DType::float16},
                    Shape{"one_kv_head_each", 1024, 3072, 16, 8, 128, 5003, 2, true, false, DType::bfloat16},
                    Shape{"wide_groups", 2048, 2048, 40, 4, 128, 10007, 1, true, true, DType::bfloat16},
                    Shape{"eight_bits", 1024, 3072, 16, 8, 128, 5003, 2, true, false, DType::bfloat16, 0, true},
                    Shape{"windows", 512, 1040, 14, 2, 64, 3001, 4, false, true, DType::bfloat16, 40});

/// Of the steps that are tested: launch/test_gpu.sh runs these tests with either.
inline StepKernels tested_kernels() {
  const char* const name = std::getenv("SPECTHINK_TEST_KERNELS");
  return name && std::string_view(name) == "portable" ? StepKernels::portable : StepKernels::hopper;
}

class StepTest : public testing::TestWithParam<Shape> {
 protected:
  StepTest(int slots, std::int64_t capacity) : slots_(slots), capacity_(capacity) {}

  void SetUp() override {
    if (!device().is_cuda()) GTEST_SKIP() << "the decode kernels run on GPUs (SPECTHINK_TEST_DEVICE=cuda)";
    const Shape& shape = GetParam();
    if (shape.heads % world().size() != 0) GTEST_SKIP() << "the heads do not divide by the ranks";
    collectives_ = Collectives::create(world(), device());
    Transformer::Options options;
    options.dtype = shape.dtype;
    options.device = device();
    options.pages = slots_ * pages_of_slot();
    options.dummy_weights = true;
    options.dummy_seed = 7;
    transformer_ = std::make_unique<Transformer>("", config_of(shape), *collectives_, options);
    for (int slot = 0; slot < slots_; ++slot) transformer_->set_pages(slot, pages_of(slot));
    const std::string obstacle = step_obstacle(transformer_->shard(), tested_kernels());
    // More than two ranks may have too small a part of these shapes.
    if (must_fit()) {
      ASSERT_EQ(obstacle, "");
    }
    if (!obstacle.empty()) GTEST_SKIP() << obstacle;
  }

  std::unique_ptr<DecodeStep> make_step(AllReduce all_reduce = AllReduce::automatic, int max_rows = kMaxStepRows) {
    DecodeStep::Options options;
    options.kernels = tested_kernels();
    options.all_reduce = all_reduce;
    options.max_rows = max_rows;
    options.wait_limit_seconds = 20;
    return DecodeStep::create(transformer_->shard(), world(), *collectives_, options);
  }

  static bool must_fit() {
    const bool are_for_it = tested_kernels() == StepKernels::portable
                                ? !GetParam().float8
                                : is_hopper(device().index()) && GetParam().window == 0;
    return are_for_it && world().size() <= 2;
  }

  std::int64_t pages_of_slot() const { return (capacity_ + kPageTokens - 1) / kPageTokens; }

  /// Pages one behind the other, of one of several sequences.
  std::vector<std::int32_t> pages_of(int sequence) const {
    std::vector<std::int32_t> pages(static_cast<std::size_t>(pages_of_slot()));
    std::iota(pages.begin(), pages.end(), static_cast<std::int32_t>(pages.size()) * sequence);
    return pages;
  }

  std::int64_t vocab_limit() const { return GetParam().vocab - 3; }  // the last ids are padding

  TokenIds random_tokens(std::int64_t count, unsigned seed) {
    std::mt19937 generator(seed);
    TokenIds ids(static_cast<std::size_t>(count));
    for (TokenId& id : ids) id = static_cast<TokenId>(generator() % static_cast<unsigned>(GetParam().vocab));
    return ids;
  }

  static std::span<const TokenId> part(const TokenIds& ids, std::int64_t first, std::int64_t count) {
    return std::span(ids).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
  }

  /// Logits of `count` rows from `first` on, by LibTorch operators; the cache holds the rows before.
  at::Tensor by_operators(const TokenIds& ids, std::int64_t first, std::int64_t count, int slot = 0) {
    const SlotRows rows{slot, first, part(ids, first, count)};
    return transformer_->local_logits(transformer_->forward(std::span(&rows, 1)));
  }

  void prefill(const TokenIds& ids, std::int64_t length, int slot = 0) {
    for (std::int64_t at = 0; at < length; at += 1024) {
      by_operators(ids, at, std::min<std::int64_t>(1024, length - at), slot);
    }
  }

  static double relative_error(const at::Tensor& result, const at::Tensor& expected) {
    return ((result - expected).norm() / expected.norm()).item<double>();
  }

  StepRequest greedy(std::int64_t position, int max_tokens) const {
    StepRequest request;
    request.position = position;
    request.max_tokens = max_tokens;
    request.sampling.vocab_limit = vocab_limit();
    return request;
  }

  /// Begins a request in slot 0, whose first step runs these tokens.
  static void begin(DecodeStep& step, const StepRequest& request, std::span<const TokenId> tokens) {
    step.begin(0, request);
    const StepRows rows{0, tokens, 0};
    step.set_rows(std::span(&rows, 1));
  }
  static void go_on(DecodeStep& step) {
    const StepRows rows{0, {}, 0};
    step.set_rows(std::span(&rows, 1));
  }

  /// Collective: the token that the host chooses from a row of the step's logits.
  TokenId host_token(const at::Tensor& row, const SamplingParams& sampling, const NoiseKey& key) {
    std::vector<Candidate> candidates =
        gather_candidates(row, transformer_->plan(), vocab_limit(), sampling, *collectives_);
    return sample(candidates, sampling, key);
  }

  int slots_;
  std::int64_t capacity_;
  c10::InferenceMode no_gradients_;
  std::unique_ptr<Collectives> collectives_;
  std::unique_ptr<Transformer> transformer_;
};

}  // namespace specthink::testing_support
