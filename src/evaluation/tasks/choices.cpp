#include "evaluation/tasks/choices.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <utility>

#include "specthink/base/error.h"
#include "specthink/base/hash.h"

namespace specthink::inline evaluation {
Choices gpqa_choices(const Row& row, const std::string& question, const ProblemOptions& options) {
  constexpr std::array<const char*, 4> kFields{"Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2",
                                               "Incorrect Answer 3"};
  std::array<std::size_t, 4> order{0, 1, 2, 3};
  if (options.choice_order == ChoiceOrder::shuffled) {
    // Each swap has a hash of its own, of which only the remainder by a small number counts.
    for (std::size_t last = order.size() - 1; last > 0; --last) {
      const std::uint64_t hash = hash_text(fmt::format("{} {} ", options.seed, last), hash_text(question));
      std::swap(order[last], order[(hash ^ (hash >> 29)) % (last + 1)]);
    }
  }
  Choices choices;
  for (std::size_t place = 0; place < order.size(); ++place) {
    choices.texts.push_back(row.text(kFields[order[place]], "an answer to choose from"));
    if (order[place] == 0) choices.right = static_cast<char>('A' + place);
  }
  return choices;
}

std::vector<std::string> arc_choices(const Row& row) {
  const Json& choices = row.field("choices", "the options");
  const Json* texts = choices.is_object() && choices.contains("text") ? &choices["text"] : nullptr;
  std::vector<std::string> result;
  for (const Json& text : texts && texts->is_array() ? *texts : Json::array()) {
    if (text.is_string()) result.push_back(text.get<std::string>());
  }
  if (!texts || result.empty() || result.size() != texts->size()) {
    throw UserError("{}: expected {{\"text\": [...], \"label\": [...]}} in the field 'choices', found {}", row.source(),
                    excerpt(choices));
  }
  return result;
}

std::string join_choices(const std::vector<std::string>& texts, const char* pattern, std::string_view separator) {
  std::string result;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) result += separator;
    result += fmt::format(fmt::runtime(pattern), static_cast<char>('A' + i), texts[i]);
  }
  return result;
}

}  // namespace specthink::inline evaluation
