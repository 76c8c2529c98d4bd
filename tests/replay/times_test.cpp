#include "specthink/replay/times.h"

#include "fixtures.h"
#include "specthink/replay/workload.h"

namespace specthink {
namespace {

constexpr StepBytes kBytes{1000, 2};
constexpr double kRate = 4;

TEST(replay_times, buckets_hold_contexts_up_to_their_limit) {
  EXPECT_EQ(context_bucket(1), 0u);
  EXPECT_EQ(context_bucket(1024), 0u);
  EXPECT_EQ(context_bucket(1025), 1u);
  EXPECT_EQ(context_bucket(32768), 5u);
  EXPECT_EQ(context_bucket(32769), 6u);
}

TEST(replay_times, time_is_divided_among_its_causes) {
  ReplayTimes times;
  times.seconds = 10;
  times.tokens = 40;
  times.add({.role = Role::draft,
             .prefix = 10,
             .tokens = 4,
             .seconds = 5,
             .prefilled = 10,
             .prefill_seconds = 1,
             .decode_steps = 3,
             .decode_seconds = 3.5,
             .token_seconds = {}},
            nullptr, kBytes, kRate);
  const Role previous = Role::draft;
  times.add({.role = Role::target,
             .prefix = 14,
             .tokens = 2,
             .seconds = 4,
             .prefilled = 14,
             .prefill_seconds = 2,
             .decode_steps = 1,
             .decode_seconds = 1.75,
             .token_seconds = {}},
            &previous, kBytes, kRate);
  EXPECT_DOUBLE_EQ(times.of(Role::draft).decode().seconds, 3.5);
  EXPECT_DOUBLE_EQ(times.of(Role::target).decode().seconds, 1.75);
  EXPECT_DOUBLE_EQ(times.of(Role::draft).prefill_seconds, 1);
  EXPECT_EQ(times.of(Role::target).prefilled, 14);
  EXPECT_DOUBLE_EQ(times.hand_over_seconds(), 0.75);
  EXPECT_EQ(times.switches, 1);
  EXPECT_DOUBLE_EQ(times.switch_hand_over_seconds, 0.25);
  EXPECT_DOUBLE_EQ(times.host_seconds(), 1);
  EXPECT_DOUBLE_EQ(times.tokens_per_second(), 4);

  const ReplayTimes once = times;
  times += once;
  EXPECT_EQ(times.requests, 4);
  EXPECT_DOUBLE_EQ(times.hand_over_seconds(), 1.5);
  EXPECT_DOUBLE_EQ(times.of(Role::draft).by_context[0].steps, 6);
}

// Steps at contexts 11, 12 and 13 read 3·1000 + 2·36 bytes.
TEST(replay_times, the_share_of_the_limit_counts_weights_and_cache) {
  ReplayTimes times;
  times.add({.role = Role::draft,
             .prefix = 10,
             .tokens = 4,
             .seconds = 5,
             .prefilled = 10,
             .prefill_seconds = 1,
             .decode_steps = 3,
             .decode_seconds = 2,
             .token_seconds = {}},
            nullptr, kBytes, kRate);
  const DecodeTimes decode = times.of(Role::draft).decode();
  EXPECT_DOUBLE_EQ(decode.limit_seconds, 3072 / kRate);
  EXPECT_DOUBLE_EQ(decode.share_of_limit(), 3072 / kRate / 2);
  EXPECT_NEAR(decode.milliseconds_per_step(), 2000.0 / 3, 1e-9);
  EXPECT_EQ(DecodeTimes{}.share_of_limit(), 0);
  EXPECT_EQ(DecodeTimes{}.milliseconds_per_step(), 0);
}

// Ten tokens from context 1020 on; those beyond 1024 take twice as long.
TEST(replay_times, a_request_across_a_limit_is_divided_by_when_its_tokens_came) {
  RequestTiming request{.role = Role::target,
                        .prefix = 1020,
                        .tokens = 10,
                        .seconds = 20,
                        .prefilled = 20,
                        .prefill_seconds = 5,
                        .decode_steps = 9,
                        .decode_seconds = 14,
                        .token_seconds = {}};
  double now = 5;
  for (int i = 0; i < 10; ++i) {
    now += i == 0 ? 0 : 1020 + i <= 1024 ? 1 : 2;
    request.token_seconds.push_back(now);
  }
  ReplayTimes times;
  times.add(request, nullptr, kBytes, kRate);
  const auto& buckets = times.of(Role::target).by_context;
  EXPECT_DOUBLE_EQ(buckets[0].steps, 4);
  EXPECT_DOUBLE_EQ(buckets[1].steps, 5);
  EXPECT_DOUBLE_EQ(buckets[0].seconds, 4);
  EXPECT_DOUBLE_EQ(buckets[1].seconds, 10);
  EXPECT_DOUBLE_EQ(buckets[0].limit_seconds, 4 * (1000 + 2 * 1022.5) / kRate);
}

TEST(replay_times, a_request_for_one_token) {
  ReplayTimes times;
  times.add({.role = Role::target,
             .prefix = 3000,
             .tokens = 1,
             .seconds = 1,
             .prefilled = 0,
             .prefill_seconds = 0,
             .decode_steps = 1,
             .decode_seconds = 0.5,
             .token_seconds = {}},
            nullptr, kBytes, kRate);
  EXPECT_DOUBLE_EQ(times.of(Role::target).by_context[2].steps, 1);
  EXPECT_DOUBLE_EQ(times.of(Role::target).by_context[2].limit_seconds, 7000 / kRate);
}

ReplayRecord made_up_record() {
  ReplayRecord record;
  record.loop = ReplayLoop::fixed;
  record.speculates = true;
  record.workload = 7;
  record.problem = 2;
  record.run = 1;
  record.prompt_tokens = 99;
  record.times.tokens = 30;
  record.times.seconds = 1.25;
  record.times.ngram_proposed = 9;
  record.times.ngram_accepted = 4;
  record.times.draft_proposed = 7;
  record.times.draft_accepted = 6;
  record.times.proposal_steps = 8;
  record.times.add({.role = Role::draft,
                    .prefix = 1500,
                    .tokens = 4,
                    .seconds = 0.5,
                    .prefilled = 10,
                    .prefill_seconds = 0.125,
                    .decode_steps = 3,
                    .decode_seconds = 0.25,
                    .token_seconds = {}},
                   nullptr, kBytes, kRate);
  return record;
}

TEST(replay_times, a_record_is_read_back_as_it_was_written) {
  const OrderedJson written = to_json(made_up_record());
  const ReplayRecord read = parse_replay_record(parse_json(to_line(written), "log:2"), "log:2");
  EXPECT_EQ(to_json(read), written);
  EXPECT_EQ(read.loop, ReplayLoop::fixed);
  EXPECT_TRUE(read.speculates);
  EXPECT_EQ(read.times.draft_accepted, 6);
  EXPECT_EQ(read.times.of(Role::draft).by_context[1].steps, 3);
}

TEST(replay_times, every_key_of_a_record_is_needed) {
  const Json good = parse_json(to_line(to_json(made_up_record())), "");
  for (const auto& [key, value] : good.items()) {
    Json bad = good;
    bad.erase(key);
    const std::string error = message_of<UserError>([&] { parse_replay_record(bad, "log:5"); });
    expect_contains(error, "log:5: ");
    expect_contains(error, "'" + key + "'");
    bad[key] = Json::array({Json()});
    message_of<UserError>([&] { parse_replay_record(bad, "log:5"); });
  }
  Json bad = good;
  bad["policy"] = "other";
  expect_contains(message_of<UserError>([&] { parse_replay_record(bad, "log:5"); }), "'policy'");
  bad = good;
  bad["tokens"] = -1;
  message_of<UserError>([&] { parse_replay_record(bad, "log:5"); });
  message_of<UserError>([&] { parse_replay_record(Json::array(), "log:5"); });
}

}  // namespace
}  // namespace specthink
