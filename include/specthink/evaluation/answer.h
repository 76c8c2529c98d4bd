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

/// True when two answers say the same. They are compared as exact numbers where both are numbers, otherwise as text
/// without differences of notation.
///
/// Numbers: integers, decimals (also `.5`), leading zeros, thousands commas (`1,234`, `1{,}234`, `1,\!234`), `a/b`,
/// `\frac{a}{b}` with its variants (`\dfrac`, `\tfrac`, `\frac12`), mixed numbers (`1\frac{4}{5}`), a sign before any
/// of them. 0.5 equals 1/2; 0.333 does not equal 1/3.
///
/// Notation: white space, `$`, `\$`, spacing commands, `\left` and `\right`, a full stop at the end, `\text{...}`
/// around words, a unit behind a value (`5.4 \text{ cents}`), degree and per cent signs (they are units: 10\% equals
/// 10, not 0.1) and a variable before the value (`x=5`) make no difference.
bool same_answer(std::string_view given, std::string_view expected);

/// How a task's answers are found in a text. Copies share one compiled pattern.
class AnswerRule {
 public:
  /// The last boxed answer.
  AnswerRule() = default;

  /// The group of the last match of a regular expression (PCRE2, UTF-8) with exactly one group; matches with a blank
  /// group do not count. `source` names it in errors. Throws UserError.
  AnswerRule(std::string_view pattern, std::string_view source);

  /// The answer, if there is one. Time is bounded whatever the pattern and the text are: where a search exceeds the
  /// limits of the regular expression library, there is no answer, and one warning says so.
  std::optional<std::string> find(std::string_view text) const;

 private:
  struct Pattern;
  std::shared_ptr<const Pattern> pattern_;
};

}  // namespace specthink::inline evaluation
