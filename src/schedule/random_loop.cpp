// Policy random: at each trigger a coin decides whether the target writes a passage. The control of the other policies.
#include <algorithm>
#include <optional>

#include "schedule/loops.h"
#include "schedule/passages.h"
#include "schedule/trigger_scan.h"
#include "specthink/base/philox.h"

namespace specthink::inline schedule {
namespace {

/// How likely the target is to write here: as the settings say, or so that a passage written with this probability
/// brings the target's share of the text to the one to hold, as far as a probability can.
double takeover_probability(const RunState& run) {
  const TargetRate& rate = *run.settings().target_rate;
  if (!rate.automatic) return rate.probability;
  const auto passage = static_cast<double>(std::min(run.settings().original_recap_token_num, run.left()));
  const double wanted = run.setup().match_share * (static_cast<double>(run.generated()) + passage);
  const double missing = wanted - static_cast<double>(run.written_by(Origin::target));
  return std::clamp(missing / passage, 0.0, 1.0);
}

/// A number from 0 to 1 that the seed, the run and the position decide.
double coin(const RunState& run) {
  const DrawKey& draw = run.setup().draw;
  return uniform_of(draw_block(draw.seed, static_cast<std::uint32_t>(run.ids().size()), draw.problem, draw.run,
                               static_cast<std::uint32_t>(Purpose::coin), 0));
}

}  // namespace

Script random_loop(RunState& run) {
  const ScheduleSettings& settings = run.settings();
  TriggerScan scan(*run.setup().triggers);
  bool at_trigger = false;  // the text's last token completes one
  while (true) {
    if (run.close_thinking()) {
      scan.set_state(StopAutomaton::kStart);
      at_trigger = false;
    }
    if (at_trigger && run.left() > 0 && coin(run) < takeover_probability(run)) {
      run.hand_over("random");
      const RunState::Reply reply = co_await run.ask_in_time(
          {.purpose = Purpose::takeover, .max_tokens = settings.original_recap_token_num, .stops_at_think_end = true});
      at_trigger = scan.read(reply.ids);
      if (keep_takeover(run, reply, std::nullopt, settings.original_recap_token_num)) co_return;
      continue;
    }
    const RunState::Reply reply = co_await run.ask_in_time({.purpose = Purpose::segment,
                                                            .max_tokens = kSegmentTokens,
                                                            .stops = run.setup().triggers,
                                                            .stop_state = scan.state(),
                                                            .stops_at_think_end = true});
    at_trigger = scan.read(reply.ids);
    if (keep_passage(run, reply)) co_return;
  }
}

}  // namespace specthink::inline schedule
