// Whether a run found the right answer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "specthink/config/settings.h"
#include "specthink/evaluation/answer.h"
#include "specthink/report/problem.h"
#include "specthink/report/run_record.h"

namespace specthink::inline evaluation {

/// What a judge says of a text.
struct Verdict {
  bool correct = false;
  std::optional<std::string> answer;  ///< as it was found in the text
  std::string judge;                  ///< who decided: exact (this program) or math-verify
  std::string reason;                 ///< a few words: equal, different, no answer, not decided, ...
};

class Judge {
 public:
  explicit Judge(JudgeMode mode = JudgeMode::exact);
  ~Judge();
  Judge(Judge&&) noexcept;
  Judge& operator=(Judge&&) noexcept;

  /// Finds the answer in `text` and compares it with the known one.
  Verdict text(std::string_view text, std::string_view known, const AnswerRule& rule) const;

  /// The same for a record's text and the problem's answer, when it has one. Also says in the record's `extra` who
  /// decided (`judge`) and why (`judge_reason`).
  void record(RunRecord& record, const Problem& problem, const AnswerRule& rule) const;

 private:
  class Helper;
  std::unique_ptr<Helper> helper_;  // null: not asked, or not installed
  JudgeMode mode_;
};

}  // namespace specthink::inline evaluation
