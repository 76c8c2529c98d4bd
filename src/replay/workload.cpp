#include "specthink/replay/workload.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "specthink/base/error.h"

namespace specthink::inline replay {
namespace {

std::int64_t kept_tokens(const Trace& trace) {
  std::int64_t tokens = 0;
  for (const Segment& segment : trace.segments) tokens += segment.kept_tokens();
  return tokens;
}

void check_workload(const Trace& trace, std::string_view source) {
  if (trace.prompt_tokens < 1) {
    throw UserError("{}: expected at least 1 in 'prompt_tokens', found {}", source, trace.prompt_tokens);
  }
  if (trace.segments.empty()) throw UserError("{}: expected at least one segment in 'segments', found none", source);
  for (std::size_t i = 0; i < trace.segments.size(); ++i) {
    if (trace.segments[i].tokens < 1) {
      throw UserError("{}: segments[{}]: expected at least 1 in 'tokens', found {}", source, i,
                      trace.segments[i].tokens);
    }
  }
  const std::int64_t kept = kept_tokens(trace);
  if (kept == 0) throw UserError("{}: expected text in 'segments', found probes only", source);
  if (kept != trace.completion_tokens) {
    throw UserError(
        "{}: 'completion_tokens' is {}, but the draft, inject and target segments have {} tokens together; a replay "
        "takes runs of compat original whose probes were all thrown away (choose_large), and all that say of each "
        "segment what was kept",
        source, trace.completion_tokens, kept);
  }
}

bool is_at(const Trace& trace, std::size_t i, std::string_view by) {
  return i < trace.segments.size() && trace.segments[i].by == by;
}

std::vector<ReplayRequest> recorded_requests(const Trace& trace, bool keep_neutral_probes) {
  std::vector<ReplayRequest> requests;
  int written = 0;  // tokens of the next segment that a kept probe has written already
  for (std::size_t i = 0; i < trace.segments.size(); ++i) {
    const Segment& segment = trace.segments[i];
    const bool after_probe = i > 0 && is_at(trace, i - 1, "probe");
    if (segment.by == "inject") {
      const int kept = segment.kept_tokens();
      if (kept > 0) requests.push_back({std::nullopt, kept, kept});
    } else if (segment.by == "read") {
      // A step that was thrown away was read with the question.
      const bool is_thrown = after_probe && trace.segments[i - 1].kept_tokens() == 0;
      const int positions = segment.tokens + (is_thrown ? trace.segments[i - 1].tokens : 0);
      requests.push_back({Purpose::answer, positions, 0, /*reads=*/true});
    } else if (segment.by == "target") {
      requests.push_back({after_probe && trace.segments[i - 1].kept < 0 ? Purpose::answer : Purpose::takeover,
                          segment.tokens, segment.kept_tokens()});
    } else if (segment.kept >= 0) {
      requests.push_back({segment.by == "probe" ? Purpose::probe : Purpose::segment, segment.tokens, segment.kept});
    } else if (segment.by == "probe") {
      const bool behind_word = i > 0 && is_at(trace, i - 1, "inject");
      if (keep_neutral_probes && !behind_word && is_at(trace, i + 1, "draft")) {
        written = std::min(segment.tokens, trace.segments[i + 1].tokens);
      }
      requests.push_back({Purpose::probe, segment.tokens, written});
    } else {
      const int missing = segment.tokens - written;
      written = 0;
      if (missing > 0) requests.push_back({Purpose::segment, missing, missing});
    }
  }
  return requests;
}

}  // namespace

const char* name_of(ReplayLoop loop) {
  switch (loop) {
    case ReplayLoop::original:
      return "original";
    case ReplayLoop::fixed:
      return "fixed";
    case ReplayLoop::target:
      return "target";
  }
  return "unknown";
}

std::vector<Trace> read_workloads(const std::filesystem::path& path) { return read_traces(path, check_workload); }

std::vector<std::size_t> select_workloads(const std::optional<std::vector<IndexRange>>& ranges, std::size_t count) {
  const std::vector<IndexRange> all{{0, static_cast<int>(count) - 1}};
  std::vector<std::size_t> selected;
  for (const IndexRange& range : ranges.value_or(all)) {
    if (static_cast<std::size_t>(range.last) >= count) {
      throw UserError("--workloads names workload {}, but there are {} (0 to {})", range.last, count, count - 1);
    }
    for (int i = range.first; i <= range.last; ++i) {
      const auto index = static_cast<std::size_t>(i);
      if (std::find(selected.begin(), selected.end(), index) == selected.end()) selected.push_back(index);
    }
  }
  return selected;
}

std::vector<ReplayRequest> replay_requests(const Trace& trace, ReplayLoop loop) {
  if (loop == ReplayLoop::target) return {{Purpose::takeover, trace.completion_tokens, trace.completion_tokens}};
  return recorded_requests(trace, loop == ReplayLoop::fixed);
}

std::int64_t replay_context(const Trace& trace, ReplayLoop loop) {
  std::int64_t length = trace.prompt_tokens;
  std::int64_t longest = length;
  for (const ReplayRequest& request : replay_requests(trace, loop)) {
    longest = std::max(longest, length + request.tokens);
    length += request.kept;
  }
  return longest;
}

}  // namespace specthink::inline replay
