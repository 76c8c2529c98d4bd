// How text passes between the models in the original loop: as ids of one tokenizer, a token at a time, or as text.
#pragma once

#include <memory>
#include <string>

#include "schedule/run_state.h"

namespace specthink::inline schedule {

class Writing {
 public:
  virtual ~Writing() = default;

  /// Asks the draft to go on until a trigger.
  [[nodiscard]] virtual RunState::Answer ask_segment() = 0;

  /// Appends what the draft wrote for it; true when a trigger shows in it. `at_end`: it ends in EOS.
  virtual bool append_segment(const TokenIds& segment, bool at_end) = 0;

  /// Asks the model that `purpose` belongs to for `max_tokens` more.
  [[nodiscard]] virtual RunState::Answer ask(Purpose purpose, int max_tokens) = 0;

  /// The text of what a model wrote, as it is judged and logged.
  virtual std::string text_of(const TokenIds& ids, Role role) const = 0;

  /// Appends what a model wrote, or words of the schedule.
  virtual void append(const TokenIds& ids, Role role) = 0;
  virtual void inject(const std::string& words) = 0;
};

/// By the mode of the run's settings.
std::unique_ptr<Writing> make_writing(RunState& run);

}  // namespace specthink::inline schedule
