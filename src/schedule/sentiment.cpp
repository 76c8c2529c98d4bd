#include "schedule/sentiment.h"

#include <initializer_list>
#include <utility>
#include <vector>

#include "specthink/base/lowercase.h"
#include "specthink/config/yaml.h"

namespace specthink::inline schedule {
namespace {

int count_all(std::string_view text, const std::vector<std::string>& words) {
  int count = 0;
  for (const std::string& word : words) count += count_occurrences(text, word);
  return count;
}

// The word of the lists that the text has first, quoted; the longest of those at the same place.
std::string first_word(std::string_view text, std::initializer_list<const std::vector<std::string>*> lists) {
  std::size_t first = std::string_view::npos;
  const std::string* result = nullptr;
  for (const auto* words : lists) {
    for (const std::string& word : *words) {
      const std::size_t at = word.empty() ? std::string_view::npos : text.find(word);
      if (at == std::string_view::npos || at > first || (at == first && word.size() <= result->size())) continue;
      first = at;
      result = &word;
    }
  }
  return result ? quote(*result) : "";
}

}  // namespace

int count_occurrences(std::string_view text, std::string_view word) {
  if (word.empty()) return 0;
  int count = 0;
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + word.size())) ++count;
  return count;
}

Thought judge(std::string text, const ScheduleSettings& settings) {
  const std::string lower = lowercase(text);
  const int positive = count_all(lower, settings.positive_words);
  const int verify = count_all(lower, settings.verify_words);
  const int negative = verify + count_all(lower, settings.negative_words);
  Thought thought{.text = std::move(text), .sentiment = 0, .asks_verify = verify > 0};
  if (positive > negative) {
    thought.sentiment = 1;
    thought.rule = "positive " + first_word(lower, {&settings.positive_words});
  } else if (negative > 0) {
    thought.sentiment = -1;
    thought.rule = "negative " + first_word(lower, {&settings.negative_words, &settings.verify_words});
  }
  if (thought.asks_verify) thought.verify = first_word(lower, {&settings.verify_words});
  return thought;
}

bool keeps_answer(const Thought& probe, const Thought& answer, const ScheduleSettings& settings) {
  return settings.choose_large || (probe.sentiment < 0 && answer.sentiment >= 0) ||
         (answer.sentiment < 0 && probe.sentiment > 0);
}

}  // namespace specthink::inline schedule
