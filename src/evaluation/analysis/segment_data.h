// The segments of a run as data for its timeline.
#pragma once

#include <vector>

#include "specthink/base/json.h"
#include "specthink/schedule/ledger.h"

namespace specthink::inline evaluation {

/// [by, tokens, start_ms, ms, {kept, dropped, why, steps, ngram, draft}] for each; times are null where they were not
/// measured, and the object has what is known. `kept` counts tokens that stayed, `dropped` says what became of the
/// others; `ngram` and `draft` are [proposed, accepted].
OrderedJson segment_data(const std::vector<Segment>& segments);

}  // namespace specthink::inline evaluation
