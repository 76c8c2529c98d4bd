// Policy step_entropy: the target writes the steps whose first token the draft is unsure of (GlimpRouter, arXiv
// 2601.05110).
#include "schedule/loops.h"
#include "schedule/passages.h"
#include "schedule/trigger_scan.h"

namespace specthink::inline schedule {

Script step_entropy_loop(RunState& run) {
  const double limit = entropy_limit(run.settings());
  TriggerScan scan(*run.setup().step_ends);
  Role writer = Role::draft;
  bool at_start = true;  // of a step
  while (run.thinking() && !run.close_thinking()) {
    Role next = Role::draft;
    if (at_start) {
      const RunState::Reply look = co_await run.ask_in_time(
          {.purpose = Purpose::probe, .max_tokens = 1, .stops_at_think_end = true, .statistics = true});
      const double entropy = look.measured.tokens.front().entropy;
      if (entropy > limit) {
        run.note_kept(0);
        run.hand_over("entropy", two_decimals(entropy));
        next = Role::target;
      } else {
        run.note_kept(1);
        writer = Role::draft;
        at_start = scan.read(look.ids);
        if (keep_passage(run, look)) co_return;
        continue;
      }
    }
    const RunState::Reply reply =
        co_await run.ask_in_time({.purpose = next == Role::target ? Purpose::takeover : Purpose::segment,
                                  .stops = run.setup().step_ends,
                                  .stop_state = scan.state(),
                                  .stops_at_think_end = true});
    writer = next;
    at_start = scan.read(reply.ids);
    if (next == Role::target ? keep_takeover(run, reply) : keep_passage(run, reply)) co_return;
  }
  finish_with_answer(run, co_await ask_for_answer(run, writer));
}

}  // namespace specthink::inline schedule
