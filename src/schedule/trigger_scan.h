// The stop matcher run along the text: where a trigger ends, also one that is split over two requests.
#pragma once

#include <cstddef>
#include <span>

#include "specthink/text/stop_matcher.h"

namespace specthink::inline schedule {

class TriggerScan {
 public:
  explicit TriggerScan(const StopTable& table) : table_(&table) {}

  StopAutomaton::State state() const { return state_; }
  void set_state(StopAutomaton::State state) { state_ = state; }

  /// Reads all of `ids`; true when the last of them completes a trigger.
  bool read(std::span<const TokenId> ids) {
    bool matched = false;
    for (const TokenId id : ids) matched = step(id);
    return matched;
  }

  struct Found {
    std::size_t length;  ///< tokens read: up to and including the first that completes a trigger, or all
    bool trigger;
  };
  Found read_to_trigger(std::span<const TokenId> ids) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (step(ids[i])) return {i + 1, true};
    }
    return {ids.size(), false};
  }

 private:
  bool step(TokenId id) {
    const StopAutomaton::Step step = table_->step(state_, id);
    state_ = step.state;
    return step.matched;
  }

  const StopTable* table_;
  StopAutomaton::State state_ = StopAutomaton::kStart;
};

}  // namespace specthink::inline schedule
