// Finding the answer in a generated text, and comparing it with the known one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace specthink::inline evaluation {

/// Content of the last `\boxed{...}` (or `\fbox{...}`) that is closed and not blank; braces may nest and `\{` is no
/// brace. An empty box is an instruction quoted by the model, an open one a text that was cut off: neither is an
/// answer.
std::optional<std::string> last_boxed(std::string_view text);

/// True when two answers say the same, `expected` being the right one. LaTeX, plain text and Unicode are read;
/// expressions are equal when their values are: exactly where both are rational, else to more digits than could agree
/// by accident, at several points where they have variables. A decimal of six digits or more may stand for an exact
/// value, and an expected decimal of four digits or more for what it was rounded from.
///
/// Order counts in tuples and matrices, not in lists, sets and unions; the ends of intervals count. A name before a value
/// (`x =`, `x \in`), units, degrees, currency, fonts and the case of words do not; two units that differ do. `10\%`
/// equals 10 and 0.1. Numerals need the right base. Answers as models write them take microseconds; one made to be slow,
/// such as dozens of radicals with variables, takes up to some tenths of a second. What is longer than 4096 bytes is
/// compared as it stands.
bool same_answer(std::string_view given, std::string_view expected);

/// How a task's answers are found in a text. Copies share one compiled pattern.
class AnswerRule {
 public:
  /// Formulas, numbers and words. The part behind the last `</think>` counts first: its last complete box; unless a box
  /// in it was never closed, what it states ("the answer is", "Answer:", 答案), else its last number. Where it holds
  /// nothing of these, the last complete box of the whole text.
  AnswerRule() = default;

  /// The same for one letter of so many, 2 to 26: in a box, stated, or alone.
  static AnswerRule choice(int num_choices);

  /// The group of the last match of a regular expression (PCRE2, UTF-8) with exactly one group; matches with a blank
  /// group do not count. `source` names it in errors. Throws UserError.
  AnswerRule(std::string_view pattern, std::string_view source);

  /// The answer, if there is one. Time is bounded whatever the pattern and the text are: where a search exceeds the
  /// limits of the regular expression library, there is no answer, and one warning says so.
  std::optional<std::string> find(std::string_view text) const;

  /// Whether a found answer is the known one; letters must be the same letter. Null where the expressions are such that
  /// neither can be shown; same_answer() is false then.
  std::optional<bool> compare(std::string_view given, std::string_view expected) const;

  int num_choices() const { return num_choices_; }  ///< 0: answers are no letters

 private:
  struct Pattern;

  std::optional<std::string> find_pattern(std::string_view text) const;

  std::shared_ptr<const Pattern> pattern_;
  int num_choices_ = 0;
};

}  // namespace specthink::inline evaluation
