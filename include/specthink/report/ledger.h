// The ledger of a run as JSON.
#pragma once

#include <string_view>

#include "specthink/base/json.h"
#include "specthink/schedule/ledger.h"

namespace specthink::inline report {

/// {draft, target, injected, draft_wasted, target_wasted, draft_prefilled, target_prefilled, nominal_target_share,
/// target_share, proposed: {ngram, draft}, accepted: {ngram, draft}, unjudged?, hand_overs?: {RULE: count}}; the four
/// of the proposers are lists by place in the step.
Json to_json(const Ledger& ledger);

/// Reads what to_json() wrote. Throws UserError that begins with `source`.
Ledger parse_ledger(const Json& object, std::string_view source);

}  // namespace specthink::inline report
