// What the device says of each token, against the host: log-probability, entropies, and ends that follow from them.
#include <gtest/gtest.h>

#include "engine/decode_sampling_fixture.h"

namespace specthink {
namespace {

using namespace testing_support;

class decode_statistics_test : public SamplingTest {
 protected:
  static void expect_near(const TokenStatistics& found, const TokenStatistics& expected, const std::string& what) {
    EXPECT_NEAR(found.logprob, expected.logprob, 2e-4 * (1 + std::abs(expected.logprob))) << what;
    EXPECT_NEAR(found.entropy, expected.entropy, 2e-4 * (1 + expected.entropy)) << what;
    EXPECT_NEAR(found.processed_entropy, expected.processed_entropy, 1e-4) << what;
  }

  static SlotState measured(const SamplingParams& params) {
    SlotState state = request(params);
    state.measures = 1;
    state.max_entropy = kInfinity;
    return state;
  }
};

TEST_P(decode_statistics_test, are_those_of_the_host) {
  std::uint32_t seed = 40;
  for (const std::int64_t count : {1, 5, 64, 2049, 9000, 151936}) {
    for (const char* kind : {"normal", "ties", "mostly -inf", "all equal"}) {
      const std::vector<float> logits = random_logits(kind, count, ++seed);
      const HostSampler host(logits);
      for (const SamplingParams& params :
           {SamplingParams{0, 1, 1}, SamplingParams{0.6f, 0.95f, 20}, SamplingParams{1.3f, 1, 64}}) {
        const SlotState state = measured(params);
        const Step running = start(state, logits, {count});
        for (int i = 0; i < 3; ++i) run(running);
        for (std::uint32_t i = 0; i < 3; ++i) {
          const StepResult found = result(0, state.serial + i);
          ASSERT_EQ(found.token, host.token(params, static_cast<std::uint32_t>(state.position) + 1 + i));
          ASSERT_EQ(found.end, kNoEnd);
          expect_near(statistics(0, state.serial + i), host.statistics(found.token, params),
                      std::to_string(count) + " logits, " + kind);
        }
        EXPECT_TRUE(running.ready_for_the_next());
      }
    }
  }
}

TEST_P(decode_statistics_test, are_the_same_from_shards) {
  const std::vector<float> logits = random_logits("normal", 9000, 3);
  const HostSampler host(logits);
  const SamplingParams params{0.6f, 0.95f, 20};
  for (const std::vector<std::int64_t>& columns :
       {std::vector<std::int64_t>{4500, 4500}, {8999, 1}, {9000, 0}, {3000, 3000, 3000}}) {
    const SlotState state = measured(params);
    const Step running = start(state, logits, columns);
    for (int i = 0; i < 2; ++i) run(running);
    for (std::uint32_t i = 0; i < 2; ++i) {
      const StepResult found = result(0, state.serial + i);
      expect_near(statistics(0, state.serial + i), host.statistics(found.token, params),
                  std::to_string(columns.size()) + " shards");
    }
    EXPECT_TRUE(running.ready_for_the_next());
  }
}

TEST_P(decode_statistics_test, leave_out_ids_that_are_never_sampled) {
  std::vector<float> logits = random_logits("normal", 5000, 8);
  const std::vector<float> valid(logits.begin(), logits.begin() + 4000);
  logits[4500] = 100;
  const SamplingParams params{0.8f, 1, 20};
  SlotState state = measured(params);
  state.vocab_limit = 4000;
  const Step running = start(state, logits, {5000});
  run(running);
  const StepResult found = result(0, state.serial);
  expect_near(statistics(0, state.serial), HostSampler(valid).statistics(found.token, params), "a limit");
}

TEST_P(decode_statistics_test, come_with_each_row_of_proposals) {
  const SamplingParams params{0, 1, 1};
  std::vector<std::vector<float>> rows;
  for (std::uint32_t row = 0; row < 4; ++row) rows.push_back(random_logits("normal", 3000, 60 + row));
  SlotState state = measured(params);
  StepLayout layout = layout_of({{.slot = 0, .position = state.position, .rows = 4, .proposals = 3}});
  std::vector<TokenId> greedy;
  for (std::size_t row = 0; row < 4; ++row) {
    greedy.push_back(HostSampler(rows[row]).token(params, 0));
    if (row < 3) layout.rows[row + 1].token = greedy[row];
  }
  const Step running = start({state}, layout, rows, {3000});
  run(running);
  for (std::uint32_t i = 0; i < 4; ++i) {
    ASSERT_EQ(result(0, state.serial + i).token, greedy[i]);
    expect_near(statistics(0, state.serial + i), HostSampler(rows[i]).statistics(greedy[i], params),
                "row " + std::to_string(i));
  }
  EXPECT_TRUE(running.ready_for_the_next());
}

TEST_P(decode_statistics_test, an_entropy_above_the_limit_ends_the_request_before_anything_else) {
  const std::vector<float> logits = random_logits("normal", 3000, 5);
  const HostSampler host(logits);
  SlotState state = measured({});
  const TokenId greedy = host.token({}, 0);
  const float entropy = host.statistics(greedy, {}).entropy;
  state.num_eos = 1;
  state.eos[0] = greedy;
  state.max_entropy = entropy + 0.01f;
  EXPECT_EQ(end_of(state, logits).result.end, end_code(EndReason::eos));
  state.max_entropy = entropy - 0.01f;
  const Ended ended = end_of(state, logits);
  EXPECT_EQ(ended.result.end, end_code(EndReason::uncertain));
  EXPECT_EQ(ended.result.token, greedy);
  EXPECT_EQ(ended.state.stopped, 1u);
  state.measures = 0;
  EXPECT_EQ(end_of(state, logits).result.end, end_code(EndReason::eos)) << "what is not measured has no limit";
}

TEST_P(decode_statistics_test, a_stop_token_ends_the_request_wherever_it_stands) {
  std::vector<float> logits(300, 0.0f);
  logits[123] = 5;
  SlotState state = request({});
  state.min_left = 5;
  EXPECT_EQ(end_of(state, logits).result.end, kNoEnd);
  state.stop_token_plus_1 = 124;
  EXPECT_EQ(end_of(state, logits).result.end, end_code(EndReason::stop_token));
  state.left = 1;
  EXPECT_EQ(end_of(state, logits).result.end, end_code(EndReason::stop_token));
  state.num_eos = 1;
  state.eos[0] = 123;
  EXPECT_EQ(end_of(state, logits).result.end, end_code(EndReason::eos));
}

INSTANTIATE_TEST_SUITE_P(types, decode_statistics_test, testing::Values(at::kFloat));

}  // namespace
}  // namespace specthink
