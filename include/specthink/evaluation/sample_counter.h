// The samples of one problem, counted by their answers.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "specthink/evaluation/accuracy.h"

namespace specthink::inline evaluation {

/// Counts judged samples. All right answers are one class. Of the wrong ones two are in the same class where
/// same_answer() holds them to be equal, or where other wrong answers join them by such pairs: 5 cm and 5 m differ, but
/// either equals 5. The classes do not depend on the order of the samples.
class SampleCounter {
 public:
  void add(bool correct, const std::optional<std::string>& answer);

  /// Classes of wrong answers, the largest first.
  ProblemSamples samples() const;

 private:
  struct AnswerClass {
    std::vector<std::string> answers;  // all different as texts
    std::size_t samples = 0;

    bool contains(const std::string& answer) const;
    bool holds_equal(const std::string& answer) const;
  };

  std::size_t right_ = 0;
  std::size_t silent_ = 0;
  std::vector<AnswerClass> wrong_;
};

}  // namespace specthink::inline evaluation
