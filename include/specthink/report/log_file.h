// What the logs of bench and of replay have in common: JSONL files, named by the time at which they began, to which
// finished runs are appended.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "specthink/base/json.h"

namespace specthink::inline report {

struct LogName {
  std::filesystem::path path;
  std::string timestamp;
};

/// The files of a folder whose names match `pattern` (a regular expression with one group, the timestamp), the newest
/// first.
std::vector<LogName> list_logs(const std::filesystem::path& folder, const std::string& pattern);

/// Cuts off what lies from byte `size` on: a last line that was not written to its end. Throws EnvironmentError.
void cut_log(const std::filesystem::path& path, std::size_t size);

/// What was changed between two settings: "seed: 0, now 1; sampling.top_p: 0.95, now 1.0".
std::string describe_changes(const Json& before, const Json& now);

/// Why a log that was begun with the settings `before` is not resumed with `now`.
std::string describe_other_settings(const std::filesystem::path& path, const Json& before, const Json& now,
                                    const std::string& how_to_start_anew = "leave out --resume to start anew");

/// Throws UserError with `problem`, a message about one line, and what to do about it.
[[noreturn]] void fail_at_line(const std::string& problem);

/// `YYYYmmdd_HHMMSS` of the local time now, and of the second after another one.
std::string current_timestamp();
std::string second_after(const std::string& timestamp);

}  // namespace specthink::inline report
