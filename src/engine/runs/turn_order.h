// Which model steps next where runs wait for both, and for which of the runs.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "specthink/base/types.h"
#include "specthink/engine/speculation.h"

namespace specthink::inline engine {

/// Steps of a turn while runs wait for the other model, too.
constexpr int kSharedTurnSteps = 8;

/// The models' time is shared in proportion to the runs that wait for each of them, so that nobody waits for ever.
///
/// Where T is what a run takes of one model and D of the other, a step of each being about as long for few runs as for
/// many, the runs spread themselves as sqrt(T) to sqrt(D), at which most runs end in a given time. (With k of n runs at
/// the first model, k / T of its time is used and (n - k) / D of the other's; their time is as k to n - k; both end as
/// many requests where k² / T = (n - k)² / D.) To turn as soon as a request ends, in contrast, lets a model step for
/// one run alone.
///
/// Time is what the table of step costs says, not a clock's: the same runs share the same steps whenever they run.
class TurnOrder {
 public:
  /// `waiting`: runs by Role, at least one of them.
  Role next(const std::array<int, 2>& waiting) const {
    if (waiting[index_of(Role::draft)] == 0) return Role::target;
    if (waiting[index_of(Role::target)] == 0) return Role::draft;
    return had_[index_of(Role::target)] <= had_[index_of(Role::draft)] ? Role::target : Role::draft;
  }

  /// After a turn of a model in which `waiting` runs waited, `others` for the other model.
  void account(Role role, double cost, int waiting, int others) {
    double& own = had_[index_of(role)];
    double& other = had_[1 - index_of(role)];
    own += cost / waiting;
    if (others == 0) other = std::max(other, own);  // who does not wait saves nothing up
  }

 private:
  static std::size_t index_of(Role role) { return static_cast<std::size_t>(role); }

  std::array<double, 2> had_{};  // time of the model's turns over the runs that waited
};

/// Who takes part in a model's turn where more runs wait for it than its steps have rows.
class TurnMembers {
 public:
  /// All of `waiting` (the oldest first), or `most` of them: those behind the ones of the turn before, round and round.
  /// The oldest first again.
  std::vector<std::size_t> choose(std::vector<std::size_t> waiting, std::size_t most) {
    if (waiting.size() <= most) return waiting;
    first_ %= waiting.size();
    std::ranges::rotate(waiting, waiting.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ += most;
    waiting.resize(most);
    std::ranges::sort(waiting);
    return waiting;
  }

 private:
  std::size_t first_ = 0;  // of the next turn
};

}  // namespace specthink::inline engine
