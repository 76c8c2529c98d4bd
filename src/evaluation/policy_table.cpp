#include "specthink/evaluation/policy_table.h"

#include <fmt/format.h>

#include <cstdint>

#include "specthink/evaluation/summary.h"
#include "specthink/report/table.h"

namespace specthink::inline evaluation {
namespace {

std::int64_t steps_of(const RunRecord& record, const char* role) {
  const auto phase = record.extra.find(role);
  return phase == record.extra.end() ? 0 : phase->value("decode_steps", std::int64_t{0});
}

/// How often the text passes from one model to the other: whoever injects words is none.
std::int64_t hand_overs_of(const RunRecord& record) {
  std::string last;
  std::int64_t count = 0;
  for (const Json& segment : record.segments) {
    const std::string by = segment.value("by", "");
    const std::int64_t kept = segment.value("kept", by == "probe" || by == "read" ? std::int64_t{0} : std::int64_t{1});
    if (kept == 0 || by == "inject") continue;
    const std::string writer = by == "target" ? by : "draft";
    count += !last.empty() && writer != last;
    last = writer;
  }
  return count;
}

}  // namespace

PolicySummary summarize_policy(const PolicyRuns& runs) {
  PolicySummary summary;
  summary.policy = runs.policy;
  summary.runs = runs.records.size();
  const ModeSummary mode = summarize_mode(RunMode::spec, runs.records);
  summary.accuracy = mode.accuracy;
  summary.target_share = mode.target_share.mean;
  summary.tokens = mode.tokens.mean;
  summary.seconds = mode.latency.mean;
  summary.draft_wasted = mode.per_run(mode.ledger.draft_wasted);
  summary.target_wasted = mode.per_run(mode.ledger.target_wasted);
  summary.prefilled = mode.per_run(mode.ledger.target_prefilled);
  summary.unjudged = mode.per_run(mode.ledger.unjudged);
  std::int64_t target_steps = 0;
  std::int64_t draft_steps = 0;
  std::int64_t hand_overs = 0;
  for (const RunRecord& record : runs.records) {
    target_steps += steps_of(record, "target");
    draft_steps += steps_of(record, "draft");
    hand_overs += hand_overs_of(record);
  }
  summary.target_steps = mode.per_run(target_steps);
  summary.draft_steps = mode.per_run(draft_steps);
  summary.hand_overs = mode.per_run(hand_overs);
  return summary;
}

std::string policy_table(std::span<const PolicySummary> policies) {
  std::vector<std::vector<std::string>> rows;
  for (const PolicySummary& policy : policies) {
    const auto one_decimal = [](double value) { return fmt::format("{:.1f}", value); };
    std::string accuracy = "-";
    if (policy.accuracy) {
      accuracy = fmt::format("{:.1f} [{:.1f}, {:.1f}]", 100 * policy.accuracy->mean, 100 * policy.accuracy->low,
                             100 * policy.accuracy->high);
    }
    rows.push_back({policy.policy, accuracy, one_decimal(100 * policy.target_share), one_decimal(policy.tokens),
                    one_decimal(policy.target_steps), one_decimal(policy.draft_steps),
                    fmt::format("{:.3f}", policy.seconds), one_decimal(policy.draft_wasted),
                    one_decimal(policy.target_wasted), one_decimal(policy.prefilled), one_decimal(policy.hand_overs)});
  }
  return markdown_table({"policy", "right, % [95 %]", "target share, %", "tokens", "target steps", "draft steps",
                         "seconds", "draft wasted", "target wasted", "target prefilled", "hand-overs"},
                        rows);
}

OrderedJson to_json(const PolicySummary& summary) {
  OrderedJson object{{"policy", summary.policy}, {"runs", summary.runs}};
  if (summary.accuracy) object["accuracy"] = to_json(*summary.accuracy);
  object["target_share"] = summary.target_share;
  object["tokens"] = summary.tokens;
  object["target_steps"] = summary.target_steps;
  object["draft_steps"] = summary.draft_steps;
  object["seconds"] = summary.seconds;
  object["draft_wasted"] = summary.draft_wasted;
  object["target_wasted"] = summary.target_wasted;
  object["target_prefilled"] = summary.prefilled;
  object["hand_overs"] = summary.hand_overs;
  if (summary.unjudged > 0) object["unjudged"] = summary.unjudged;
  return object;
}

}  // namespace specthink::inline evaluation
