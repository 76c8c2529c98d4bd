#include "specthink/report/log_file.h"

#include <algorithm>
#include <ctime>
#include <regex>
#include <set>
#include <system_error>
#include <tuple>

#include "specthink/base/error.h"
#include "specthink/base/local_time.h"

namespace specthink::inline report {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxChangesShown = 6;
constexpr const char* kTimeFormat = "%Y%m%d_%H%M%S";

void collect_changes(const Json& before, const Json& now, const std::string& name, std::vector<std::string>& changes) {
  if (before == now) return;
  if (!before.is_object() || !now.is_object()) {
    changes.push_back(fmt::format("{}: {}, now {}", name, excerpt(before), excerpt(now)));
    return;
  }
  std::set<std::string> keys;
  for (const auto& [key, value] : before.items()) keys.insert(key);
  for (const auto& [key, value] : now.items()) keys.insert(key);
  for (const std::string& key : keys) {
    collect_changes(before.value(key, Json()), now.value(key, Json()), name.empty() ? key : name + "." + key, changes);
  }
}

}  // namespace

std::vector<LogName> list_logs(const fs::path& folder, const std::string& pattern) {
  const std::regex name_pattern(pattern);
  std::vector<LogName> logs;
  std::error_code ignored;
  for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
    const std::string name = entry->path().filename().string();
    std::smatch match;
    std::error_code unreadable;
    if (!std::regex_match(name, match, name_pattern) || !entry->is_regular_file(unreadable)) continue;
    logs.push_back({entry->path(), match[1]});
  }
  std::sort(logs.begin(), logs.end(), [](const LogName& a, const LogName& b) {
    return std::tie(a.timestamp, a.path) > std::tie(b.timestamp, b.path);
  });
  return logs;
}

void cut_log(const fs::path& path, std::size_t size) {
  std::error_code error;
  fs::resize_file(path, size, error);
  if (error) throw EnvironmentError("cannot write {}: {}", path.string(), error.message());
}

std::string describe_changes(const Json& before, const Json& now) {
  std::vector<std::string> changes;
  collect_changes(before, now, "", changes);
  const std::size_t more = changes.size() - std::min(changes.size(), kMaxChangesShown);
  changes.resize(changes.size() - more);
  return fmt::format("{}{}", fmt::join(changes, "; "), more > 0 ? fmt::format("; and {} more", more) : "");
}

std::string describe_other_settings(const fs::path& path, const Json& before, const Json& now,
                                    const std::string& how_to_start_anew) {
  return fmt::format("cannot resume {}: the settings have changed ({}); use the same ones, or {}", path.string(),
                     describe_changes(before, now), how_to_start_anew);
}

void fail_at_line(const std::string& problem) {
  throw UserError("{}; delete this line to have its run done again, or leave out --resume to start anew", problem);
}

std::string current_timestamp() { return format_local_time(std::time(nullptr), kTimeFormat); }

std::string second_after(const std::string& timestamp) {
  std::tm local{};
  check(strptime(timestamp.c_str(), kTimeFormat, &local) != nullptr, "a timestamp is YYYYmmdd_HHMMSS");
  local.tm_isdst = -1;
  return format_local_time(std::mktime(&local) + 1, kTimeFormat);
}

}  // namespace specthink::inline report
