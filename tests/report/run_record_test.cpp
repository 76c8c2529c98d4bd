#include "specthink/report/run_record.h"

#include <gtest/gtest.h>

#include <vector>

#include "fixtures.h"
#include "report/made_up_runs.h"
#include "specthink/report/trace.h"

namespace specthink {
namespace {

RunRecord made_up_record(RunMode mode) {
  const RunKey key{mode, 1, 0};
  RunRecord record = make_record(key, made_up_outcome(made_up_problems()[1], key));
  record.answer = "12";
  record.correct = true;
  return record;
}

TEST(run_record, figures_of_a_run) {
  const RunRecord spec = made_up_record(RunMode::spec);
  EXPECT_EQ(spec.num_tokens, 50);
  EXPECT_DOUBLE_EQ(spec.throughput, 50 / spec.latency);
  EXPECT_EQ(spec.large_model_tokens, 13);
  EXPECT_DOUBLE_EQ(spec.large_model_ratio, 13 / 50.0);
  EXPECT_EQ(spec.takeovers, 2);
  EXPECT_DOUBLE_EQ(made_up_record(RunMode::large).large_model_ratio, 1);
}

TEST(run_record, a_run_without_tokens_or_duration) {
  RunOutcome outcome;
  outcome.result.finish_reason = FinishReason::time_out;
  RunRecord record = make_record({RunMode::spec, 0, 0}, outcome);
  record.correct = false;
  EXPECT_EQ(record.throughput, 0);
  EXPECT_EQ(record.large_model_ratio, 0);
  EXPECT_TRUE(result_json(record).at("answer").is_null());
  EXPECT_TRUE(record.is_finished());
}

TEST(run_record, survives_the_log) {
  for (const RunMode mode : {RunMode::large, RunMode::spec, RunMode::draft}) {
    const RunRecord record = made_up_record(mode);
    const std::string line = to_line(log_json(record));
    const RunRecord again = parse_record(parse_json(line, "log"), "log:2");
    EXPECT_EQ(to_line(log_json(again)), line);
    EXPECT_EQ(again.ledger.nominal_target_tokens, record.ledger.nominal_target_tokens);
    const Trace trace = parse_trace(parse_json(line, "log"), "log:2");
    EXPECT_EQ(trace.problem, 1);
    EXPECT_EQ(trace.completion_tokens, 50);
    EXPECT_EQ(trace.segments.size(), mode == RunMode::spec ? 4u : 1u);
  }
  const Json log = parse_json(to_line(log_json(made_up_record(RunMode::spec))), "log");
  EXPECT_EQ(log.at("correct_tokens").dump(),
            R"([{"pos":4,"speculative":"Hm","token_num":6,"traget":"Wait"},{"pos":20,"token_num":6,"traget":"So"}])");
}

TEST(run_record, extra_keys_may_not_hide_others) {
  RunRecord record = made_up_record(RunMode::spec);
  record.extra["latency"] = 1;
  message_of<InternalError>([&] { result_json(record); });
}

TEST(run_record, every_key_is_needed_and_checked) {
  const Json good = parse_json(to_line(log_json(made_up_record(RunMode::spec))), "log");
  const std::vector<std::string> free{"ms_per_step", "correct"};  // extra, and absent where there is no answer
  std::size_t count = 0;
  for (const auto& [key, value] : good.items()) {
    Json without = good;
    without.erase(key);
    if (std::find(free.begin(), free.end(), key) == free.end()) {
      const std::string message = message_of<UserError>([&] { parse_record(without, "log:7"); });
      expect_contains(message, "log:7");
      expect_contains(message, key);
      ++count;
    }
    if (key == "ms_per_step" || key == "correct_tokens") continue;
    Json wrong = good;
    wrong[key] = Json::array({-1});
    expect_contains(message_of<UserError>([&] { parse_record(wrong, "log:7"); }), "log:7");
    if (!value.is_number()) continue;
    for (const Json& number : {Json(-1), Json(1e300), Json("1"), Json(nullptr), Json(UINT64_MAX)}) {
      wrong[key] = number;
      expect_contains(message_of<UserError>([&] { parse_record(wrong, "log:7"); }), key);
      ++count;
    }
  }
  for (const Json& value : {Json(), Json(1), Json("x"), Json::array()}) {
    message_of<UserError>([&] { parse_record(value, "log:7"); });
  }
  std::cout << "checked " << count << " malformed runs\n";
}

}  // namespace
}  // namespace specthink
