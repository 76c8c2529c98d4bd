#include "specthink/report/run_log_file.h"

#include <cstdint>
#include <fstream>
#include <map>
#include <set>
#include <utility>

#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/log.h"
#include "specthink/config/options.h"
#include "specthink/report/jsonl.h"

namespace specthink::inline report {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxLogBytes = std::uint64_t{1} << 40;

std::optional<Json> try_parse(std::string_view line) {
  try {
    return parse_json(line, "");
  } catch (const UserError&) {
    return std::nullopt;
  }
}

// The first line's object, when it is a header of ours.
std::optional<Json> parse_header(const std::vector<TextLine>& lines) {
  if (lines.empty() || !lines.front().terminated) return std::nullopt;
  std::optional<Json> header = try_parse(lines.front().text);
  if (!header || !header->is_object() || header->value("format", Json()) != Json(kRunLogFormat)) return std::nullopt;
  if (!header->value("settings", Json()).is_object()) return std::nullopt;
  if (!header->value("runs", Json()).is_number_unsigned()) return std::nullopt;
  header->at("settings") = with_current_words(header->at("settings"));
  return header;
}

RunRecord load_record(const TextLine& line, const RunPlan& plan, const std::string& source) {
  try {
    RunRecord record = parse_record(parse_json(line.text, source), source);
    const RunKey& key = record.key;
    if (!plan.contains(key)) {
      throw UserError("{}: {}, problem {}, run {} is none of this benchmark's runs ({} problems, {} runs each)", source,
                      name_of(key.mode), key.problem, key.run, plan.num_problems, plan.num_runs);
    }
    return record;
  } catch (const UserError& error) {
    fail_at_line(error.what());
  }
}

}  // namespace

std::vector<LogName> list_run_logs(const fs::path& folder) {
  return list_logs(folder, "[a-z_]+_benchmark_([0-9]{8}_[0-9]{6})\\.jsonl");
}

OrderedJson header_json(const RunPlan& plan, const std::string& timestamp) {
  OrderedJson header{{"format", kRunLogFormat},
                     {"timestamp", timestamp},
                     {"model_type", file_kind(plan.modes)},
                     {"runs", plan.total()},
                     {"settings", OrderedJson(plan.settings)}};
  if (!plan.description.empty()) header["description"] = OrderedJson(plan.description);
  if (!plan.part.is_whole()) header["for_merge"] = plan.for_merge;
  return header;
}

std::optional<Json> read_header(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line) || file.eof()) return std::nullopt;
  return parse_header({{line, 0, 1, true}});
}

std::optional<RunLogState> inspect_run_log(const fs::path& path) {
  std::string content;
  try {
    content = read_file(path, kMaxLogBytes);
  } catch (const UserError&) {
    return std::nullopt;
  }
  const std::vector<TextLine> lines = split_lines(content);
  const std::optional<Json> header = parse_header(lines);
  if (!header) return std::nullopt;
  std::set<RunKey> finished;
  for (auto line = lines.begin() + 1; line != lines.end(); ++line) {
    try {
      const RunRecord record = parse_record(parse_json(line->text, ""), "");
      if (record.is_finished()) finished.insert(record.key);
    } catch (const UserError&) {
      continue;  // a run that is not finished; loading says more
    }
  }
  return RunLogState{header->at("settings"), header->at("runs").get<std::size_t>(), finished.size()};
}

std::vector<RunRecord> load_run_log(const fs::path& path, const RunPlan& plan, TornLine torn_line) {
  const std::string content = read_file(path, kMaxLogBytes);
  const std::vector<TextLine> lines = split_lines(content);
  if (!parse_header(lines)) throw UserError("{}: the first line is none of a run log", path.string());
  std::map<RunKey, RunRecord> runs;
  for (auto line = lines.begin() + 1; line != lines.end(); ++line) {
    const std::string source = fmt::format("{}:{}", path.string(), line->number);
    if (!line->terminated && !try_parse(line->text)) {
      if (torn_line == TornLine::skip) break;
      spdlog::warn("{}: the last line is torn and cut off, its run is done again", source);
      cut_log(path, line->offset);
      break;
    }
    RunRecord record = load_record(*line, plan, source);
    if (!line->terminated && torn_line == TornLine::repair) append_line(path, "");
    if (record.is_finished()) runs.insert_or_assign(record.key, std::move(record));
  }
  std::vector<RunRecord> records;
  for (auto& [key, record] : runs) records.push_back(std::move(record));
  return records;
}

}  // namespace specthink::inline report
