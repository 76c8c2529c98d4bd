// Benchmarks that end too early, and go on.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "evaluation/benchmark_fixtures.h"
#include "specthink/evaluation/benchmark.h"

namespace specthink {
namespace {

namespace fs = std::filesystem;

TEST(resume, works_after_every_run) {
  for (int stop = 0; stop <= 12; ++stop) {
    const TemporaryFolder folder;
    {
      TestSession first(made_up_options(folder.path()));
      EXPECT_EQ(first.run(stop), stop < 12 ? BenchmarkStatus::interrupted : BenchmarkStatus::finished);
      EXPECT_EQ(fs::exists(folder.path() / kResultName), stop == 12);
    }
    TestSession second(resuming(folder.path()));
    EXPECT_EQ(second.run(), BenchmarkStatus::finished);
    EXPECT_EQ(static_cast<int>(second.order.size()), 12 - stop);
    EXPECT_EQ(slurp(folder.path() / kResultName), reference().result) << stop;
    EXPECT_EQ(slurp(folder.path() / kLogName), reference().log) << stop;
  }
}

TEST(resume, works_after_a_cut_anywhere_in_the_last_line) {
  const std::string& log = reference().log;
  const std::size_t last_line = log.rfind('\n', log.size() - 2) + 1;
  for (std::size_t size = last_line; size <= log.size(); size += size + 40 < log.size() ? 3 : 1) {
    const TemporaryFolder folder;
    folder.write(kLogName, log.substr(0, size));
    TestSession session(resuming(folder.path()));
    ASSERT_EQ(run_serially(session.benchmark, made_up_outcome, never), BenchmarkStatus::finished) << size;
    ASSERT_EQ(slurp(folder.path() / kLogName), log) << size;
    if (size % 50 != 0 && size + 2 < log.size()) continue;  // syncing a result file takes its time
    session.benchmark.write_results();
    ASSERT_EQ(slurp(folder.path() / kResultName), reference().result) << size;
  }
}

TEST(resume, a_torn_header_is_no_benchmark_to_resume) {
  const std::size_t header = reference().log.find('\n');
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, header / 2, header}) {
    const TemporaryFolder folder;
    folder.write(kLogName, reference().log.substr(0, size));
    TestSession session(resuming(folder.path()));
    session.run();
    EXPECT_EQ(session.order.size(), 12u);
    EXPECT_NE(session.benchmark.log_path().filename(), kLogName);
  }
}

TEST(resume, interrupted_runs_are_done_again) {
  const TemporaryFolder folder;
  {
    TestSession first(made_up_options(folder.path()));
    int count = 0;
    const auto solve = [&](const Problem& problem, const RunKey& key) {
      RunOutcome outcome = made_up_outcome(problem, key);
      if (++count == 3) outcome.result.finish_reason = FinishReason::interrupted;
      return outcome;
    };
    EXPECT_EQ(run_serially(first.benchmark, solve, never), BenchmarkStatus::interrupted);
    EXPECT_EQ(count, 3);
    EXPECT_EQ(first.benchmark.finished(), 2u);
    expect_contains(slurp(folder.path() / kLogName), "\"finish_reason\":\"interrupted\"");
  }
  TestSession second(resuming(folder.path()));
  EXPECT_EQ(second.run(), BenchmarkStatus::finished);
  EXPECT_EQ(second.order.front(), (RunKey{RunMode::large, 1, 0}));
  EXPECT_EQ(slurp(folder.path() / kResultName), reference().result);
}

TEST(resume, finished_runs_survive_an_error) {
  const TemporaryFolder folder;
  {
    TestSession first(made_up_options(folder.path()));
    const auto solve = [&](const Problem& problem, const RunKey& key) {
      if (key == RunKey{RunMode::spec, 0, 1}) throw EnvironmentError("a rank died");
      return made_up_outcome(problem, key);
    };
    EXPECT_THROW(run_serially(first.benchmark, solve, never), EnvironmentError);
  }
  TestSession second(resuming(folder.path()));
  EXPECT_EQ(second.run(), BenchmarkStatus::finished);
  EXPECT_EQ(second.order.size(), 5u);
  EXPECT_EQ(slurp(folder.path() / kResultName), reference().result);
}

TEST(resume, changed_settings_are_named) {
  const TemporaryFolder folder;
  TestSession(made_up_options(folder.path())).run(3);
  const auto change = [&](const std::function<void(BenchmarkOptions&)>& edit, const std::string& expected) {
    BenchmarkOptions options = resuming(folder.path());
    edit(options);
    const std::string message = message_of<UserError>([&] { TestSession session(options); });
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
  EXPECT_NO_THROW(TestSession session(options)) << "where a configuration lies does not matter";
}

TEST(resume, the_old_word_for_the_original_loop_is_no_change) {
  const TemporaryFolder folder;
  BenchmarkOptions options = made_up_options(folder.path());
  options.settings["compat"] = "seed";
  TestSession(options).run(3);
  options.settings["compat"] = "original";
  options.resume = true;
  TestSession session(options);
  EXPECT_EQ(session.run(), BenchmarkStatus::finished);
  EXPECT_EQ(session.order.size(), 9u);
}

TEST(resume, takes_the_newest_unfinished_of_its_settings) {
  const TemporaryFolder folder;
  BenchmarkOptions options = made_up_options(folder.path());
  for (const auto& [timestamp, runs] : std::vector<std::pair<std::string, int>>{
           {"20300101_000000", 2}, {"20300101_000001", 4}, {"20300101_000002", -1}}) {
    options.timestamp = timestamp;
    TestSession(options).run(runs);
  }
  options.timestamp = "20300101_000003";
  options.settings["seed"] = 4;
  TestSession(options).run(1);

  {
    TestSession session(resuming(folder.path()));
    expect_contains(session.benchmark.log_path().string(), "20300101_000001");
    session.run();
    EXPECT_EQ(session.order.size(), 8u);
  }
  {
    TestSession session(resuming(folder.path()));
    expect_contains(session.benchmark.log_path().string(), "20300101_000000");
    session.run();
  }
  // Only another configuration's benchmark is unfinished now.
  message_of<UserError>([&] { TestSession session(resuming(folder.path())); });
}

TEST(resume, of_a_finished_benchmark_repeats_nothing) {
  const TemporaryFolder folder;
  TestSession(made_up_options(folder.path())).run();
  fs::remove(folder.path() / kResultName);  // killed between the last run and the result file
  TestSession session(resuming(folder.path()));
  EXPECT_EQ(session.run(), BenchmarkStatus::finished);
  EXPECT_TRUE(session.order.empty());
  EXPECT_EQ(slurp(folder.path() / kResultName), reference().result);
}

TEST(resume, nothing_to_resume_begins_anew) {
  const TemporaryFolder folder;
  folder.write("notes_benchmark_20300101_000000.jsonl", "{\"format\": \"something else\"}\n");
  folder.write("speedup_benchmark_20300101_000000.jsonl", "[1]\n");
  folder.write("other.jsonl", "x");
  TestSession session(resuming(folder.path()));
  session.run();
  EXPECT_EQ(session.order.size(), 12u);
}

TEST(resume, damage_before_the_last_line_is_named) {
  const std::size_t header = reference().log.find('\n') + 1;
  const std::size_t second = reference().log.find('\n', header) + 1;
  const TemporaryFolder folder;
  std::string log = reference().log;
  log[header + 5] = '\0';
  folder.write(kLogName, log);
  expect_contains(message_of<UserError>([&] { TestSession session(resuming(folder.path())); }),
                  std::string(kLogName) + ":2");
  EXPECT_EQ(slurp(folder.path() / kLogName), log) << "it is left as it was";

  std::string line = reference().log.substr(header, second - header);
  line.replace(line.find("\"problem\":0"), 11, "\"problem\":9");
  folder.write(kLogName, reference().log.substr(0, header) + line);
  expect_contains(message_of<UserError>([&] { TestSession session(resuming(folder.path())); }), "problem 9");
}

TEST(resume, a_full_disk_keeps_the_finished_runs) {
  const TemporaryFolder folder;
  std::string message;
  {
    TestSession session(made_up_options(folder.path()));
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
  EXPECT_TRUE(slurp(folder.path() / kLogName).ends_with('\n')) << "half a line is left";
  TestSession session(resuming(folder.path()));
  EXPECT_EQ(session.run(), BenchmarkStatus::finished);
  EXPECT_GT(session.order.size(), 0u);
  EXPECT_LT(session.order.size(), 12u);
  EXPECT_EQ(slurp(folder.path() / kResultName), reference().result);
}

}  // namespace
}  // namespace specthink
