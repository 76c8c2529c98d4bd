#include "specthink/report/run_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "report/run_lock.h"
#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/report/run_log_file.h"

namespace specthink::inline report {
namespace {

namespace fs = std::filesystem;

}  // namespace

bool is_other_part(Json settings, Json mine) {
  if (!settings.contains(kPartKey) || !mine.contains(kPartKey) || settings == mine) return false;
  settings.erase(kPartKey);
  mine.erase(kPartKey);
  return settings == mine;
}

bool RunPlan::has_problem(std::size_t problem) const {
  return problem < num_problems &&
         problem % static_cast<std::size_t>(part.of) + 1 == static_cast<std::size_t>(part.number);
}

bool RunPlan::contains(const RunKey& key) const {
  return std::find(modes.begin(), modes.end(), key.mode) != modes.end() && has_problem(key.problem) &&
         key.run < num_runs;
}

std::size_t RunPlan::total() const {
  const auto of = static_cast<std::size_t>(part.of);
  const auto number = static_cast<std::size_t>(part.number);
  return modes.size() * num_runs * ((num_problems + of - number) / of);
}

RunLog RunLog::create(const fs::path& folder, const RunPlan& plan, std::string timestamp) {
  RunLog log;
  while (true) {
    log.path_ = folder / fmt::format("{}_benchmark_{}.jsonl", file_kind(plan.modes), timestamp);
    log.timestamp_ = timestamp;
    timestamp = second_after(timestamp);
    std::error_code ignored;
    std::string owner;
    if (fs::exists(log.result_path(), ignored) || fs::exists(log.path_, ignored)) continue;
    auto lock = std::make_unique<RunLock>();
    if (!lock->take(log.path_, owner)) continue;
    const int fd = ::open(log.path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 && errno == EEXIST) continue;
    if (fd < 0) throw EnvironmentError("cannot write {}: {}", log.path_.string(), std::strerror(errno));
    ::close(fd);
    log.lock_ = std::move(lock);
    break;
  }
  append_line(log.path_, to_line(header_json(plan, log.timestamp_)));
  return log;
}

std::optional<RunLog> RunLog::resume(const fs::path& folder, const RunPlan& plan,
                                     const std::string& how_to_start_anew) {
  const auto open_log = [&](const LogName& name) {
    RunLog log;
    log.path_ = name.path;
    log.timestamp_ = name.timestamp;
    log.lock_ = std::make_unique<RunLock>();
    std::string owner;
    if (!log.lock_->take(name.path, owner)) {
      throw UserError(
          "cannot resume {}: another process is writing it ({}); wait for it, or leave out --resume to start anew",
          name.path.string(), owner);
    }
    log.records_ = load_run_log(name.path, plan);
    return log;
  };

  std::optional<LogName> newest;          // of all logs, when it has these settings
  std::optional<std::string> difference;  // of the newest unfinished log, when it has others
  bool is_newest = true;
  for (const LogName& name : list_run_logs(folder)) {
    const std::optional<RunLogState> state = inspect_run_log(name.path);
    if (!state || is_other_part(state->settings, plan.settings)) continue;
    const bool unfinished = state->finished < state->total;
    if (state->settings == plan.settings) {
      if (unfinished) return open_log(name);
      if (is_newest) newest = name;
    } else if (unfinished && !difference) {
      difference = describe_other_settings(name.path, state->settings, plan.settings, how_to_start_anew);
    }
    is_newest = false;
  }
  if (newest) return open_log(*newest);
  if (difference) throw UserError("{}", *difference);
  return std::nullopt;
}

RunLog::RunLog(RunLog&&) noexcept = default;
RunLog& RunLog::operator=(RunLog&&) noexcept = default;
RunLog::RunLog() = default;
RunLog::~RunLog() = default;

fs::path RunLog::result_path() const { return fs::path(path_).replace_extension(".json"); }

void RunLog::append(const RunRecord& record) {
  append_line(path_, to_line(log_json(record)));
  if (!record.is_finished()) return;
  const auto place = std::lower_bound(records_.begin(), records_.end(), record.key,
                                      [](const RunRecord& a, const RunKey& key) { return a.key < key; });
  if (place != records_.end() && place->key == record.key) {
    *place = record;
  } else {
    records_.insert(place, record);
  }
}

}  // namespace specthink::inline report
