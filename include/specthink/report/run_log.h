// The run log of a benchmark: a JSONL whose first line says what is being run, and to which every run is appended and
// synced as it ends. It is all that a resumed benchmark needs.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "specthink/report/run_record.h"

namespace specthink::inline report {

class RunLock;

/// What a run log is about.
struct RunPlan {
  std::vector<RunMode> modes;
  std::size_t num_problems = 0;
  std::size_t num_runs = 0;
  Json settings = Json::object();  ///< everything that decides what the runs compute; resuming needs the same
  Part part;                       ///< its runs are those of every part.of-th problem; then part of the settings, too
  Json description = Json::object();  ///< what else the log says of its runs; a resumed one may say other things
  OrderedJson for_merge;              ///< of a part: what evaluation/merge.h needs besides the runs

  bool has_problem(std::size_t problem) const;
  bool contains(const RunKey& key) const;
  std::size_t total() const;  ///< runs
};

/// The key of the settings that names the part; missing for a whole benchmark.
constexpr const char* kPartKey = "part";

/// True for the settings of two parts of the same benchmark.
bool is_other_part(Json settings, Json mine);

class RunLog {
 public:
  /// Starts `folder`/KIND_benchmark_TIMESTAMP.jsonl and locks it. Where that name is taken (another job started within
  /// the second), the time is moved on until it is free. Throws EnvironmentError.
  static RunLog create(const std::filesystem::path& folder, const RunPlan& plan, std::string timestamp);

  /// The newest log in `folder` with the plan's settings that lacks runs or, when there is none, the newest of all logs
  /// if it is complete and has these settings. Null when there is nothing to resume. Logs of other parts of the same
  /// benchmark are none of its business.
  /// A torn last line is cut off with a warning, its run is done again. Throws UserError when there are unfinished logs
  /// but only with other settings (it names what changed and `how_to_start_anew`), when another process is writing the
  /// log, and for a log that is damaged elsewhere.
  static std::optional<RunLog> resume(const std::filesystem::path& folder, const RunPlan& plan,
                                      const std::string& how_to_start_anew);

  RunLog(RunLog&&) noexcept;
  RunLog& operator=(RunLog&&) noexcept;
  ~RunLog();  ///< unlocks

  /// Appends and syncs. Throws EnvironmentError; what was appended before stays readable.
  void append(const RunRecord& record);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path result_path() const;  ///< the result file that belongs to it
  const std::string& timestamp() const { return timestamp_; }

  /// The finished runs, in the order of their keys.
  const std::vector<RunRecord>& records() const { return records_; }

 private:
  RunLog();

  std::filesystem::path path_;
  std::string timestamp_;
  std::vector<RunRecord> records_;
  std::unique_ptr<RunLock> lock_;
};

}  // namespace specthink::inline report
