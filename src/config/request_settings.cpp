// Settings that a request to the server gives.
#include <algorithm>
#include <array>

#include "config/option_table.h"

namespace specthink::inline config {

ScheduleSettings with_schedule(ScheduleSettings settings, const Json& given) {
  // What models and tokenizers are loaded for, and what every rank knows by then.
  constexpr std::array<std::string_view, 7> kFixed{"mode",        "compat",         "TRIGGER_TOKENS",    "cues",
                                                   "match_share", "score_question", "score_answer_start"};
  Settings all;
  all.schedule = std::move(settings);
  for (const auto& [key, value] : given.items()) {
    const Option* option = find_option(key);
    if (!option || (option->group != Group::schedule && option->group != Group::policy)) {
      throw UserError("'{}' is no setting of the schedule{}", key, suggest_key(key));
    }
    if (std::ranges::find(kFixed, key) != kFixed.end()) {
      throw UserError("'{}' is the same for all requests of a server", key);
    }
    option->read(all, parse_yaml(value.dump(), key), Location::in_request(key));
  }
  const ScheduleSettings& schedule = all.schedule;
  const bool needs_fixed_loop = schedule.policy != Policy::sentiment || schedule.thinking_budget > 0;
  if (!given.empty() && needs_fixed_loop && (schedule.mode != Mode::vllm || schedule.compat != Compat::fixed)) {
    throw UserError(
        "policies other than sentiment, and thinking_budget, need a server with mode vllm and compat fixed");
  }
  if (schedule.policy == Policy::random && !schedule.target_rate) {
    throw UserError("policy random needs target_rate, a probability from 0 to 1");
  }
  return schedule;
}

}  // namespace specthink::inline config
