// Several policies on the same problems and seeds, side by side.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "specthink/evaluation/accuracy.h"
#include "specthink/report/run_record.h"

namespace specthink::inline evaluation {

/// The finished runs of one policy.
struct PolicyRuns {
  std::string policy;
  std::vector<RunRecord> records;
};

/// Means of a run, but for the accuracy.
struct PolicySummary {
  std::string policy;
  std::size_t runs = 0;
  std::optional<Proportion> accuracy;  ///< pass@1; none without answers
  double target_share = 0;             ///< real
  double tokens = 0;                   ///< generated
  double target_steps = 0;             ///< of decoding
  double draft_steps = 0;
  double seconds = 0;
  double draft_wasted = 0;
  double target_wasted = 0;
  double prefilled = 0;   ///< positions of the target
  double hand_overs = 0;  ///< from one writer to the other
  double unjudged = 0;    ///< steps, of policy score
};

PolicySummary summarize_policy(const PolicyRuns& runs);

/// A row each, as a Markdown table.
std::string policy_table(std::span<const PolicySummary> policies);

OrderedJson to_json(const PolicySummary& summary);

}  // namespace specthink::inline evaluation
