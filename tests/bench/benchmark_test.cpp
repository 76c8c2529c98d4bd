// Whole benchmarks with made-up runs: files, interruption, resume, broken disks.
#include "specthink/bench/benchmark.h"

#include <gtest/gtest.h>

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <stdexcept>

#include "bench/benchmark_fixtures.h"
#include "specthink/base/json.h"
#include "specthink/report/trace.h"

namespace specthink {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLogName = "speedup_benchmark_20300102_030405.jsonl";
constexpr const char* kResultName = "speedup_benchmark_20300102_030405.json";

std::set<std::string> files_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

// Runs until `stop_after` more runs are done (a negative number: to the end), and counts them.
struct Session {
  explicit Session(BenchmarkOptions options) : benchmark(made_up_task(), made_up_problems(), std::move(options)) {
    benchmark.prepare();
    benchmark.start();
  }

  BenchmarkStatus run(int stop_after = -1) {
    const auto solve = [&](const Problem& problem, const RunKey& key) {
      order.push_back(key);
      return made_up_outcome(problem, key);
    };
    const auto interrupted = [&] { return stop_after >= 0 && static_cast<int>(order.size()) >= stop_after; };
    const BenchmarkStatus status = run_serially(benchmark, solve, interrupted, nullptr);
    if (status == BenchmarkStatus::finished) benchmark.write_results();
    return status;
  }

  Benchmark benchmark;
  std::vector<RunKey> order;
};

BenchmarkOptions resuming(const fs::path& folder) {
  BenchmarkOptions options = made_up_options(folder);
  options.resume = true;
  options.timestamp.clear();
  return options;
}

// The files of a benchmark that nothing interrupted.
struct Reference {
  Reference() {
    const TemporaryFolder folder;
    Session session(made_up_options(folder.path()));
    EXPECT_EQ(session.run(), BenchmarkStatus::finished);
    log = slurp(folder.path() / kLogName);
    result = slurp(folder.path() / kResultName);
  }
  std::string log;
  std::string result;
};

const Reference& reference() {
  static const Reference files;
  return files;
}

TEST(benchmark, runs_everything_in_order) {
  const TemporaryFolder folder;
  Session session(made_up_options(folder.path() / "new" / "results"));
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
  EXPECT_TRUE(std::all_of(reference().result.begin(), reference().result.end(), [](char c) { return c > 0; })) << "ASCII";
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
  Session session(made_up_options(folder.path()));
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

TEST(benchmark, resumes_after_every_run) {
  for (int stop = 0; stop <= 12; ++stop) {
    const TemporaryFolder folder;
    {
      Session first(made_up_options(folder.path()));
      EXPECT_EQ(first.run(stop), stop < 12 ? BenchmarkStatus::interrupted : BenchmarkStatus::finished);
      EXPECT_EQ(fs::exists(folder.path() / kResultName), stop == 12);
    }
    Session second(resuming(folder.path()));
    EXPECT_EQ(second.run(), BenchmarkStatus::finished);
    EXPECT_EQ(static_cast<int>(second.order.size()), 12 - stop);
    EXPECT_EQ(slurp(folder.path() / kResultName), reference().result) << stop;
    EXPECT_EQ(slurp(folder.path() / kLogName), reference().log) << stop;
  }
}

TEST(benchmark, resumes_after_a_cut_anywhere_in_the_last_line) {
  const std::string& log = reference().log;
  const std::size_t last_line = log.rfind('\n', log.size() - 2) + 1;
  for (std::size_t size = last_line; size <= log.size(); ++size) {
    const TemporaryFolder folder;
    folder.write(kLogName, log.substr(0, size));
    Session session(resuming(folder.path()));
    ASSERT_EQ(run_serially(session.benchmark, made_up_outcome, never, nullptr), BenchmarkStatus::finished) << size;
    ASSERT_EQ(slurp(folder.path() / kLogName), log) << size;
    if (size % 50 != 0 && size + 2 < log.size()) continue;  // syncing a result file takes its time
    session.benchmark.write_results();
    ASSERT_EQ(slurp(folder.path() / kResultName), reference().result) << size;
  }
  std::cout << "checked " << log.size() - last_line + 1 << " cuts\n";
}

TEST(benchmark, a_torn_header_is_no_benchmark_to_resume) {
  const std::size_t header = reference().log.find('\n');
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, header / 2, header}) {
    const TemporaryFolder folder;
    folder.write(kLogName, reference().log.substr(0, size));
    Session session(resuming(folder.path()));
    session.run();
    EXPECT_EQ(session.order.size(), 12u);
    EXPECT_NE(session.benchmark.log_path().filename(), kLogName);
  }
}

TEST(benchmark, interrupted_runs_are_done_again) {
  const TemporaryFolder folder;
  {
    Session first(made_up_options(folder.path()));
    int count = 0;
    const auto solve = [&](const Problem& problem, const RunKey& key) {
      RunOutcome outcome = made_up_outcome(problem, key);
      if (++count == 3) outcome.result.finish_reason = FinishReason::interrupted;
      return outcome;
    };
    EXPECT_EQ(run_serially(first.benchmark, solve, never, nullptr), BenchmarkStatus::interrupted);
    EXPECT_EQ(count, 3);
    EXPECT_EQ(first.benchmark.finished(), 2u);
    expect_contains(slurp(folder.path() / kLogName), "\"finish_reason\":\"interrupted\"");
  }
  Session second(resuming(folder.path()));
  EXPECT_EQ(second.run(), BenchmarkStatus::finished);
  EXPECT_EQ(second.order.front(), (RunKey{RunMode::large, 1, 0}));
  EXPECT_EQ(slurp(folder.path() / kResultName), reference().result);
}

TEST(benchmark, finished_runs_survive_an_error) {
  const TemporaryFolder folder;
  {
    Session first(made_up_options(folder.path()));
    const auto solve = [&](const Problem& problem, const RunKey& key) {
      if (key == RunKey{RunMode::spec, 0, 1}) throw EnvironmentError("a rank died");
      return made_up_outcome(problem, key);
    };
    EXPECT_THROW(run_serially(first.benchmark, solve, never, nullptr), EnvironmentError);
  }
  Session second(resuming(folder.path()));
  EXPECT_EQ(second.run(), BenchmarkStatus::finished);
  EXPECT_EQ(second.order.size(), 5u);
  EXPECT_EQ(slurp(folder.path() / kResultName), reference().result);
}

TEST(benchmark, runs_may_be_recorded_in_any_order) {
  const TemporaryFolder folder;
  Session session(made_up_options(folder.path()));
  std::vector<RunKey> keys = session.benchmark.pending();
  std::reverse(keys.begin(), keys.end());
  std::swap(keys[2], keys[7]);
  for (const RunKey& key : keys) session.benchmark.record(key, made_up_outcome(session.benchmark.problem(key), key));
  EXPECT_TRUE(session.benchmark.pending().empty());
  session.benchmark.write_results();
  EXPECT_EQ(slurp(folder.path() / kResultName), reference().result);
}

TEST(benchmark, changed_settings_are_named) {
  const TemporaryFolder folder;
  Session(made_up_options(folder.path())).run(3);
  const auto change = [&](const std::function<void(BenchmarkOptions&)>& edit, const std::string& expected) {
    BenchmarkOptions options = resuming(folder.path());
    edit(options);
    const std::string message = message_of<UserError>([&] { Session session(options); });
    expect_contains(message, expected);
    expect_contains(message, kLogName);
  };
  change([](auto& o) { o.config.temperature = 0.7; }, "temperature: 0.6, now 0.7");
  change([](auto& o) { o.settings["seed"] = 4; }, "seed: 3, now 4");
  change([](auto& o) { o.settings["schedule"]["begin"] = false; }, "schedule.begin: true, now false");
  change([](auto& o) { o.settings["new"] = 1; }, "new: null, now 1");
  change([](auto& o) { o.config.speculative_model.reset(); }, "speculative_model: \"Org/Small-1B\", now null");
  change([](auto& o) { o.modes = {RunMode::spec}; }, "modes");
  change([](auto& o) { o.num_runs = 3; }, "num_runs: 2, now 3");

  BenchmarkOptions options = resuming(folder.path());
  std::vector<Problem> problems = made_up_problems();
  problems[1].answer = "13";
  Benchmark other(made_up_task(), problems, options);
  expect_contains(message_of<UserError>([&] { other.prepare(); }), "problems_hash");

  options.config.config_path = "moved/x.yml";
  EXPECT_NO_THROW(Session session(options)) << "where a configuration lies does not matter";
}

TEST(benchmark, resume_takes_the_newest_unfinished_of_its_settings) {
  const TemporaryFolder folder;
  BenchmarkOptions options = made_up_options(folder.path());
  for (const auto& [timestamp, runs] : std::vector<std::pair<std::string, int>>{
           {"20300101_000000", 2}, {"20300101_000001", 4}, {"20300101_000002", -1}}) {
    options.timestamp = timestamp;
    Session(options).run(runs);
  }
  options.timestamp = "20300101_000003";
  options.settings["seed"] = 4;
  Session(options).run(1);

  {
    Session session(resuming(folder.path()));
    expect_contains(session.benchmark.log_path().string(), "20300101_000001");
    session.run();
    EXPECT_EQ(session.order.size(), 8u);
  }
  {
    Session session(resuming(folder.path()));
    expect_contains(session.benchmark.log_path().string(), "20300101_000000");
    session.run();
  }
  // Only another configuration's benchmark is unfinished now.
  message_of<UserError>([&] { Session session(resuming(folder.path())); });
}

TEST(benchmark, resuming_a_finished_benchmark_repeats_nothing) {
  const TemporaryFolder folder;
  Session(made_up_options(folder.path())).run();
  fs::remove(folder.path() / kResultName);  // killed between the last run and the result file
  Session session(resuming(folder.path()));
  EXPECT_EQ(session.run(), BenchmarkStatus::finished);
  EXPECT_TRUE(session.order.empty());
  EXPECT_EQ(slurp(folder.path() / kResultName), reference().result);
}

TEST(benchmark, nothing_to_resume_begins_anew) {
  const TemporaryFolder folder;
  folder.write("notes_benchmark_20300101_000000.jsonl", "{\"format\": \"something else\"}\n");
  folder.write("speedup_benchmark_20300101_000000.jsonl", "[1]\n");
  folder.write("other.jsonl", "x");
  Session session(resuming(folder.path()));
  session.run();
  EXPECT_EQ(session.order.size(), 12u);
}

TEST(benchmark, damage_before_the_last_line_is_named) {
  const std::size_t header = reference().log.find('\n') + 1;
  const std::size_t second = reference().log.find('\n', header) + 1;
  const TemporaryFolder folder;
  std::string log = reference().log;
  log[header + 5] = '\0';
  folder.write(kLogName, log);
  expect_contains(message_of<UserError>([&] { Session session(resuming(folder.path())); }), std::string(kLogName) + ":2");
  EXPECT_EQ(slurp(folder.path() / kLogName), log) << "it is left as it was";

  std::string line = reference().log.substr(header, second - header);
  line.replace(line.find("\"problem\":0"), 11, "\"problem\":9");
  folder.write(kLogName, reference().log.substr(0, header) + line);
  expect_contains(message_of<UserError>([&] { Session session(resuming(folder.path())); }), "problem 9");
}

TEST(benchmark, two_jobs_do_not_share_files) {
  const TemporaryFolder folder;
  Session first(made_up_options(folder.path()));
  Session second(made_up_options(folder.path()));
  EXPECT_NE(first.benchmark.log_path(), second.benchmark.log_path());
  first.run(2);
  second.run(1);
  expect_contains(message_of<UserError>([&] { Session third(resuming(folder.path())); }), "another process is writing");
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

// A limit on the size of files stands for a full disk: a write stops in the middle of a line.
TEST(benchmark, a_full_disk_keeps_the_finished_runs) {
  const TemporaryFolder folder;
  std::string message;
  {
    Session session(made_up_options(folder.path()));
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit small = before;
    small.rlim_cur = reference().log.size() / 2;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    message = message_of<EnvironmentError>([&] { session.run(); });
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
  }
  expect_contains(message, "finished runs are safe in");
  expect_contains(message, "--resume");
  EXPECT_FALSE(slurp(folder.path() / kLogName).ends_with('\n')) << "the last line is torn";
  Session session(resuming(folder.path()));
  EXPECT_EQ(session.run(), BenchmarkStatus::finished);
  EXPECT_GT(session.order.size(), 0u);
  EXPECT_LT(session.order.size(), 12u);
  EXPECT_EQ(slurp(folder.path() / kResultName), reference().result);
}

}  // namespace
}  // namespace specthink
