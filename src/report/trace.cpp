#include "specthink/report/trace.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "report/proposer_keys.h"
#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/report/json_reader.h"

namespace specthink::inline report {
namespace {

constexpr std::array<std::string_view, 5> kWriters{"draft", "probe", "inject", "target", "read"};
constexpr std::int64_t kMaxTokens = std::int64_t{1} << 24;  // no context is longer; sums of many stay exact

constexpr std::pair<const char*, Proposals StepCount::*> kProposersOfSteps[] = {
    {kNgramKey, &StepCount::ngram},
    {kDraftKey, &StepCount::draft_model},
};
constexpr const char* kSteps = "steps";
constexpr const char* kProposals = "proposals";

double read_time(const JsonReader& reader, const char* key) { return reader.has(key) ? reader.number(key) : -1; }

Proposals parse_proposals(const JsonReader& reader, const char* proposer) {
  const Json& pair = reader.list(proposer);
  const auto is_count = [](const Json& value) {
    return value.is_number_unsigned() && value.get<std::uint64_t>() <= kMaxTokens;
  };
  if (pair.size() != 2 || !is_count(pair[0]) || !is_count(pair[1]) || pair[1] > pair[0]) {
    reader.fail(proposer, "[proposed, accepted]");
  }
  return {pair[0].get<int>(), pair[1].get<int>()};
}

StepCount parse_steps(const JsonReader& segment, const std::string& source) {
  StepCount written;
  if (segment.has(kSteps)) written.steps = static_cast<int>(segment.count(kSteps, kMaxTokens));
  if (!segment.has(kProposals)) return written;
  const JsonReader reader(segment.value(kProposals), source + ": proposals", "it");
  for (const auto& [proposer, proposals] : kProposersOfSteps) {
    if (reader.has(proposer)) written.*proposals = parse_proposals(reader, proposer);
  }
  return written;
}

Segment parse_segment(const Json& object, const std::string& source) {
  const JsonReader reader(object, source, "the segment");
  const Json& by = reader.value("by");
  const auto* writer = by.get_ptr<const std::string*>();
  if (!writer || std::find(kWriters.begin(), kWriters.end(), *writer) == kWriters.end()) {
    reader.fail("by", "draft, probe, inject, target or read");
  }
  Segment segment;
  segment.by = *writer;
  segment.tokens = static_cast<int>(reader.count("tokens", kMaxTokens));
  segment.start_ms = read_time(reader, "start_ms");
  segment.ms = read_time(reader, "ms");
  if (reader.has("kept")) segment.kept = static_cast<int>(reader.count("kept", segment.tokens));
  if (reader.has("why")) segment.why = reader.text("why");
  segment.written = parse_steps(reader, source);
  return segment;
}

}  // namespace

Json to_json(const Segment& segment) {
  Json json = {{"by", segment.by}, {"tokens", segment.tokens}};
  if (segment.start_ms >= 0) json["start_ms"] = segment.start_ms;
  if (segment.ms >= 0) json["ms"] = segment.ms;
  if (segment.kept >= 0) json["kept"] = segment.kept;
  if (!segment.why.empty()) json["why"] = segment.why;
  if (segment.written.steps >= 0) json[kSteps] = segment.written.steps;
  for (const auto& [proposer, proposals] : kProposersOfSteps) {
    const auto& [proposed, accepted] = segment.written.*proposals;
    if (proposed > 0) json[kProposals][proposer] = {proposed, accepted};
  }
  return json;
}

OrderedJson to_json(const Trace& trace) {
  OrderedJson segments = OrderedJson::array();
  for (const Segment& segment : trace.segments) segments.push_back(OrderedJson(to_json(segment)));
  return {{"problem", trace.problem},
          {"run", trace.run},
          {"prompt_tokens", trace.prompt_tokens},
          {"completion_tokens", trace.completion_tokens},
          {"segments", std::move(segments)}};
}

Trace parse_trace(const Json& object, std::string_view source) {
  const JsonReader reader(object, source, "the trace");
  const auto count = [&](const char* key) { return static_cast<int>(reader.count(key, kMaxTokens)); };
  Trace trace;
  trace.problem = count("problem");
  trace.run = count("run");
  trace.prompt_tokens = count("prompt_tokens");
  trace.completion_tokens = count("completion_tokens");
  const Json& segments = reader.list("segments");
  trace.segments.reserve(segments.size());
  for (std::size_t i = 0; i < segments.size(); ++i) {
    trace.segments.push_back(parse_segment(segments[i], fmt::format("{}: segments[{}]", source, i)));
  }
  return trace;
}

std::vector<Trace> read_traces(const std::filesystem::path& path, const TraceCheck& check) {
  const std::string content = read_file(path);
  std::vector<Trace> traces;
  for (const TextLine& line : split_lines(content)) {
    const std::string source = fmt::format("{}:{}", path.string(), line.number);
    const Json object = parse_json(line.text, source);
    if (object.is_object() && object.contains("format")) continue;
    traces.push_back(parse_trace(object, source));
    if (check) check(traces.back(), source);
  }
  if (traces.empty()) throw UserError("{}: no recorded run in it, expected one JSON trace a line", path.string());
  return traces;
}

}  // namespace specthink::inline report
