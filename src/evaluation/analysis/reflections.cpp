#include "evaluation/analysis/reflections.h"

#include <algorithm>

#include "specthink/base/lowercase.h"
#include "specthink/config/options.h"

namespace specthink::inline evaluation {
namespace {

bool is_letter(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         byte >= 0x80;  // others than ASCII's: as letters
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_newline(char c) { return c == '\n' || c == '\r'; }
bool is_punctuation(char c) { return !is_letter(c) && !is_digit(c) && c != ' ' && c != '\t' && !is_newline(c); }

void read_words(const Json& list, std::vector<std::string>& words) {
  if (!list.is_array()) return;
  words.clear();
  for (const Json& word : list) {
    if (word.is_string() && !word.get_ref<const std::string&>().empty()) words.push_back(word.get<std::string>());
  }
}

// The token that ends at `end`, as the pre-tokenizers of the models cut it: a word with its blank, a digit, punctuation
// with the line ends behind it, white space.
std::string_view token_before(std::string_view text, std::size_t end) {
  if (end == 0) return "";
  std::size_t begin = end;
  const auto extend = [&](auto belongs) {
    while (begin > 0 && belongs(text[begin - 1])) --begin;
  };
  const char last = text[end - 1];
  if (is_newline(last)) {
    extend(is_newline);
    if (begin > 0 && is_punctuation(text[begin - 1])) {
      extend(is_punctuation);
      if (begin > 0 && text[begin - 1] == ' ') --begin;
    } else {
      extend([](char c) { return c == ' ' || c == '\t'; });
    }
  } else if (is_letter(last)) {
    extend(is_letter);
    if (begin > 0 && text[begin - 1] == ' ') --begin;
  } else if (is_digit(last)) {
    --begin;
  } else if (is_punctuation(last)) {
    extend(is_punctuation);
    if (begin > 0 && text[begin - 1] == ' ') --begin;
  } else {
    extend([](char c) { return c == ' ' || c == '\t'; });
  }
  return text.substr(begin, end - begin);
}

}  // namespace

ReflectionWords ReflectionWords::of(const Json& settings) {
  const ScheduleSettings defaults = default_settings().schedule;
  std::vector<std::string> negative = defaults.negative_words;
  std::vector<std::string> verify = defaults.verify_words;
  ReflectionWords result;
  result.triggers = defaults.trigger_tokens;
  if (const auto words = settings.find("TARGET_VALIDATION_KEYWORDS"); words != settings.end() && words->is_object()) {
    read_words(words->value("negative", Json()), negative);
    read_words(words->value("verify", Json()), verify);
  }
  if (const auto triggers = settings.find("TRIGGER_TOKENS"); triggers != settings.end()) {
    read_words(*triggers, result.triggers);
  }
  for (const auto& list : {negative, verify}) {
    for (const std::string& word : list) result.words.push_back(lowercase(word));
  }
  return result;
}

std::string_view answer_part(std::string_view text) {
  if (!text.starts_with("user\n") && !text.starts_with("system\n")) return text;
  constexpr std::string_view kTurn = "\nassistant\n";
  const std::size_t at = text.find(kTurn);
  return at == std::string_view::npos ? text : text.substr(at + kTurn.size());
}

Thoughts count_thoughts(std::string_view text, const ReflectionWords& words) {
  const std::string lower = lowercase(text);
  std::string_view rest = lower;
  Thoughts thoughts;
  while (!rest.empty()) {
    std::size_t length = rest.size();
    std::size_t next = rest.size();
    for (const std::string& trigger : words.triggers) {
      const std::size_t at = rest.find(trigger);
      if (at < length) {
        length = at;
        next = at + trigger.size();
      }
    }
    const std::string_view thought = rest.substr(0, length);
    rest.remove_prefix(next);
    if (thought.find_first_not_of(" \t\r\n") == std::string_view::npos) continue;
    ++thoughts.all;
    const bool reflects = std::any_of(words.words.begin(), words.words.end(), [&](const std::string& word) {
      return thought.find(word) != std::string_view::npos;
    });
    if (reflects) ++thoughts.reflective;
  }
  return thoughts;
}

void count_tokens_before(std::string_view text, const ReflectionWords& words,
                         std::map<std::string, std::size_t>& counts) {
  const std::string lower = lowercase(text);
  if (lower.size() != text.size()) text = lower;  // a letter with another length: positions are those of the lower case
  for (const std::string& word : words.words) {
    for (std::size_t at = lower.find(word); at != std::string::npos; at = lower.find(word, at + word.size())) {
      const std::size_t end = at + word.size();
      if ((at > 0 && is_letter(lower[at - 1])) || (end < lower.size() && is_letter(lower[end]))) continue;
      const bool has_blank = at > 0 && text[at - 1] == ' ';  // it belongs to the word's own token
      ++counts[std::string(token_before(text, has_blank ? at - 1 : at))];
    }
  }
}

}  // namespace specthink::inline evaluation
