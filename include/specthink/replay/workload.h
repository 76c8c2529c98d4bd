// Recorded runs, and the requests of fixed lengths that replay them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "specthink/config/settings.h"
#include "specthink/report/trace.h"
#include "specthink/schedule/schedule.h"

namespace specthink::inline replay {

/// In the order of the reports.
inline constexpr std::array kReplayLoops{ReplayLoop::original, ReplayLoop::fixed, ReplayLoop::target};

const char* name_of(ReplayLoop loop);

/// The traces of a file of recorded runs, in its order; lines with the key `format` are no runs. Throws UserError that
/// names line and field, also for a run without prompt, for an empty segment, and where Segment::kept_tokens() are not
/// completion_tokens in all.
std::vector<Trace> read_workloads(const std::filesystem::path& path);

/// The workloads that `ranges` name of `count`, each once, in the order given; all of them without ranges. Throws
/// UserError for an index that the file does not have.
std::vector<std::size_t> select_workloads(const std::optional<std::vector<IndexRange>>& ranges, std::size_t count);

struct ReplayRequest {
  std::optional<Purpose> purpose;  ///< none: words of the schedule, which no model writes
  int tokens = 0;                  ///< at least 1
  int kept = 0;                    ///< the first of them that stay in the text
  bool reads = false;              ///< the model reads so many tokens behind the text, and writes none

  bool operator==(const ReplayRequest&) const = default;
};

/// The requests of one run, in order.
///
/// original: one request a segment. Of a segment that says so as much is kept as it says. A probe of compat original is
/// thrown away: the target answers in its place, or, when it was neutral (no target follows it), the draft writes on
/// after the trigger.
///
/// fixed: a neutral probe stays, and the draft segment behind it asks for so many tokens less: of a probe of p tokens
/// before a segment of s, min(p, s) are kept and s − min(p, s) are asked for. A probe behind an injected word is thrown
/// away with it in that loop: it is left as recorded.
///
/// target: one request for all tokens.
std::vector<ReplayRequest> replay_requests(const Trace& trace, ReplayLoop loop);

/// Tokens of context that a replay needs: the longest text that any request leads to, prompt included.
std::int64_t replay_context(const Trace& trace, ReplayLoop loop);

}  // namespace specthink::inline replay
