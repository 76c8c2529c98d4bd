#include "specthink/replay/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/log.h"
#include "specthink/config/options.h"
#include "specthink/replay/workload.h"
#include "specthink/report/log_file.h"

namespace specthink::inline replay {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFormat = "specthink replay runs 1";

std::string log_name(const std::string& timestamp) { return "replay_" + timestamp + ".jsonl"; }

/// The settings that a log begins with; null for a file that is none of ours or whose first line is torn.
std::optional<Json> settings_of(const std::vector<TextLine>& lines) {
  if (lines.empty() || !lines.front().terminated) return std::nullopt;
  try {
    const Json header = parse_json(lines.front().text, "");
    if (header.is_object() && header.value("format", Json()) == Json(kFormat) && header.contains("settings")) {
      return with_current_words(header.at("settings"));
    }
  } catch (const UserError&) {
  }
  return std::nullopt;
}

std::vector<ReplayRecord> read_records(const fs::path& path, const std::vector<TextLine>& lines) {
  std::vector<ReplayRecord> records;
  for (auto line = lines.begin() + 1; line != lines.end(); ++line) {
    const std::string source = fmt::format("{}:{}", path.string(), line->number);
    if (!line->terminated) {
      spdlog::warn("{}: the last line is torn and cut off, its run is done again", source);
      cut_log(path, line->offset);
      break;
    }
    try {
      records.push_back(parse_replay_record(parse_json(line->text, source), source));
    } catch (const UserError& error) {
      fail_at_line(error.what());
    }
  }
  return records;
}

}  // namespace

ReplayLog ReplayLog::create(const fs::path& folder, Json settings, std::string timestamp) {
  ReplayLog log;
  for (int file = -1; file < 0; timestamp = second_after(timestamp)) {
    log.timestamp_ = timestamp;
    log.path_ = folder / log_name(timestamp);
    std::error_code ignored;
    if (fs::exists(log.result_path(), ignored)) continue;
    file = ::open(log.path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file < 0 && errno != EEXIST) {
      throw EnvironmentError("cannot write {}: {}", log.path_.string(), std::strerror(errno));
    }
    if (file >= 0) ::close(file);
  }
  append_line(
      log.path_,
      to_line({{"format", kFormat}, {"timestamp", log.timestamp_}, {"settings", OrderedJson(std::move(settings))}}));
  return log;
}

std::optional<ReplayLog> ReplayLog::resume(const fs::path& folder, const Json& settings) {
  std::optional<std::string> difference;  // of the newest log
  for (const LogName& name : list_logs(folder, "replay_([0-9]{8}_[0-9]{6})\\.jsonl")) {
    ReplayLog log;
    log.timestamp_ = name.timestamp;
    log.path_ = name.path;
    const std::string content = read_file(log.path_);
    const std::vector<TextLine> lines = split_lines(content);
    const std::optional<Json> found = settings_of(lines);
    if (!found) continue;
    Json before = settings;  // what an older program did not write down is taken to be the same
    before.update(*found);
    if (before == settings) {
      log.records_ = read_records(log.path_, lines);
      return log;
    }
    if (!difference) difference = describe_other_settings(log.path_, before, settings);
  }
  if (difference) throw UserError("{}", *difference);
  return std::nullopt;
}

void ReplayLog::append(const ReplayRecord& record) {
  append_line(path_, to_line(to_json(record)));
  records_.push_back(record);
}

const ReplayRecord* ReplayLog::find(ReplayLoop loop, std::size_t workload, bool speculates) const {
  const auto found = std::find_if(records_.rbegin(), records_.rend(), [&](const ReplayRecord& record) {
    return record.loop == loop && record.workload == workload && record.speculates == speculates;
  });
  return found == records_.rend() ? nullptr : &*found;
}

fs::path ReplayLog::result_path() const { return fs::path(path_).replace_extension(".json"); }

}  // namespace specthink::inline replay
