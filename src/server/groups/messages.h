// Messages between rank 0 and the other groups: JSON objects with the keys below.
#pragma once

#include "specthink/base/json.h"
#include "specthink/server/run_order.h"

namespace specthink::inline server {

// From rank 0.
inline constexpr const char* kOrder = "order";    // a run, with its number in kId
inline constexpr const char* kCancel = "cancel";  // number of a run that nobody waits for
inline constexpr const char* kEnd = "end";        // no run will come any more
// To rank 0, with the run's number in kId.
inline constexpr const char* kIds = "ids";            // tokens that were written, and in kOrigins a digit for each
inline constexpr const char* kLogprobs = "logprobs";  // beside kIds where the order asks for them; null: not measured
inline constexpr const char* kText = "text";          // in mode vllm_p a piece of text, and its origin in kOrigins
inline constexpr const char* kReason = "reason";      // the run has ended, with kCount tokens and kLedger
inline constexpr const char* kRefused = "refused";    // the run cannot begin: why
inline constexpr const char* kId = "id";
inline constexpr const char* kOrigins = "origins";
inline constexpr const char* kCount = "count";
inline constexpr const char* kLedger = "ledger";

Json to_json(const RunOrder& order);
RunOrder parse_order(const Json& object);

}  // namespace specthink::inline server
