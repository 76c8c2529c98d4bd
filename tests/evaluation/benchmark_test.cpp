// Whole benchmarks with made-up runs: order, files, folders.
#include "specthink/evaluation/benchmark.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "evaluation/benchmark_fixtures.h"
#include "specthink/base/json.h"
#include "specthink/report/trace.h"

namespace specthink {
namespace {

namespace fs = std::filesystem;

TEST(benchmark, runs_everything_in_order) {
  const TemporaryFolder folder;
  TestSession session(made_up_options(folder.path() / "new" / "results"));
  EXPECT_EQ(session.run(), BenchmarkStatus::finished);
  ASSERT_EQ(session.order.size(), 12u);
  EXPECT_TRUE(std::is_sorted(session.order.begin(), session.order.end()));
  EXPECT_EQ(session.order[1], (RunKey{RunMode::large, 0, 1}));
  EXPECT_EQ(files_in(folder.path() / "new" / "results"), (std::set<std::string>{kLogName, kResultName}));
}

TEST(benchmark, result_file_of_both) {
  const Json file = parse_json(reference().result, "result");
  EXPECT_EQ(file.at("model_type"), "speedup");
  EXPECT_EQ(file.at("timestamp"), "20300102_030405");
  EXPECT_EQ(file.at("config").at("seed"), 3);
  EXPECT_EQ(file.at("config").at("task"), "made up");
  EXPECT_EQ(file.at("config").at("num_problems"), 3);
  const Json& spec = file.at("speculative_thinking");
  EXPECT_EQ(spec.at("results").at("model"), "Speculative Thinking (Small-1B + Big-7B)");
  EXPECT_EQ(file.at("large_model").at("results").at("model"), "Big-7B (Large Only)");
  EXPECT_EQ(spec.at("results").at("problems").at(1).at("id"), "b");
  const Json& run = spec.at("results").at("problems").at(1).at("runs").at(1);
  EXPECT_EQ(run.at("num_tokens"), 51);
  EXPECT_EQ(run.at("finish_reason"), "length");
  EXPECT_EQ(run.at("correct"), true);
  EXPECT_EQ(run.at("ms_per_step").at("target"), 7.7);
  EXPECT_FALSE(run.contains("segments"));
  EXPECT_EQ(spec.at("statistics").at("accuracy").at("n"), 4);
  const double large_mean = file.at("large_model").at("statistics").at("latency").at("mean").get<double>();
  const double spec_mean = spec.at("statistics").at("latency").at("mean").get<double>();
  EXPECT_DOUBLE_EQ(file.at("comparison").at("speedup").get<double>(), large_mean / spec_mean);
  EXPECT_TRUE(std::all_of(reference().result.begin(), reference().result.end(), [](char c) { return c > 0; }))
      << "ASCII";
}

TEST(benchmark, run_log_is_a_trace_file) {
  const TemporaryFolder folder;
  const std::vector<Trace> traces = read_traces(folder.write("x.jsonl", reference().log));
  ASSERT_EQ(traces.size(), 12u);
  EXPECT_EQ(traces[11].problem, 2);
  EXPECT_EQ(traces[11].segments.size(), 4u);
}

TEST(benchmark, summary_line_has_statistics_and_files) {
  const TemporaryFolder folder;
  TestSession session(made_up_options(folder.path()));
  session.run();
  const std::string line = session.benchmark.summary_line();
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const Json summary = parse_json(line, "summary");
  EXPECT_EQ(summary.at("files").at("results"), (folder.path() / kResultName).string());
  EXPECT_EQ(summary.at("files").at("runs"), (folder.path() / kLogName).string());
  EXPECT_TRUE(summary.at("large_model").contains("statistics"));
  EXPECT_FALSE(summary.at("large_model").contains("results"));
  EXPECT_TRUE(summary.contains("comparison"));
  expect_contains(session.benchmark.summary_text(), kResultName);
}

TEST(benchmark, runs_may_be_recorded_in_any_order) {
  const TemporaryFolder folder;
  TestSession session(made_up_options(folder.path()));
  std::vector<RunKey> keys = session.benchmark.pending();
  std::reverse(keys.begin(), keys.end());
  std::swap(keys[2], keys[7]);
  for (const RunKey& key : keys)
    session.benchmark.record(make_record(key, made_up_outcome(session.benchmark.problem(key), key)));
  EXPECT_TRUE(session.benchmark.pending().empty());
  session.benchmark.write_results();
  EXPECT_EQ(slurp(folder.path() / kResultName), reference().result);
}

TEST(benchmark, two_jobs_do_not_share_files) {
  const TemporaryFolder folder;
  TestSession first(made_up_options(folder.path()));
  TestSession second(made_up_options(folder.path()));
  EXPECT_NE(first.benchmark.log_path(), second.benchmark.log_path());
  first.run(2);
  second.run(1);
  expect_contains(message_of<UserError>([&] { TestSession third(resuming(folder.path())); }),
                  "another process is writing");
  first.run();
  second.run();
  EXPECT_EQ(files_in(folder.path()).size(), 4u);
}

TEST(benchmark, prepare_leaves_no_file) {
  const TemporaryFolder folder;
  Benchmark benchmark(made_up_task(), made_up_problems(), made_up_options(folder.path()));
  benchmark.prepare();
  EXPECT_TRUE(files_in(folder.path()).empty());
}

TEST(benchmark, unusable_folders_are_found_before_any_run) {
  const TemporaryFolder folder;
  const fs::path file = folder.write("file", "x");
  const auto prepare = [&](const fs::path& output) {
    Benchmark(made_up_task(), made_up_problems(), made_up_options(output)).prepare();
  };
  expect_contains(message_of<UserError>([&] { prepare(file); }), "--output-dir");
  expect_contains(message_of<EnvironmentError>([&] { prepare(file / "below"); }), "--output-dir");
  if (::geteuid() == 0) return;  // root may write everywhere
  fs::create_directory(folder.path() / "locked");
  fs::permissions(folder.path() / "locked", fs::perms::owner_read | fs::perms::owner_exec);
  expect_contains(message_of<EnvironmentError>([&] { prepare(folder.path() / "locked"); }), "--output-dir");
}

}  // namespace
}  // namespace specthink
