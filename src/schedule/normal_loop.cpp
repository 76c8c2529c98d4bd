// Normal mode: the target alone, in one request.
#include "schedule/loops.h"

namespace specthink {

Script normal_loop(RunState& run) {
  const TokenIds ids = co_await run.ask(Purpose::takeover, run.left());
  run.count_nominal(static_cast<int>(ids.size()));
  run.append(ids, Origin::target);
  run.finish(run.has_eos(ids) ? FinishReason::stop : FinishReason::length);
}

}  // namespace specthink
