// Finding and reading the run logs of a folder.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "specthink/base/json.h"
#include "specthink/report/log_file.h"
#include "specthink/report/run_log.h"

namespace specthink::inline report {

/// The value of `format` in the first line.
constexpr std::string_view kRunLogFormat = "specthink benchmark runs 1";

/// The run logs of a folder (KIND_benchmark_TIMESTAMP.jsonl), the newest first.
std::vector<LogName> list_run_logs(const std::filesystem::path& folder);

/// The first line of a new log.
OrderedJson header_json(const RunPlan& plan, const std::string& timestamp);

/// What a log is about and how far it came.
struct RunLogState {
  Json settings;
  std::size_t total = 0;     ///< runs of the plan
  std::size_t finished = 0;  ///< different runs, as far as they can be read
};

/// Null for a file that is no run log of ours, also one that cannot be read or whose first line is torn.
std::optional<RunLogState> inspect_run_log(const std::filesystem::path& path);

/// The first line of a log, checked as far as inspect_run_log() does; null under the same conditions.
std::optional<Json> read_header(const std::filesystem::path& path);

/// What to do about a last line that was not written to its end: another process may be about to.
enum class TornLine { repair, skip };

/// Finished runs, in the order of their keys; of two lines about one run the later one counts. With `repair` the file
/// is cut behind its last complete line, so that appending to it gives a valid file. Throws UserError.
std::vector<RunRecord> load_run_log(const std::filesystem::path& path, const RunPlan& plan,
                                    TornLine torn_line = TornLine::repair);

}  // namespace specthink::inline report
