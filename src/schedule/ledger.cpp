#include "specthink/schedule/ledger.h"

#include <numeric>

namespace specthink::inline schedule {
namespace {

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

template <typename Counts>
void add(Counts& counts, const Counts& others) {
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += others[i];
}

}  // namespace

std::int64_t ProposalCounts::num_proposed() const {
  return std::accumulate(proposed.begin(), proposed.end(), std::int64_t{0});
}

std::int64_t ProposalCounts::num_accepted() const {
  return std::accumulate(accepted.begin(), accepted.end(), std::int64_t{0});
}

ProposalCounts& ProposalCounts::operator+=(const ProposalCounts& other) {
  add(proposed, other.proposed);
  add(accepted, other.accepted);
  return *this;
}

int Segment::kept_tokens() const {
  if (kept >= 0) return kept;
  return by == "probe" || by == "read" ? 0 : tokens;
}

double Ledger::target_share() const { return share(target, generated()); }

double Ledger::nominal_target_share() const { return share(nominal_target_tokens, generated()); }

Ledger& Ledger::operator+=(const Ledger& other) {
  draft += other.draft;
  target += other.target;
  injected += other.injected;
  draft_wasted += other.draft_wasted;
  target_wasted += other.target_wasted;
  draft_prefilled += other.draft_prefilled;
  target_prefilled += other.target_prefilled;
  nominal_target_tokens += other.nominal_target_tokens;
  ngram += other.ngram;
  draft_model += other.draft_model;
  unjudged += other.unjudged;
  for (const auto& [rule, count] : other.hand_overs) hand_overs[rule] += count;
  return *this;
}

}  // namespace specthink::inline schedule
