// Sampling on the device against sample() on the host.
#include <gtest/gtest.h>

#include "engine/decode_sampling_fixture.h"
#include "specthink/base/error.h"
#include "specthink/kernels/sampling_rule.h"

namespace specthink {
namespace {

using namespace testing_support;

class decode_sampling_test : public SamplingTest {};

TEST_P(decode_sampling_test, chooses_the_tokens_of_the_host) {
  constexpr int kSteps = 6;
  std::uint32_t seed = 0;
  for (const std::int64_t count : {1, 5, 64, 2048, 2049, 9000, 151936}) {
    for (const char* kind : {"normal", "ties", "mostly -inf", "all equal"}) {
      const std::vector<float> logits = random_logits(kind, count, ++seed);
      const HostSampler host(logits);
      for (const SamplingParams& params :
           {SamplingParams{0, 1, 1}, SamplingParams{0.6f, 0.95f, 20}, SamplingParams{1.3f, 1, 64},
            SamplingParams{1, 0.5f, 4}, SamplingParams{1, 1e-4f, 20}, SamplingParams{0.7f, 0.9f, 1},
            SamplingParams{5, 0.999f, 64}}) {
        const SlotState state = request(params);
        const Step running = start(state, logits, {count});
        for (int i = 0; i < kSteps; ++i) run(running);
        for (std::uint32_t i = 0; i < kSteps; ++i) {
          const StepResult found = result(0, state.serial + i);
          ASSERT_EQ(found.serial, state.serial + i);
          ASSERT_EQ(found.end, kNoEnd);
          ASSERT_FALSE(found.more);
          ASSERT_EQ(found.token, host.token(params, static_cast<std::uint32_t>(state.position) + 1 + i))
              << count << " logits, " << kind << ", temperature " << params.temperature << ", top_p " << params.top_p
              << ", top_k " << params.top_k << ", step " << i;
        }
        EXPECT_TRUE(running.ready_for_the_next());
      }
    }
  }
}

TEST_P(decode_sampling_test, chooses_the_same_from_shards) {
  const std::vector<std::vector<std::int64_t> > splits{{4500, 4500}, {3000, 3000, 3000},       {8999, 1},
                                                       {9000, 0},    {2048, 2048, 2048, 2856}, {3, 8997}};
  for (const char* kind : {"normal", "ties", "all equal"}) {
    const std::vector<float> logits = random_logits(kind, 9000, 99);
    const HostSampler host(logits);
    for (const auto& columns : splits) {
      for (const SamplingParams& params :
           {SamplingParams{0, 1, 1}, SamplingParams{0.6f, 0.95f, 20}, SamplingParams{1.3f, 1, 64}}) {
        const SlotState state = request(params);
        const Step running = start(state, logits, columns);
        for (int i = 0; i < 4; ++i) run(running);
        for (std::uint32_t i = 0; i < 4; ++i) {
          ASSERT_EQ(result(0, state.serial + i).token,
                    host.token(params, static_cast<std::uint32_t>(state.position) + 1 + i))
              << kind << ", " << columns.size() << " shards of " << columns[0] << " …, top_k " << params.top_k;
        }
        EXPECT_TRUE(running.ready_for_the_next());
      }
    }
  }
}

TEST_P(decode_sampling_test, the_last_row_counts_and_the_request_moves_on) {
  const std::vector<float> logits = random_logits("normal", 3000, 5);
  std::vector<float> others(3000, 0.0f);
  others[17] = 1000;
  const SamplingParams params{0.8f, 0.9f, 20};
  SlotState state = request(params);
  state.left = 2;
  state.stop_state = 6;
  state.serial = kSerialMask;  // the counter goes round
  const StepLayout layout = layout_of({{.slot = 0, .position = state.position, .rows = 3}});
  Step step = start({state}, layout, {others, others, logits, others}, {3000});  // the last one is padding
  const at::Tensor buffer = at::randn({2, 128}, floats());
  step.shards[0].reset = buffer.mutable_data_ptr<float>();
  step.shards[0].reset_rank_stride = 128;
  step.shards[0].reset_float4s = 16;
  step.shards[0].reset_ranks = 2;
  run(step);
  const StepResult first = result(0, kSerialMask);
  EXPECT_EQ(first.serial, kSerialMask);
  EXPECT_EQ(first.end, kNoEnd);
  EXPECT_EQ(first.token, HostSampler(logits).token(params, 43));  // the draw of the position that the token gets
  SlotState after = step.slot(0);
  EXPECT_EQ(after.token, first.token);
  EXPECT_EQ(after.position, 43);
  EXPECT_EQ(after.left, 1);
  EXPECT_EQ(after.serial, 0u);
  EXPECT_EQ(after.stop_state, 6u);
  EXPECT_EQ(after.stopped, 0u);
  EXPECT_EQ(step.moved_on().entries[0].position, 43);
  EXPECT_EQ(step.moved_on().rows[0].token, first.token);
  EXPECT_TRUE(is_not_yet(buffer.narrow(1, 0, 64)));
  EXPECT_FALSE((buffer.narrow(1, 64, 64).contiguous().view(at::kInt) == -1).any().item<bool>());

  // The last one that may be written; after it nothing is.
  after.serial = 0;
  step = start(after, logits, {3000});
  run(step);
  EXPECT_EQ(result(0, 0).end, end_code(EndReason::length));
  after = step.slot(0);
  EXPECT_EQ(after.stopped, 1u);
  EXPECT_EQ(after.left, 0);
  run(step);
  EXPECT_FALSE(emitted(0, 1));
  const SlotState unchanged = step.slot(0);
  EXPECT_EQ(std::memcmp(&unchanged, &after, sizeof(after)), 0);
  EXPECT_TRUE(step.ready_for_the_next());
}

TEST_P(decode_sampling_test, ends_at_eos_triggers_and_the_last_token) {
  constexpr std::int64_t kVocab = 300;
  std::vector<float> logits(kVocab, 0.0f);
  logits[123] = 5;  // the greedy choice
  // Two states of a matcher; ids from 200 on have no entry.
  constexpr std::int64_t kStopVocab = 200;
  std::vector<std::uint16_t> entries(2 * kStopVocab, 0);
  entries[123] = 1;                          // state 0: on the way
  entries[kStopVocab + 123] = kStopMatched;  // state 1: matched
  const at::Tensor table = at::from_blob(entries.data(), {2 * kStopVocab}, at::kShort).to(device());
  SlotState state = request({});
  EXPECT_EQ(end_of(state, logits).result.end, kNoEnd);  // not asked to look for triggers
  state.stop_entries = static_cast<const std::uint16_t*>(table.const_data_ptr());
  state.stop_vocab = kStopVocab;
  Ended ended = end_of(state, logits);
  EXPECT_EQ(ended.result.end, kNoEnd);
  EXPECT_EQ(ended.state.stop_state, 1u);
  state.stop_state = 1;
  ended = end_of(state, logits);
  EXPECT_EQ(ended.result.end, end_code(EndReason::trigger));
  EXPECT_EQ(ended.state.stop_state, 0u);
  EXPECT_EQ(ended.state.stopped, 1u);

  state.min_left = 2;  // too early: the matcher goes on
  ended = end_of(state, logits);
  EXPECT_EQ(ended.result.end, kNoEnd);
  EXPECT_EQ(ended.state.stop_state, 0u);
  EXPECT_EQ(ended.state.min_left, 1);
  state.min_left = 1;  // the least number of tokens is reached with this one
  ended = end_of(state, logits);
  EXPECT_EQ(ended.result.end, end_code(EndReason::trigger));
  EXPECT_EQ(ended.state.min_left, 0);

  state.left = 1;  // a trigger in the last token is a trigger
  EXPECT_EQ(end_of(state, logits).result.end, end_code(EndReason::trigger));
  state.stop_state = 0;
  EXPECT_EQ(end_of(state, logits).result.end, end_code(EndReason::length));

  state.stop_state = 1;
  state.num_eos = 2;
  state.eos[0] = 7;
  state.eos[1] = 123;
  ended = end_of(state, logits);
  EXPECT_EQ(ended.result.end, end_code(EndReason::eos));  // before anything else
  EXPECT_EQ(ended.result.token, 123);
  EXPECT_EQ(ended.state.stop_state, 1u);

  logits[250] = 9;  // a token without an entry leaves the matcher's state as it is
  state.left = 10;
  ended = end_of(state, logits);
  EXPECT_EQ(ended.result.token, 250);
  EXPECT_EQ(ended.result.end, kNoEnd);
  EXPECT_EQ(ended.state.stop_state, 1u);
}

TEST_P(decode_sampling_test, logits_that_are_not_numbers_end_the_request) {
  for (const std::size_t place : {std::size_t{0}, std::size_t{2047}, std::size_t{2999}}) {
    for (const SamplingParams& params : {SamplingParams{0, 1, 1}, SamplingParams{0.6f, 0.95f, 20}}) {
      for (const float bad : {kNan, -kNan}) {
        std::vector<float> logits = random_logits("normal", 3000, 11);
        logits[place] = bad;
        EXPECT_THROW(HostSampler(logits).token(params, 41), UserError);
        const Ended ended = end_of(request(params), logits);
        EXPECT_EQ(ended.result.end, kBadLogits) << place;
        EXPECT_EQ(ended.state.stopped, 1u);
      }
    }
  }
  // -inf everywhere is a number: the first id.
  const std::vector<float> nothing(3000, -kInfinity);
  const Ended ended = end_of(request({}), nothing);
  EXPECT_EQ(ended.result.end, kNoEnd);
  EXPECT_EQ(ended.result.token, HostSampler(nothing).token({}, 41));
}

// Logits are float32 whatever the type of the model.
INSTANTIATE_TEST_SUITE_P(types, decode_sampling_test, testing::Values(at::kFloat));

}  // namespace
}  // namespace specthink
