#include "specthink/report/run_record.h"

#include <set>
#include <utility>

#include "specthink/base/error.h"
#include "specthink/report/json_reader.h"
#include "specthink/report/ledger.h"
#include "specthink/report/trace.h"

namespace specthink::inline report {
namespace {

constexpr std::string_view kInterrupted = "interrupted";

Json log_entries(const std::vector<LogEntry>& log) {
  Json entries = Json::array();
  for (const LogEntry& entry : log) {
    // "traget" is how the original spells it, and part of the format.
    Json object = {{"pos", entry.pos}, {"token_num", entry.token_num}, {"traget", entry.target_text}};
    if (entry.draft_text) object["speculative"] = *entry.draft_text;
    entries.push_back(std::move(object));
  }
  return entries;
}

// The keys of a run in a result file, of which both its forms consist.
void add_result_keys(OrderedJson& object, const RunRecord& record) {
  const bool is_spec = record.key.mode == RunMode::spec;
  object["run"] = record.key.run;
  object["latency"] = record.latency;
  object["num_tokens"] = record.num_tokens;
  object["throughput"] = record.throughput;
  if (is_spec) object["large_model_tokens"] = record.large_model_tokens;
  object["large_model_ratio"] = record.large_model_ratio;
  if (is_spec) object["num_validations"] = record.num_validations;
  object["generated_text"] = record.generated_text;
  object["prompt_tokens"] = record.prompt_tokens;
  object["finish_reason"] = record.finish_reason;
  if (is_spec) object["takeovers"] = record.takeovers;
  object["ledger"] = OrderedJson(to_json(record.ledger));
  if (record.correct) {
    object["answer"] = record.answer ? OrderedJson(*record.answer) : OrderedJson();
    object["correct"] = *record.correct;
  }
  for (const auto& [key, value] : record.extra.items()) {
    check(!object.contains(key), "the extra keys of a run differ from those that every run has");
    object[key] = OrderedJson(value);
  }
}

const std::set<std::string>& known_keys() {
  static const std::set<std::string> keys{
      "model_type",       "problem",        "run",           "latency",       "num_tokens",        "throughput",
      "segments",         "generated_text", "prompt_tokens", "finish_reason", "takeovers",         "large_model_tokens",
      "num_validations",  "answer",         "correct",       "ledger",        "large_model_ratio", "correct_tokens",
      "completion_tokens"};
  return keys;
}

RunMode parse_mode(const JsonReader& reader) {
  const std::optional<RunMode> mode = find_run_mode(reader.text("model_type"));
  if (!mode)
    reader.fail("model_type", "large_model, large_model_token_speculation, speculative_thinking or draft_model");
  return *mode;
}

}  // namespace

const char* name_of(RunMode mode) {
  switch (mode) {
    case RunMode::large:
      return "large_model";
    case RunMode::spec:
      return "speculative_thinking";
    case RunMode::draft:
      return "draft_model";
    case RunMode::large_spec:
      return "large_model_token_speculation";
  }
  throw InternalError("unknown run mode {}", static_cast<int>(mode));
}

std::optional<RunMode> find_run_mode(std::string_view name) {
  for (const RunMode mode : {RunMode::large, RunMode::spec, RunMode::draft, RunMode::large_spec}) {
    if (name == name_of(mode)) return mode;
  }
  return std::nullopt;
}

std::vector<RunMode> run_modes(TestMode test_mode, bool token_speculation) {
  switch (test_mode) {
    case TestMode::large:
      return {RunMode::large};
    case TestMode::spec:
      return {RunMode::spec};
    case TestMode::both:
      if (token_speculation) return {RunMode::large, RunMode::large_spec, RunMode::spec};
      return {RunMode::large, RunMode::spec};
    case TestMode::all:
      if (token_speculation) return {RunMode::large, RunMode::large_spec, RunMode::spec, RunMode::draft};
      return {RunMode::large, RunMode::spec, RunMode::draft};
  }
  throw InternalError("unknown test mode {}", static_cast<int>(test_mode));
}

const char* file_kind(const std::vector<RunMode>& modes) {
  check(!modes.empty(), "a benchmark has a mode");
  return modes.size() == 1 ? name_of(modes.front()) : "speedup";
}

bool RunRecord::is_finished() const { return finish_reason != kInterrupted; }

RunRecord make_record(const RunKey& key, const RunOutcome& outcome) {
  const RunResult& result = outcome.result;
  RunRecord record;
  record.key = key;
  record.latency = outcome.latency;
  record.num_tokens = static_cast<std::int64_t>(result.ids.size());
  record.throughput = outcome.latency > 0 ? static_cast<double>(record.num_tokens) / outcome.latency : 0;
  record.large_model_tokens = result.ledger.nominal_target_tokens;
  record.large_model_ratio = is_target_alone(key.mode) ? 1 : result.ledger.nominal_target_share();
  record.num_validations = result.num_validations;
  record.generated_text = result.text;
  record.prompt_tokens = static_cast<std::int64_t>(outcome.prompt_tokens);
  record.finish_reason = name_of(result.finish_reason);
  record.takeovers = static_cast<std::int64_t>(result.log.size());
  record.ledger = result.ledger;
  record.extra = outcome.extra;
  for (const Segment& segment : result.segments) record.segments.push_back(to_json(segment));
  record.correct_tokens = log_entries(result.log);
  return record;
}

OrderedJson result_json(const RunRecord& record) {
  OrderedJson object;
  add_result_keys(object, record);
  return object;
}

OrderedJson log_json(const RunRecord& record) {
  OrderedJson object;
  object["model_type"] = name_of(record.key.mode);
  object["problem"] = record.key.problem;
  add_result_keys(object, record);
  object["completion_tokens"] = record.num_tokens;
  object["segments"] = OrderedJson(record.segments);
  object["correct_tokens"] = OrderedJson(record.correct_tokens);
  return object;
}

RunRecord parse_record(const Json& object, std::string_view source) {
  const JsonReader reader(object, source, "the run");
  RunRecord record;
  record.key.mode = parse_mode(reader);
  record.key.problem = static_cast<std::size_t>(reader.count("problem"));
  record.key.run = static_cast<std::size_t>(reader.count("run"));
  record.latency = reader.number("latency");
  record.num_tokens = reader.count("num_tokens");
  record.throughput = reader.number("throughput");
  record.large_model_ratio = reader.number("large_model_ratio");
  record.generated_text = reader.text("generated_text");
  record.prompt_tokens = reader.count("prompt_tokens");
  record.finish_reason = reader.text("finish_reason");
  record.ledger = parse_ledger(reader.value("ledger"), reader.source() + ": ledger");
  if (record.key.mode == RunMode::spec) {
    record.large_model_tokens = reader.count("large_model_tokens");
    record.num_validations = reader.count("num_validations");
    record.takeovers = reader.count("takeovers");
  }
  if (reader.has("correct")) {
    if (!reader.value("correct").is_boolean()) reader.fail("correct", "true or false");
    record.correct = reader.value("correct").get<bool>();
    if (!reader.value("answer").is_null()) record.answer = reader.text("answer");
  }
  parse_trace(object, source);  // checks the segments
  record.segments = reader.value("segments");
  record.correct_tokens = reader.value("correct_tokens");
  for (const auto& [key, value] : object.items()) {
    if (!known_keys().contains(key)) record.extra[key] = value;
  }
  return record;
}

}  // namespace specthink::inline report
