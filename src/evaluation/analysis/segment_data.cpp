#include "evaluation/analysis/segment_data.h"

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

namespace specthink::inline evaluation {
namespace {

double tenths(double value) { return std::round(value * 10) / 10; }

bool is_dropped(const Segment& segment) {
  return segment.by != "read" && segment.kept >= 0 && segment.kept < segment.tokens;
}

// What the draft wrote in vain gave way to the next text of the target, unless the draft itself went on.
std::string why_dropped(const std::vector<Segment>& segments, std::size_t index) {
  if (segments[index].by == "inject") return "with the probe behind it";
  if (segments[index].by == "target") return "the draft's text stayed";
  for (std::size_t next = index + 1; next < segments.size() && segments[next].by != "draft"; ++next) {
    const Segment& other = segments[next];
    if (other.by != "target" || other.kept_tokens() == 0) continue;
    return other.why.empty() ? "the target wrote instead" : "the target wrote instead: " + other.why;
  }
  return "the target was not asked";
}

OrderedJson known_of(const std::vector<Segment>& segments, std::size_t index) {
  const Segment& segment = segments[index];
  OrderedJson known = OrderedJson::object();
  if (segment.kept >= 0) known["kept"] = segment.kept;
  if (is_dropped(segment)) known["dropped"] = why_dropped(segments, index);
  if (!segment.why.empty()) known["why"] = segment.why;
  if (segment.written.steps >= 0) known["steps"] = segment.written.steps;
  for (const auto& [key, proposals] :
       {std::pair{"ngram", segment.written.ngram}, std::pair{"draft", segment.written.draft_model}}) {
    if (proposals.proposed > 0) known[key] = {proposals.proposed, proposals.accepted};
  }
  return known;
}

}  // namespace

OrderedJson segment_data(const std::vector<Segment>& segments) {
  OrderedJson result = OrderedJson::array();
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Segment& segment = segments[i];
    const bool is_timed = segment.start_ms >= 0 && segment.ms >= 0;
    OrderedJson entry{segment.by, segment.tokens, is_timed ? OrderedJson(tenths(segment.start_ms)) : OrderedJson(),
                      is_timed ? OrderedJson(tenths(segment.ms)) : OrderedJson()};
    OrderedJson known = known_of(segments, i);
    if (!known.empty()) entry.push_back(std::move(known));
    result.push_back(std::move(entry));
  }
  return result;
}

}  // namespace specthink::inline evaluation
