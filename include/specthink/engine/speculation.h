// Token-level speculation: proposed tokens that the model whose turn it is verifies, several in one step.
//
// The text is that of plain decoding with the same seed, whoever proposes and however many: each row of a step is
// sampled exactly as plain decoding would at its position, and proposals are kept as long as they equal what was
// sampled (drafter-invariant speculative decoding, arXiv 2408.07978).
#pragma once

#include <array>
#include <cstdint>

#include "specthink/base/types.h"
#include "specthink/kernels/limits.h"

namespace specthink::inline engine {

/// What a step of so many rows of one sequence takes, in any unit: kStepRowCounts are the rows.
using RowCosts = std::array<double, kStepRowCounts.size()>;

/// The costs that the number of proposals is chosen by: the same on every rank, fixed before the first request.
struct StepCosts {
  RowCosts target{1, 1, 1, 1, 1};
  RowCosts draft{1, 1, 1, 1, 1};

  const RowCosts& of(Role role) const { return role == Role::target ? target : draft; }
};

/// The cost of a step of 1 to kMaxStepRows rows: that of the next larger count that a step is built for.
double cost_of(const RowCosts& costs, int rows);

struct SpeculationOptions {
  bool ngram = false;        ///< the text so far proposes, for either model
  bool draft = false;        ///< the draft proposes, for the target
  int max_draft_tokens = 8;  ///< that the draft proposes for a step
  StepCosts costs;
};

}  // namespace specthink::inline engine
