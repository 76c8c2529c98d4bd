// When the target recaps: after enough negative thoughts, each time later and for longer.
#pragma once

#include <algorithm>

#include "specthink/config/settings.h"

namespace specthink::inline schedule {

class Recap {
 public:
  explicit Recap(const ScheduleSettings& settings)
      : settings_(&settings),
        length_(settings.original_recap_token_num),
        due_after_(settings.recap_after_negative_num) {}

  void count_negative() { ++negatives_; }
  int negatives() const { return negatives_; }
  bool due() const { return negatives_ >= due_after_; }

  /// Starts a recap: returns its length and sets up the next one.
  int start() {
    const int length = length_;
    negatives_ = 0;
    length_ = std::min(length_ + settings_->add_each_recap, settings_->max_recap_token_num);
    due_after_ = std::min(due_after_ + settings_->add_each_neg, settings_->max_negative_num);
    return length;
  }

 private:
  const ScheduleSettings* settings_;
  int length_;     // tokens
  int due_after_;  // negative thoughts
  int negatives_ = 0;
};

}  // namespace specthink::inline schedule
