// Runs that are made up, but always the same for the same key.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "specthink/report/problem.h"
#include "specthink/report/run_record.h"

namespace specthink {

inline std::vector<Problem> made_up_problems() {
  return {{0, "one", "Solve one", "11"}, {"b", "two", "Solve two", "12"}, {2, "three", "Solve three", std::nullopt}};
}

inline RunOutcome made_up_outcome(const Problem& problem, const RunKey& key) {
  const int n = 40 + 10 * static_cast<int>(key.problem) + static_cast<int>(key.run);
  const bool spec = key.mode == RunMode::spec;
  RunOutcome outcome;
  outcome.prompt_tokens = 17;
  outcome.latency = (spec ? 1.1 : 2.3) / 3 * n;
  RunResult& result = outcome.result;
  result.ids.assign(static_cast<std::size_t>(n), 5);
  result.origins.assign(static_cast<std::size_t>(n), spec ? Origin::draft : Origin::target);
  result.finish_reason = key.run == 0 ? FinishReason::stop : FinishReason::length;
  // The prompt quotes a box, an accent and half a character are in the text.
  result.text =
      "user\n" + problem.prompt + "\\boxed{99}\n\xC3\xA9 \\boxed{1" + std::to_string(key.problem + 1) + "} \xC3";
  if (spec) {
    result.ledger.draft = n - 15;
    result.ledger.target = 12;
    result.ledger.injected = 3;
    result.ledger.draft_wasted = 9;
    result.ledger.target_wasted = 4;
    result.ledger.draft_prefilled = 30;
    result.ledger.target_prefilled = 41;
    result.ledger.nominal_target_tokens = 13;
    result.log = {{4, 6, "Wait", "Hm"}, {20, 6, "So", std::nullopt}};
    result.num_validations = 3;
    result.segments = {
        {"draft", n - 15, 0, 12.5}, {"probe", 9, -1, -1}, {"target", 12, 13.25, 1}, {"inject", 3, -1, -1}};
    outcome.extra = {{"ms_per_step", {{"draft", 0.7}, {"target", 7.7}}}};
  } else {
    result.ledger.target = n;
    result.ledger.nominal_target_tokens = n;
    result.segments = {{"target", n, 0, 100}};
  }
  return outcome;
}

}  // namespace specthink
