// Known answers in the forms in which data sets store them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "specthink/base/json.h"
#include "specthink/evaluation/answer.h"

namespace specthink::inline evaluation {

enum class GoldForm : std::uint8_t {
  plain,   ///< a string or a number
  boxed,   ///< the last box of a solution
  hashes,  ///< behind #### in a solution (gsm8k)
  list,    ///< strings, all of them needed (olympiadbench)
  index,   ///< of the right option, from 0 (mmlu)
  letter,  ///< of the right option, or its number from 1 (arc)
};

/// How a data set stores answers, and how models give them.
struct AnswerForm {
  GoldForm gold = GoldForm::plain;
  int num_choices = 0;  ///< 0: no letters

  AnswerRule rule() const { return num_choices > 0 ? AnswerRule::choice(num_choices) : AnswerRule(); }
};

/// The form of a data set by the name of its task (math500, aime24, amc23, minervamath, gpqa_diamond, ...) or a shorter
/// one (minerva, amc, arc, gpqa); null for an unknown name.
std::optional<AnswerForm> answer_form_of(std::string_view dataset);

/// The names that answer_form_of() knows, for messages.
std::string known_datasets();

/// The answer in a stored value, as same_answer() and AnswerRule::compare() take it. Throws UserError that begins with
/// `source` for a value of another form.
std::string known_answer(const Json& stored, const AnswerForm& form, std::string_view source);

}  // namespace specthink::inline evaluation
