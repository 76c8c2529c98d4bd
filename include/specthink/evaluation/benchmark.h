// A benchmark from its first run to its result file.
//
//   Benchmark benchmark(task, problems, options);
//   benchmark.prepare();                      // before the models are loaded: finds what would fail at the end
//   benchmark.start();                        // creates the run log, or opens the one to resume
//   ...                                       // record() for each of pending()
//   benchmark.write_results();
//
// Runs are independent of each other and may be recorded in any order: WorkQueue (work_queue.h) hands out pending()
// and records what comes back.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "specthink/evaluation/judge.h"
#include "specthink/evaluation/task.h"
#include "specthink/report/result_file.h"
#include "specthink/report/run_log.h"
#include "specthink/report/run_record.h"

namespace specthink::inline evaluation {

struct BenchmarkOptions {
  std::filesystem::path output_dir;
  bool resume = false;
  std::vector<RunMode> modes;
  std::size_t num_runs = 1;
  Part part;  ///< which share of the problems; their numbers, and with them all draws, stay those of the whole
  BenchmarkConfig config;

  JudgeMode judge = JudgeMode::exact;

  /// Everything else that decides what a run computes: compat, seed, the schedule, dtype, number of ranks ... It is
  /// added to the files' `config`, and a benchmark is resumed only with the same.
  Json settings = Json::object();

  /// YYYYmmdd_HHMMSS of the file names; empty: now.
  std::string timestamp;

  /// What to do instead of going on with a benchmark of other settings.
  std::string how_to_start_anew = "leave out --resume to start anew";
};

class Benchmark {
 public:
  Benchmark(const Task& task, std::vector<Problem> problems, BenchmarkOptions options);

  /// Creates the output folder and proves that files can be written there. With `resume`, opens and locks the log that
  /// start() will go on with. Throws UserError or EnvironmentError; leaves no file behind.
  void prepare();

  /// True after prepare() when all runs of the benchmark to resume are finished: no model is needed.
  bool is_complete() const { return log_ && finished() == total(); }

  /// Adds to the files' `config` what does not decide what runs compute, such as the machine. Before start().
  void describe(const Json& description);

  /// After prepare(): what the log that is resumed was described with, else nothing.
  Json recorded_description() const;

  /// Creates the run log unless one is resumed. Throws EnvironmentError.
  void start();

  /// Runs that are not finished yet, in the order in which they are to be done: by mode, problem and run.
  std::vector<RunKey> pending() const;

  const Problem& problem(const RunKey& key) const { return problems_.at(key.problem); }

  /// Appends a run to the log. One whose finish_reason is `interrupted` is logged, but stays pending. Throws
  /// EnvironmentError that says where the finished runs are.
  RunRecord record(RunRecord record);

  /// Writes the result file, when nothing is pending; a part has none (evaluation/merge.h). Throws EnvironmentError, as
  /// record() does.
  void write_results() const;

  const std::vector<Problem>& problems() const { return problems_; }

  /// Everything that decides what runs compute, and the description.
  Json config() const;

  /// The finished runs; of a part, those of all parts in the folder, once each has all of its own; else none.
  std::optional<std::vector<RunRecord>> all_records() const;

  std::size_t total() const { return plan_.total(); }
  std::size_t finished() const;
  std::filesystem::path log_path() const;
  std::filesystem::path result_path() const;

  /// The tables for people, and the line of `--format json`.
  std::string summary_text() const;
  std::string summary_line() const;

 private:
  BenchmarkData data() const;
  const RunLog& log() const;
  [[noreturn]] void fail_safely(const std::string& message) const;

  AnswerRule answer_rule_;
  Judge judge_;
  std::vector<Problem> problems_;
  BenchmarkOptions options_;
  RunPlan plan_;
  std::optional<RunLog> log_;
};

}  // namespace specthink::inline evaluation
