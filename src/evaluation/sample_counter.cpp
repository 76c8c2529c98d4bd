#include "specthink/evaluation/sample_counter.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "specthink/evaluation/answer.h"

namespace specthink::inline evaluation {

bool SampleCounter::AnswerClass::contains(const std::string& answer) const {
  return std::ranges::find(answers, answer) != answers.end();
}

// same_answer() reads its second answer as the right one, of which more is optional.
bool SampleCounter::AnswerClass::holds_equal(const std::string& answer) const {
  return std::ranges::any_of(
      answers, [&](const std::string& known) { return same_answer(answer, known) || same_answer(known, answer); });
}

void SampleCounter::add(bool correct, const std::optional<std::string>& answer) {
  if (correct) {
    ++right_;
    return;
  }
  if (!answer) {
    ++silent_;
    return;
  }
  const auto known = std::ranges::find_if(wrong_, [&](const AnswerClass& one) { return one.contains(*answer); });
  if (known != wrong_.end()) {
    ++known->samples;
    return;
  }
  AnswerClass joined{{*answer}, 1};
  const auto equal = std::partition(wrong_.begin(), wrong_.end(),
                                    [&](const AnswerClass& other) { return !other.holds_equal(*answer); });
  for (auto other = equal; other != wrong_.end(); ++other) {
    std::ranges::move(other->answers, std::back_inserter(joined.answers));
    joined.samples += other->samples;
  }
  wrong_.erase(equal, wrong_.end());
  wrong_.push_back(std::move(joined));
}

ProblemSamples SampleCounter::samples() const {
  ProblemSamples samples{.right = right_, .wrong = {}, .silent = silent_};
  for (const AnswerClass& one : wrong_) samples.wrong.push_back(one.samples);
  std::ranges::sort(samples.wrong, std::greater<>());
  return samples;
}

}  // namespace specthink::inline evaluation
