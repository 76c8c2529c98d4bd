// Normal mode: one model alone, in one request.
#include "schedule/loops.h"

namespace specthink {

Script normal_loop(RunState& run) {
  const bool target = run.setup().normal_role == Role::target;
  const Purpose purpose = target ? Purpose::takeover : Purpose::segment;
  const TokenIds ids = co_await run.ask(purpose, run.left());
  if (target) run.count_nominal(static_cast<int>(ids.size()));
  run.append(ids, target ? Origin::target : Origin::draft);
  run.finish(run.has_eos(ids) ? FinishReason::stop : FinishReason::length);
}

}  // namespace specthink
