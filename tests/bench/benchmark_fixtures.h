// A small benchmark whose runs are made up, but always the same for the same key.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bench/fixtures.h"
#include "specthink/bench/benchmark.h"

namespace specthink {

inline std::vector<Problem> made_up_problems() {
  return {{0, "one", "Solve one", "11"}, {"b", "two", "Solve two", "12"}, {2, "three", "Solve three", std::nullopt}};
}

inline BenchmarkOptions made_up_options(const std::filesystem::path& folder, TestMode test_mode = TestMode::both) {
  BenchmarkOptions options;
  options.output_dir = folder;
  options.modes = run_modes(test_mode);
  options.num_runs = 2;
  options.config = {"configs/x.yml", "Org/Big-7B", "Org/Small-1B", 0.6, 0.95, 20, 4096};
  options.settings = {{"seed", 3}, {"compat", "fixed"}, {"schedule", {{"begin", true}, {"max_target_tokens", 20}}}};
  options.timestamp = "20300102_030405";
  return options;
}

inline RunOutcome made_up_outcome(const Problem& problem, const RunKey& key) {
  const int n = 40 + 10 * static_cast<int>(key.problem) + static_cast<int>(key.run);
  const bool spec = key.mode == RunMode::spec;
  RunOutcome outcome;
  outcome.prompt_tokens = 17;
  outcome.latency = (spec ? 1.1 : 2.3) / 3 * n;
  RunResult& result = outcome.result;
  result.ids.assign(static_cast<std::size_t>(n), 5);
  result.origins.assign(static_cast<std::size_t>(n), spec ? Origin::draft : Origin::target);
  result.finish_reason = key.run == 0 ? FinishReason::stop : FinishReason::length;
  // The prompt quotes a box, an accent and half a character are in the text.
  result.text =
      "user\n" + problem.prompt + "\\boxed{99}\n\xC3\xA9 \\boxed{1" + std::to_string(key.problem + 1) + "} \xC3";
  if (spec) {
    result.ledger.draft = n - 15;
    result.ledger.target = 12;
    result.ledger.injected = 3;
    result.ledger.draft_wasted = 9;
    result.ledger.target_wasted = 4;
    result.ledger.draft_prefilled = 30;
    result.ledger.target_prefilled = 41;
    result.ledger.nominal_target_tokens = 13;
    result.log = {{4, 6, "Wait", "Hm"}, {20, 6, "So", std::nullopt}};
    result.num_validations = 3;
    result.segments = {
        {"draft", n - 15, 0, 12.5}, {"probe", 9, -1, -1}, {"target", 12, 13.25, 1}, {"inject", 3, -1, -1}};
    outcome.extra = {{"ms_per_step", {{"draft", 0.7}, {"target", 7.7}}}};
  } else {
    result.ledger.target = n;
    result.ledger.nominal_target_tokens = n;
    result.segments = {{"target", n, 0, 100}};
  }
  return outcome;
}

inline Task made_up_task() {
  Task task;
  task.name = "made up";
  return task;
}

inline bool never() { return false; }

inline constexpr const char* kLogName = "speedup_benchmark_20300102_030405.jsonl";
inline constexpr const char* kResultName = "speedup_benchmark_20300102_030405.json";

// Without lock files: they are there as long as a benchmark is.
inline std::set<std::string> files_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".lock") names.insert(entry.path().filename().string());
  }
  return names;
}

// Runs until `stop_after` more runs are done (a negative number: to the end), and counts them.
struct TestSession {
  explicit TestSession(BenchmarkOptions options) : benchmark(made_up_task(), made_up_problems(), std::move(options)) {
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

inline BenchmarkOptions resuming(const std::filesystem::path& folder) {
  BenchmarkOptions options = made_up_options(folder);
  options.resume = true;
  options.timestamp.clear();
  return options;
}

// The files of a benchmark that nothing interrupted.
struct Reference {
  Reference() {
    const TemporaryFolder folder;
    TestSession session(made_up_options(folder.path()));
    EXPECT_EQ(session.run(), BenchmarkStatus::finished);
    log = slurp(folder.path() / kLogName);
    result = slurp(folder.path() / kResultName);
  }
  std::string log;
  std::string result;
};

inline const Reference& reference() {
  static const Reference files;
  return files;
}

}  // namespace specthink
