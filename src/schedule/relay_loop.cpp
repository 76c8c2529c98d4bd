// Policy relay: the target writes until a cue, the draft until its sentence ends, in turns (RelayGen, arXiv
// 2602.06454).
#include "schedule/loops.h"
#include "schedule/passages.h"

namespace specthink::inline schedule {
namespace {

/// Of the target's, so that it cannot stop at once.
constexpr int kMinPassage = 5;

}  // namespace

Script relay_loop(RunState& run) {
  const RunSetup& setup = run.setup();
  Role writer = Role::target;
  while (run.thinking() && !run.close_thinking()) {
    if (writer == Role::target) {
      const RunState::Reply reply = co_await run.ask_in_time(
          {.purpose = Purpose::takeover, .stops = setup.cues, .min_tokens = kMinPassage, .stops_at_think_end = true});
      if (keep_takeover(run, reply)) co_return;
      if (reply.reason != EndReason::trigger) continue;
      run.hand_over("cue", completed_string(run.settings().cues, reply.ids, *setup.tokenizer));
      writer = Role::draft;
    } else {
      const RunState::Reply reply = co_await run.ask_in_time(
          {.purpose = Purpose::segment, .stops = setup.sentence_ends, .stops_at_think_end = true});
      if (keep_passage(run, reply)) co_return;
      if (reply.reason != EndReason::trigger) continue;
      run.hand_over("sentence", completed_string(sentence_end_strings(), reply.ids, *setup.tokenizer));
      writer = Role::target;
    }
  }
  finish_with_answer(run, co_await ask_for_answer(run, writer));
}

}  // namespace specthink::inline schedule
