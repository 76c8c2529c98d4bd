#include "specthink/report/trace.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/log.h"

namespace specthink {
namespace {

constexpr std::array<std::string_view, 4> kWriters{"draft", "probe", "inject", "target"};
constexpr std::int64_t kMaxTokens = std::int64_t{1} << 24;  // no context is longer; sums of many stay exact

const Json& require(const Json& object, const char* key, std::string_view source) {
  if (!object.is_object()) throw UserError("{}: expected a JSON object, found {}", source, object.type_name());
  const auto found = object.find(key);
  if (found == object.end()) throw UserError("{}: the trace has no key '{}'", source, key);
  return *found;
}

int read_count(const Json& object, const char* key, std::string_view source) {
  const Json& value = require(object, key, source);
  // An unsigned value above the int64 range turns negative here, which is refused as well.
  const std::int64_t count = value.is_number_integer() ? value.get<std::int64_t>() : -1;
  if (count < 0 || count > kMaxTokens) {
    throw UserError("{}: expected an integer from 0 to {} in '{}', found {}", source, kMaxTokens, key, excerpt(value));
  }
  return static_cast<int>(count);
}

double read_time(const Json& object, const char* key, std::string_view source) {
  const auto found = object.find(key);
  if (found == object.end()) return -1;
  if (!found->is_number() || !(found->get<double>() >= 0)) {
    throw UserError("{}: expected milliseconds of at least 0 in '{}', found {}", source, key, excerpt(*found));
  }
  return found->get<double>();
}

Segment parse_segment(const Json& object, std::string_view source) {
  const Json& by = require(object, "by", source);
  const auto* writer = by.get_ptr<const std::string*>();
  if (!writer || std::find(kWriters.begin(), kWriters.end(), *writer) == kWriters.end()) {
    throw UserError("{}: expected draft, probe, inject or target in 'by', found {}", source, excerpt(by));
  }
  Segment segment;
  segment.by = *writer;
  segment.tokens = read_count(object, "tokens", source);
  segment.start_ms = read_time(object, "start_ms", source);
  segment.ms = read_time(object, "ms", source);
  return segment;
}

// Null for a last line that was cut off while it was written.
std::optional<Json> parse_line(const TextLine& line, std::string_view source) {
  try {
    return parse_json(line.text, source);
  } catch (const UserError&) {
    if (line.terminated) throw;
    spdlog::warn("{}: the last line is torn and skipped", source);
    return std::nullopt;
  }
}

}  // namespace

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
  Trace trace;
  trace.problem = read_count(object, "problem", source);
  trace.run = read_count(object, "run", source);
  trace.prompt_tokens = read_count(object, "prompt_tokens", source);
  trace.completion_tokens = read_count(object, "completion_tokens", source);
  const Json& segments = require(object, "segments", source);
  if (!segments.is_array())
    throw UserError("{}: expected a list in 'segments', found {}", source, segments.type_name());
  trace.segments.reserve(segments.size());
  for (std::size_t i = 0; i < segments.size(); ++i) {
    trace.segments.push_back(parse_segment(segments[i], fmt::format("{}: segments[{}]", source, i)));
  }
  return trace;
}

std::vector<Trace> read_traces(const std::filesystem::path& path) {
  const std::string content = read_file(path);
  std::vector<Trace> traces;
  for (const TextLine& line : split_lines(content)) {
    const std::string source = fmt::format("{}:{}", path.string(), line.number);
    const std::optional<Json> object = parse_line(line, source);
    if (!object || (object->is_object() && object->contains("format"))) continue;
    traces.push_back(parse_trace(*object, source));
  }
  if (traces.empty()) throw UserError("{}: no trace in it, expected one JSON object a line", path.string());
  return traces;
}

}  // namespace specthink
