// The decode kernels against the LibTorch path: logits of every row count, at lengths around the tiles and pages.
#include <gtest/gtest.h>

#include "engine/decode_step_fixture.h"
#include "specthink/kernels/sampling_rule.h"

namespace specthink {
namespace {

using namespace testing_support;

class DecodeStepTest : public StepTest {
 protected:
  DecodeStepTest() : StepTest(1, 33280) {}
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
        begin(*step, greedy(length, 1), part(ids, length, rows));
        step->enqueue();
        const StepToken token = step->result(0, 0);
        const at::Tensor logits = step->logits(rows).clone();
        const at::Tensor expected = by_operators(ids, length, rows);
        EXPECT_LT(relative_error(logits.narrow(1, 0, expected.size(1)), expected), 0.02)
            << rows << " rows after " << length << (step->fused() ? ", fused" : ", NCCL");
        EXPECT_EQ(token.id, host_token(logits[rows - 1].narrow(0, 0, expected.size(1)), {}, {}));
        EXPECT_EQ(token.end, EndReason::length);
      }
    }
  }
}

TEST_P(DecodeStepTest, SamplesAsTheHostDoes) {
  const auto step = make_step();
  const TokenIds ids = random_tokens(64, 2);
  prefill(ids, 40);
  const std::int64_t sampled_columns = by_operators(ids, 40, 1).size(1);
  for (const SamplingParams sampling : {SamplingParams{0.6f, 0.95f, 20}, SamplingParams{1.0f, 1.0f, 64},
                                        SamplingParams{0.8f, 0.3f, 1}, SamplingParams{3.0f, 0.9f, 50}}) {
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      StepRequest request = greedy(40, 1);
      request.sampling = {sampling, {seed, 3, 4}, Purpose::answer, vocab_limit()};
      begin(*step, request, part(ids, 40, 5));
      step->enqueue();
      const StepToken token = step->result(0, 0);
      const at::Tensor row = step->logits(5)[4].narrow(0, 0, sampled_columns);
      EXPECT_EQ(token.id, host_token(row, sampling, {{seed, 3, 4}, Purpose::answer, 45})) << "seed " << seed;
    }
  }
}

TEST_P(DecodeStepTest, StepsAheadGiveTheTokensOfSingleSteps) {
  const auto step = make_step();
  TokenIds ids = random_tokens(20, 3);
  prefill(ids, 19);
  constexpr int kTokens = 500;
  begin(*step, greedy(19, kTokens), part(ids, 19, 1));
  step->enqueue();
  go_on(*step);
  TokenIds ahead;
  for (int i = 0; i < kTokens; ++i) {
    if (i + 1 < kTokens) step->enqueue();
    ahead.push_back(step->result(0, i).id);
  }
  TokenIds single;
  for (int i = 0; i < kTokens; ++i) {
    begin(*step, greedy(static_cast<std::int64_t>(ids.size()) - 1, 1), std::span(ids).last(1));
    step->enqueue();
    single.push_back(step->result(0, 0).id);
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
  const auto start = [&](const StepRequest& request) { begin(*step, request, part(ids, 19, 1)); };
  const auto next = [&](int i) {
    if (i == 1) go_on(*step);
    step->enqueue();
    return step->result(0, i);
  };
  start(greedy(19, 6));
  TokenIds tokens;
  for (int i = 0; i < 6; ++i) tokens.push_back(next(i).id);
  // EOS: the first token that is new at its place.
  int place = 3;
  while (place > 0 && std::find(tokens.begin(), tokens.begin() + place, tokens[static_cast<std::size_t>(place)]) !=
                          tokens.begin() + place)
    --place;
  const TokenId eos[] = {tokens[static_cast<std::size_t>(place)]};
  StepRequest request = greedy(19, 6);
  request.eos_ids = eos;
  start(request);
  for (int i = 0; i <= place; ++i) {
    EXPECT_EQ(next(i).end, i == place ? std::optional(EndReason::eos) : std::nullopt);
  }
  go_on(*step);
  step->enqueue();  // beyond the end: completes the cache, emits nothing

  // A trigger table with two states: the token at `place` matches in state 1 only, any token leads there.
  const auto vocab = static_cast<std::size_t>(GetParam().vocab);
  std::vector<std::uint16_t> entries(2 * vocab, 1);
  entries[vocab + static_cast<std::size_t>(eos[0])] = kStopMatched;
  step->set_stop_table(1, entries, GetParam().vocab);
  for (const std::uint32_t state : {0u, 1u}) {
    StepRequest with_triggers = greedy(19, 6);
    with_triggers.stop_table = 1;
    with_triggers.stop_state = state;
    start(with_triggers);
    int stopped_at = -1;
    for (int i = 0; i < 6 && stopped_at < 0; ++i) {
      const StepToken token = next(i);
      EXPECT_EQ(token.id, tokens[static_cast<std::size_t>(i)]);
      if (token.end == EndReason::trigger) stopped_at = i;
    }
    if (place > 0 || state == 1) {
      EXPECT_EQ(stopped_at, place);
    }
  }
}

TEST_P(DecodeStepTest, FirstTokenFromAHiddenStateEqualsThatOfAStep) {
  const auto step = make_step();
  const TokenIds ids = random_tokens(300, 5);
  const SlotRows rows{0, 0, ids};
  const at::Tensor hidden = transformer_->forward(std::span(&rows, 1));
  step->begin(0, greedy(299, 3));
  go_on(*step);
  step->enqueue_from_hidden(0, hidden.narrow(0, 299, 1));
  const StepToken first = step->result(0, 0);
  const at::Tensor expected = transformer_->local_logits(hidden.narrow(0, 299, 1));
  EXPECT_LT(relative_error(step->logits(1).narrow(1, 0, expected.size(1)), expected), 0.01);
  EXPECT_EQ(first.id, host_token(step->logits(1)[0].narrow(0, 0, expected.size(1)), {}, {}));
  EXPECT_FALSE(first.end.has_value());
  step->enqueue();
  const StepToken second = step->result(0, 1);
  TokenIds longer = ids;
  longer.push_back(first.id);
  const at::Tensor logits = step->logits(1).clone();
  EXPECT_LT(relative_error(logits.narrow(1, 0, expected.size(1)), by_operators(longer, 300, 1)), 0.02);
  EXPECT_EQ(second.id, host_token(logits[0].narrow(0, 0, expected.size(1)), {}, {}));
}

INSTANTIATE_TEST_SUITE_P(Shapes, DecodeStepTest, kShapes,
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace specthink
