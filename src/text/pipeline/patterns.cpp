#include "text/pipeline/patterns.h"

#include "text/unicode_versions.h"

namespace specthink::inline text {

Regex read_pattern(const JsonView& view) {
  if (const auto text = view.find("String")) return Regex::literal(text->string());
  const JsonView regex = view.at("Regex");
  try {
    return Regex(regex.string());
  } catch (const RegexError& error) {
    regex.fail("cannot use the pattern '{}': {} at byte {}", regex.string(), error.what(), error.offset());
  }
}

std::string replace_all(const Regex& pattern, std::string_view text, std::string_view content) {
  std::string storage;
  std::string result;
  std::size_t end = 0;
  for (const Regex::Match& match : pattern.find_all(regex_view(text, storage))) {
    result += text.substr(end, match.begin - end);
    result += content;
    end = match.end;
  }
  result += text.substr(end);
  return result;
}

}  // namespace specthink::inline text
