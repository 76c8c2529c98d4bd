// A small benchmark of made-up runs.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fixtures.h"
#include "report/made_up_runs.h"
#include "specthink/evaluation/benchmark.h"
#include "specthink/evaluation/work_queue.h"

namespace specthink {

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

enum class BenchmarkStatus { finished, interrupted };

using Solve = std::function<RunOutcome(const Problem& problem, const RunKey& key)>;

// Does all pending runs one after the other. `interrupted` is asked before each.
inline BenchmarkStatus run_serially(Benchmark& benchmark, const Solve& solve,
                                    const std::function<bool()>& interrupted) {
  WorkQueue queue(benchmark, nullptr);
  while (!interrupted()) {
    const std::optional<RunKey> key = queue.next();
    if (!key) break;
    queue.deliver(make_record(*key, solve(benchmark.problem(*key), *key)));
  }
  return benchmark.finished() == benchmark.total() ? BenchmarkStatus::finished : BenchmarkStatus::interrupted;
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
    const BenchmarkStatus status = run_serially(benchmark, solve, interrupted);
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
