#include "specthink/replay/report.h"

#include <sstream>

#include "fixtures.h"

namespace specthink {
namespace {

constexpr auto kDraft = static_cast<std::size_t>(Role::draft);
constexpr auto kTarget = static_cast<std::size_t>(Role::target);

StepRow step(std::int64_t context, double draft, double target) {
  StepRow row{context, {}, {}};
  row.milliseconds[kDraft] = draft;
  row.milliseconds[kTarget] = target;
  return row;
}

ReplayRecord made_record(ReplayLoop loop, std::size_t workload, double seconds) {
  ReplayRecord result{loop, workload, 0, static_cast<int>(workload), 1000, {}};
  result.times.tokens = 500;
  result.times.seconds = seconds;
  result.times.add({.role = Role::target,
                    .prefix = 1000,
                    .tokens = 11,
                    .seconds = 0.5,
                    .prefilled = 1000,
                    .prefill_seconds = 0.125,
                    .decode_steps = 10,
                    .decode_seconds = 0.25,
                    .token_seconds = {}},
                   nullptr, {1000, 0}, 1e6);
  return result;
}

ReplayReport made_up_report() {
  ReplayReport report;
  report.timestamp = "20300102_030405";
  report.target = "Org/Big-7B";
  report.draft = "Org/Small-1B";
  report.ranks = 2;
  report.device = "CPU, 1 threads";
  report.read_bytes_per_second = {4.5e12, 4e12};
  report.step_bytes[kTarget] = {32'000'000'000, 131072};
  report.step_bytes[kDraft] = {1'720'000'000, 57344};
  report.workloads = {0, 4};
  report.traces = {{0, 0, 1024, 2, {{"target", 2, -1, -1}}}, {0, 4, 1024, 4, {{"target", 4, -1, -1}}}};
  report.records = {made_record(ReplayLoop::original, 0, 2), made_record(ReplayLoop::original, 4, 4)};
  report.steps = {step(1024, 0.7, 8), step(16384, 0.9, 9)};
  report.prefills = {{8192, 120, {3.0, 11.0}, {2.5, 10.5}}};
  report.memory = {{100, 99, 200}, {100, 101, 200}};
  report.memory_growth = 3 << 20;
  return report;
}

TEST(replay_report, kernels_of_a_step_are_shown_where_they_are_recorded) {
  ReplayReport report = made_up_report();
  EXPECT_EQ(to_markdown(report).find("The kernels of a step"), std::string::npos);
  EXPECT_EQ(to_json(report).at("target_timeline"), OrderedJson::object());
  report.steps[1].kernels[kTarget] = {{"qkv", 64, 3.5, 0.75, 11.25}};
  EXPECT_NE(to_markdown(report).find("of the target, 16384 tokens of context"), std::string::npos);
  EXPECT_NE(to_markdown(report).find("| qkv    |        64 |             3.50 |                  0.75 | 11.25 |"),
            std::string::npos);
  EXPECT_EQ(to_json(report).at("target_timeline").at("16384").at(0).at("ran_us"), 11.25);
  EXPECT_EQ(to_json(report).at("draft_timeline"), OrderedJson::object());
}

TEST(replay_report, runs_at_once_are_held_against_runs_one_by_one) {
  ReplayReport report = made_up_report();
  report.batches = {{ReplayLoop::original, 8, 5, 2500, 6}, {ReplayLoop::fixed, 8, 5, 2500, 6}};
  report.batch_steps = {{8, 1024, {1.75, 16.5}}};
  EXPECT_NEAR(*one_by_one_seconds(report, report.batches[0]), 5 * 3.0, 1e-12);
  EXPECT_FALSE(one_by_one_seconds(report, report.batches[1]).has_value());
  const OrderedJson json = to_json(report);
  EXPECT_NEAR(json.at("batches")[0].at("one_by_one_s").get<double>(), 15, 1e-12);
  EXPECT_TRUE(json.at("batches")[1].at("one_by_one_s").is_null());
  EXPECT_EQ(json.at("batch_steps")[0].at("target_ms"), kTarget == 1 ? 16.5 : 1.75);
  const std::string text = to_markdown(report);
  EXPECT_NE(text.find("| original |    5 |         8 |   2500 | 6.000 |    416.7 |       15.000 | 0.400 |"),
            std::string::npos)
      << text;
}

TEST(replay_report, target_alone_is_computed_from_its_steps) {
  const std::vector<StepRow> steps{step(1000, 0, 8), step(2000, 0, 10), step(4000, 0, 12)};
  const auto seconds = [&](int prompt, int tokens) { return *target_alone_seconds({0, 0, prompt, tokens, {}}, steps); };
  EXPECT_NEAR(seconds(1000, 1), 0.008, 1e-12);
  EXPECT_NEAR(seconds(1500, 1), 0.009, 1e-12);
  EXPECT_NEAR(seconds(3000, 1), 0.011, 1e-12);
  EXPECT_NEAR(seconds(100, 1), 0.008, 1e-12) << "no extrapolation downwards";
  EXPECT_NEAR(seconds(6000, 1), 0.014, 1e-12) << "goes on as between the last two";
  EXPECT_NEAR(seconds(1000, 1001), (8 + 10) / 2.0 * 1.001, 1e-9);
  EXPECT_FALSE(target_alone_seconds({0, 0, 10, 10, {}}, std::vector<StepRow>{step(1000, 0, 8)}));
}

TEST(replay_report, means_are_measured_or_computed) {
  ReplayReport report = made_up_report();
  const auto original = workload_seconds(report, ReplayLoop::original);
  ASSERT_TRUE(original);
  EXPECT_DOUBLE_EQ(original->mean, 3);
  EXPECT_FALSE(original->computed);
  EXPECT_FALSE(workload_seconds(report, ReplayLoop::fixed));
  const auto computed = workload_seconds(report, ReplayLoop::target);
  ASSERT_TRUE(computed);
  EXPECT_TRUE(computed->computed);
  EXPECT_NEAR(computed->mean, 3 * 0.008, 1e-5);

  report.records.push_back(made_record(ReplayLoop::target, 0, 7));
  EXPECT_TRUE(workload_seconds(report, ReplayLoop::target)->computed) << "one of two is not enough";
  report.records.push_back(made_record(ReplayLoop::target, 4, 9));
  EXPECT_FALSE(workload_seconds(report, ReplayLoop::target)->computed);
  EXPECT_DOUBLE_EQ(workload_seconds(report, ReplayLoop::target)->mean, 8);
}

TEST(replay_report, json_has_the_promised_keys) {
  const OrderedJson json = to_json(made_up_report());
  EXPECT_DOUBLE_EQ(json.at("read_tb_s"), 4) << "the slowest rank's";
  EXPECT_EQ(json.at("target_ms").at("1024"), 8);
  EXPECT_EQ(json.at("target_ms").at("16384"), 9);
  EXPECT_EQ(json.at("draft_ms").at("1024"), 0.7);
  EXPECT_NEAR(json.at("target_limit_ms").at("1024").get<double>(), (32e9 + 131072.0 * 1024) / 4e9, 1e-9);
  EXPECT_EQ(json.at("workload_s").at("seed"), 3);
  EXPECT_TRUE(json.at("workload_s").at("fixed").is_null());
  EXPECT_EQ(json.at("workload_s_source").at("seed"), "measured");
  EXPECT_EQ(json.at("workload_s_source").at("target"), "computed from the target's steps");
  EXPECT_EQ(json.at("prefill")[0].at("target").at("first_token_ms"), 11);
  const OrderedJson& total = json.at("policies").at("seed").at("total");
  EXPECT_EQ(total.at("seconds"), 6);
  EXPECT_EQ(total.at("target_decode_s"), 0.5);
  EXPECT_EQ(total.at("target_prefill_s"), 0.25);
  EXPECT_EQ(total.at("hand_over_s"), 0.25);
  EXPECT_EQ(total.at("host_s"), 5);
  EXPECT_EQ(total.at("target").at("by_context").at("1024").at("steps"), 20);
  EXPECT_EQ(json.at("policies").at("seed").at("runs").size(), 2u);
  EXPECT_EQ(json.at("memory").size(), 2u);
  EXPECT_EQ(json.at("memory_growth_bytes"), 3 << 20);
  EXPECT_FALSE(json.at("policies").contains("fixed"));
}

TEST(replay_report, markdown_tells_the_same) {
  const std::string text = to_markdown(made_up_report());
  expect_contains(text, "4.000 TB/s (by rank 4.500, 4.000)");
  expect_contains(text, "32.00 GB of weights");
  expect_contains(text, "| 1024    |     8.000 |           8.034 |");
  expect_contains(text, "## Loop original");
  expect_contains(text, "computed from the target's steps");
  expect_contains(text, "-1.0 %");
  expect_contains(text, "+1.0 %");
  EXPECT_EQ(text.find("Policy fixed"), text.npos);
  // Every line of a table has the same width.
  std::istringstream lines(text);
  std::size_t width = 0;
  for (std::string line; std::getline(lines, line);) {
    const bool in_table = line.starts_with("|");
    if (in_table && width > 0) {
      EXPECT_EQ(line.size(), width) << line;
    }
    width = in_table ? line.size() : 0;
  }
}

TEST(replay_report, works_without_a_draft_and_without_figures) {
  ReplayReport report;
  report.target = "t";
  report.workloads = {0};
  report.traces = {{0, 0, 5, 2, {}}};
  const OrderedJson json = to_json(report);
  EXPECT_TRUE(json.at("speculative_model").is_null());
  EXPECT_TRUE(json.at("workload_s").at("target").is_null());
  EXPECT_TRUE(json.at("draft_ms").empty());
  EXPECT_EQ(to_markdown(report).find("draft"), std::string::npos);
}

}  // namespace
}  // namespace specthink
