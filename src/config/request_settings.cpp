// Settings that a request to the server gives.
#include <algorithm>
#include <array>

#include "config/option_table.h"

namespace specthink::inline config {

ScheduleSettings with_schedule(ScheduleSettings settings, const Json& given) {
  // What models and tokenizers are loaded for, and what every rank knows by then.
  constexpr std::array<std::string_view, 3> kFixed{"mode", "compat", "TRIGGER_TOKENS"};
  Settings all;
  all.schedule = std::move(settings);
  for (const auto& [key, value] : given.items()) {
    const Option* option = find_option(key);
    if (!option || option->group != Group::schedule) {
      throw UserError("'{}' is no setting of the schedule{}", key, suggest_key(key));
    }
    if (std::ranges::find(kFixed, key) != kFixed.end()) {
      throw UserError("'{}' is the same for all requests of a server", key);
    }
    option->read(all, parse_yaml(value.dump(), key), Location::in_request(key));
  }
  return all.schedule;
}

}  // namespace specthink::inline config
