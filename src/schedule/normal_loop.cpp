// Normal mode: one model alone, in one request.
#include "schedule/loops.h"

namespace specthink::inline schedule {

Script normal_loop(RunState& run) {
  const bool target = run.setup().normal_role == Role::target;
  const Purpose purpose = target ? Purpose::takeover : Purpose::segment;
  const RunState::Reply reply = co_await run.ask(purpose, run.left());
  if (target) run.count_nominal(static_cast<int>(reply.ids.size()));
  run.append(reply.ids, target ? Origin::target : Origin::draft);
  run.finish(reply.reason == EndReason::eos ? FinishReason::stop : FinishReason::length);
}

}  // namespace specthink::inline schedule
