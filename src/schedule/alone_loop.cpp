// Policies target and draft: one of the two models writes all of the text.
#include "schedule/loops.h"
#include "schedule/passages.h"

namespace specthink::inline schedule {

Script alone_loop(RunState& run) {
  const bool by_target = run.settings().policy == Policy::target;
  while (true) {
    run.close_thinking();
    const RunState::Reply reply = co_await run.ask_in_time(
        {.purpose = by_target ? Purpose::takeover : Purpose::segment, .stops_at_think_end = true});
    if (by_target ? keep_takeover(run, reply) : keep_passage(run, reply)) co_return;
  }
}

}  // namespace specthink::inline schedule
