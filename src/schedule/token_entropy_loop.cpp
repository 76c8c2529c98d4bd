// Policy token_entropy: the target writes the single tokens that the draft is unsure of, in thinking and answer (the
// variant of R2R, arXiv 2505.21600, that needs no training).
#include "schedule/loops.h"
#include "schedule/passages.h"

namespace specthink::inline schedule {

Script token_entropy_loop(RunState& run) {
  const auto limit = static_cast<float>(entropy_limit(run.settings()));
  while (true) {
    run.close_thinking();
    RunState::Reply drafted =
        co_await run.ask_in_time({.purpose = Purpose::segment, .stops_at_think_end = true, .max_entropy = limit});
    const bool is_refused = drafted.reason == EndReason::uncertain;
    const TokenIds refused(drafted.ids.end() - (is_refused ? 1 : 0), drafted.ids.end());
    drafted.ids.resize(drafted.ids.size() - refused.size());
    run.note_kept(drafted.ids.size());
    if (keep_passage(run, drafted)) co_return;
    if (!is_refused) continue;
    run.hand_over("entropy", two_decimals(drafted.measured.tokens.back().entropy));
    const RunState::Reply written = co_await run.ask_in_time({.purpose = Purpose::takeover, .max_tokens = 1});
    if (keep_takeover(run, written, run.decode(refused))) co_return;
  }
}

}  // namespace specthink::inline schedule
