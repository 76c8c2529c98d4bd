// Normal mode: one model alone, in one request; with a thinking budget in one before and one behind its end.
#include "schedule/loops.h"

namespace specthink::inline schedule {

Script normal_loop(RunState& run) {
  const bool target = run.setup().normal_role == Role::target;
  const bool has_budget = run.settings().thinking_budget > 0;
  while (true) {
    run.close_thinking();
    const RunState::Reply reply =
        co_await run.ask({.purpose = target ? Purpose::takeover : Purpose::segment, .stops_at_think_end = has_budget});
    if (target) run.count_nominal(static_cast<int>(reply.ids.size()));
    run.append(reply.ids, target ? Origin::target : Origin::draft);
    if (reply.reason == EndReason::eos) break;
    if (has_budget && run.left() > 0) continue;
    run.finish(FinishReason::length);
    co_return;
  }
  run.finish(FinishReason::stop);
}

}  // namespace specthink::inline schedule
