// The decode kernels against the LibTorch path: logits of every row count, at lengths around the tiles and pages.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <random>

#include "engine/sharded_vocabulary.h"
#include "kernels/device/hopper.h"
#include "ranks.h"
#include "specthink/comm/device.h"
#include "specthink/engine/sampling.h"
#include "specthink/kernels/decode_step.h"
#include "specthink/model/transformer.h"

namespace specthink {
namespace {

using testing_support::device;
using testing_support::world;

struct Shape {
  const char* name;
  std::int64_t hidden, intermediate, heads, kv_heads, head_dim, vocab, layers;
  bool qk_norm, bias;
  DType dtype;
};

ModelConfig config_of(const Shape& shape) {
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
  return config;
}

class DecodeStepTest : public testing::TestWithParam<Shape> {
 protected:
  void SetUp() override {
    if (!device().is_cuda()) GTEST_SKIP() << "the decode kernels run on GPUs (SPECTHINK_TEST_DEVICE=cuda)";
    const Shape& shape = GetParam();
    if (shape.heads % world().size() != 0) GTEST_SKIP() << "the heads do not divide by the ranks";
    collectives_ = Collectives::create(world(), device());
    Transformer::Options options;
    options.dtype = shape.dtype;
    options.device = device();
    options.capacity = kCapacity;
    options.dummy_weights = true;
    options.dummy_seed = 7;
    transformer_ = std::make_unique<Transformer>("", config_of(shape), *collectives_, options);
    const std::string obstacle = step_obstacle(transformer_->shard());
    // More than two ranks may have too small a part of these shapes.
    if (has_hopper_code(device().index()) && world().size() <= 2) ASSERT_EQ(obstacle, "");
    if (!obstacle.empty()) GTEST_SKIP() << obstacle;
  }

  std::unique_ptr<DecodeStep> make_step(AllReduce all_reduce = AllReduce::automatic) {
    DecodeStep::Options options;
    options.all_reduce = all_reduce;
    options.sampled_ids = GetParam().vocab - 3;  // the last ids are padding
    options.wait_limit_seconds = 20;
    return DecodeStep::create(transformer_->shard(), world(), *collectives_, options);
  }

  TokenIds random_tokens(std::int64_t count, unsigned seed) {
    std::mt19937 generator(seed);
    TokenIds ids(static_cast<std::size_t>(count));
    for (TokenId& id : ids) id = static_cast<TokenId>(generator() % static_cast<unsigned>(GetParam().vocab));
    return ids;
  }

  /// Logits of `count` rows from `first` on, by LibTorch operators; the cache holds the rows before.
  at::Tensor by_operators(const TokenIds& ids, std::int64_t first, std::int64_t count) {
    const SlotRows rows{0, first,
                        std::span(ids).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count))};
    return transformer_->local_logits(transformer_->forward(std::span(&rows, 1)));
  }

  void prefill(const TokenIds& ids, std::int64_t length) {
    for (std::int64_t at = 0; at < length; at += 1024) by_operators(ids, at, std::min<std::int64_t>(1024, length - at));
  }

  static double relative_error(const at::Tensor& result, const at::Tensor& expected) {
    return ((result - expected).norm() / expected.norm()).item<double>();
  }

  StepRequest greedy(const TokenIds& ids, std::int64_t first, std::int64_t count, int max_tokens) {
    StepRequest request;
    request.tokens = std::span(ids).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    request.position = first;
    request.max_tokens = max_tokens;
    return request;
  }

  static constexpr std::int64_t kCapacity = 33280;
  c10::InferenceMode no_gradients_;
  std::unique_ptr<Collectives> collectives_;
  std::unique_ptr<Transformer> transformer_;
};

TEST_P(DecodeStepTest, LogitsOfEveryRowCountAgreeWithTheOperators) {
  for (const AllReduce all_reduce : {AllReduce::automatic, AllReduce::nccl}) {
    const auto step = make_step(all_reduce);
    const TokenIds ids = random_tokens(33000, 1);
    std::int64_t cached = 0;
    for (const std::int64_t length : {0, 1, 15, 16, 17, 127, 128, 1000, 2049, 32760}) {
      for (std::int64_t at = cached; at < length; at += 1024)
        by_operators(ids, at, std::min<std::int64_t>(1024, length - at));
      cached = length;
      for (const int rows : {1, 2, 3, 4, 7, 8, 9, 16}) {
        step->begin(greedy(ids, length, rows, 1));
        step->enqueue();
        const StepToken token = step->result(0);
        const at::Tensor logits = step->logits(rows).clone();
        const at::Tensor expected = by_operators(ids, length, rows);
        EXPECT_LT(relative_error(logits.narrow(1, 0, expected.size(1)), expected), 0.02)
            << rows << " rows after " << length << (step->fused() ? ", fused" : ", NCCL");
        std::vector<Candidate> candidates =
            gather_candidates(logits[rows - 1].narrow(0, 0, expected.size(1)), transformer_->plan(),
                              GetParam().vocab - 3, {}, *collectives_);
        EXPECT_EQ(token.id, sample(candidates, {}, 0));
        EXPECT_EQ(token.stop, StepStop::length);
      }
    }
  }
}

TEST_P(DecodeStepTest, SamplesAsTheHostDoes) {
  const auto step = make_step();
  const TokenIds ids = random_tokens(64, 2);
  prefill(ids, 40);
  for (const SamplingParams sampling : {SamplingParams{0.6f, 0.95f, 20}, SamplingParams{1.0f, 1.0f, 64},
                                        SamplingParams{0.8f, 0.3f, 1}, SamplingParams{3.0f, 0.9f, 50}}) {
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      StepRequest request = greedy(ids, 40, 5, 1);
      request.sampling = {sampling.temperature, sampling.top_p, sampling.top_k, seed, 3, 4, 2};
      step->begin(request);
      step->enqueue();
      const StepToken token = step->result(0);
      std::vector<Candidate> candidates = gather_candidates(
          step->logits(5)[4].narrow(
              0, 0,
              transformer_
                  ->local_logits(at::zeros({1, GetParam().hidden}, step->logits(1).options().dtype(
                                                                       transformer_->shard().compute_type())))
                  .size(1)),
          transformer_->plan(), GetParam().vocab - 3, sampling, *collectives_);
      const double draw = uniform({seed, 3, 4}, 45, Purpose::answer);
      EXPECT_EQ(token.id, sample(candidates, sampling, draw)) << "seed " << seed;
    }
  }
}

TEST_P(DecodeStepTest, StepsAheadGiveTheTokensOfSingleSteps) {
  const auto step = make_step();
  TokenIds ids = random_tokens(20, 3);
  prefill(ids, 19);
  constexpr int kTokens = 500;
  step->begin(greedy(ids, 19, 1, kTokens));
  step->enqueue();
  TokenIds ahead;
  for (int i = 0; i < kTokens; ++i) {
    if (i + 1 < kTokens) step->enqueue();
    ahead.push_back(step->result(i).id);
  }
  TokenIds single;
  for (int i = 0; i < kTokens; ++i) {
    step->begin(greedy(ids, static_cast<std::int64_t>(ids.size()) - 1, 1, 1));
    step->enqueue();
    single.push_back(step->result(0).id);
    ids.push_back(single.back());
  }
  EXPECT_EQ(ahead, single);
  std::uint64_t hash = 1;
  for (const TokenId id : ahead) hash = hash * 1099511628211ull + static_cast<std::uint64_t>(id);
  for (const std::int64_t other : world().all_gather(static_cast<std::int64_t>(hash))) {
    EXPECT_EQ(other, static_cast<std::int64_t>(hash));
  }
}

TEST_P(DecodeStepTest, StopsAtEosTriggerAndLengthAndStaysStopped) {
  const auto step = make_step();
  const TokenIds ids = random_tokens(20, 4);
  prefill(ids, 19);
  step->begin(greedy(ids, 19, 1, 6));
  TokenIds tokens;
  for (int i = 0; i < 6; ++i) {
    step->enqueue();
    tokens.push_back(step->result(i).id);
  }
  // EOS: the first token that is new at its place.
  int place = 3;
  while (place > 0 && std::find(tokens.begin(), tokens.begin() + place, tokens[static_cast<std::size_t>(place)]) !=
                          tokens.begin() + place)
    --place;
  const TokenId eos[] = {tokens[static_cast<std::size_t>(place)]};
  StepRequest request = greedy(ids, 19, 1, 6);
  request.eos_ids = eos;
  step->begin(request);
  for (int i = 0; i <= place; ++i) {
    step->enqueue();
    EXPECT_EQ(step->result(i).stop, i == place ? StepStop::eos : StepStop::running);
  }
  step->enqueue();  // beyond the end: completes the cache, emits nothing

  // A trigger table with two states: the token at `place` matches in state 1 only, any token leads there.
  const auto vocab = static_cast<std::size_t>(GetParam().vocab);
  std::vector<std::uint16_t> entries(2 * vocab, 1);
  entries[vocab + static_cast<std::size_t>(eos[0])] = 0x8000;
  step->set_stop_table(entries, GetParam().vocab);
  for (const std::uint32_t start : {0u, 1u}) {
    StepRequest with_triggers = greedy(ids, 19, 1, 6);
    with_triggers.stop_at_trigger = true;
    with_triggers.stop_state = start;
    step->begin(with_triggers);
    int stopped_at = -1;
    for (int i = 0; i < 6 && stopped_at < 0; ++i) {
      step->enqueue();
      const StepToken token = step->result(i);
      EXPECT_EQ(token.id, tokens[static_cast<std::size_t>(i)]);
      if (token.stop == StepStop::trigger) stopped_at = i;
    }
    if (place > 0 || start == 1) {
      EXPECT_EQ(stopped_at, place);
    }
  }
}

TEST_P(DecodeStepTest, FirstTokenFromAHiddenStateEqualsThatOfAStep) {
  const auto step = make_step();
  const TokenIds ids = random_tokens(300, 5);
  const SlotRows rows{0, 0, ids};
  const at::Tensor hidden = transformer_->forward(std::span(&rows, 1));
  step->begin(greedy(ids, 299, 1, 3));
  step->enqueue_from_hidden(hidden.narrow(0, 299, 1));
  const StepToken first = step->result(0);
  const at::Tensor expected = transformer_->local_logits(hidden.narrow(0, 299, 1));
  EXPECT_LT(relative_error(step->logits(1).narrow(1, 0, expected.size(1)), expected), 0.01);
  step->enqueue();
  step->result(1);
  EXPECT_EQ(first.stop, StepStop::running);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, DecodeStepTest,
    testing::Values(Shape{"grouped_128", 512, 1040, 16, 4, 128, 3001, 3, true, false, DType::bfloat16},
                    Shape{"grouped_64_biased", 1000, 720, 8, 4, 64, 2050, 2, false, true, DType::bfloat16},
                    Shape{"half", 256, 512, 12, 4, 128, 999, 2, true, false, DType::float16},
                    Shape{"one_kv_head_each", 1024, 3072, 16, 8, 128, 5003, 2, true, false, DType::bfloat16},
                    Shape{"wide_groups", 2048, 2048, 40, 4, 128, 10007, 1, true, true, DType::bfloat16}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace specthink
