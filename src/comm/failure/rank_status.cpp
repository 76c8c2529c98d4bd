#include "specthink/comm/rank_status.h"

#include <fmt/format.h>

#include "specthink/base/error.h"

namespace specthink::inline comm {

const char* name_of(Phase phase) {
  switch (phase) {
    case Phase::start:
      return "start";
    case Phase::load:
      return "load";
    case Phase::prefill:
      return "prefill";
    case Phase::decode:
      return "decode";
    case Phase::input:
      return "waiting for input";
    case Phase::output:
      return "writing results";
    case Phase::idle:
      return "idle";
    case Phase::finished:
      return "finished";
  }
  throw InternalError("unknown phase {}", static_cast<int>(phase));
}

const char* name_of(Wait wait) {
  switch (wait) {
    case Wait::none:
      return "nothing";
    case Wait::broadcast:
      return "broadcast";
    case Wait::all_gather:
      return "all-gather";
    case Wait::barrier:
      return "barrier";
    case Wait::split:
      return "split of the ranks into groups";
    case Wait::answer:
      return "answer of rank 0";
  }
  throw InternalError("unknown wait {}", static_cast<int>(wait));
}

RankSnapshot snapshot(const RankStatus& status) {
  constexpr auto relaxed = std::memory_order_relaxed;
  RankSnapshot result;
  result.rank = status.rank.load(relaxed);
  result.group = status.group.load(relaxed);
  result.phase = status.phase.load(relaxed);
  result.wait = status.wait.load(relaxed);
  result.detail = status.detail.load(relaxed);
  result.collectives = status.collectives.load(relaxed);
  result.progress = status.progress.load(relaxed);
  result.since = status.since.load(relaxed);
  result.beat = status.beat.load(relaxed);
  return result;
}

std::string describe(const RankSnapshot& status) {
  std::string text = name_of(status.phase);
  switch (status.phase) {
    case Phase::prefill:
    case Phase::decode:
      text += fmt::format(" at position {}", status.detail);
      break;
    case Phase::load:
      text += fmt::format(", layer {}", status.detail);
      break;
    default:
      break;
  }
  if (status.wait == Wait::answer) return text + ", waiting for an answer of rank 0";
  if (status.wait != Wait::none) text += fmt::format(", in {} {}", name_of(status.wait), status.collectives);
  return text;
}

}  // namespace specthink::inline comm
