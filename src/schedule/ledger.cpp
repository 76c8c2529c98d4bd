#include "specthink/schedule/ledger.h"

namespace specthink::inline schedule {
namespace {

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

}  // namespace

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
  return *this;
}

}  // namespace specthink::inline schedule
