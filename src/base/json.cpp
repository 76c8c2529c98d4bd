#include "specthink/base/json.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <system_error>

#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/strings.h"

namespace specthink::inline base {
namespace {

constexpr int kMaxDepth = 256;

// Nesting is checked before parsing: recursion over a parsed document must not exhaust the stack.
void check_depth(std::string_view text, std::string_view source) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth)
        throw UserError("{}: JSON is nested deeper than {} levels at byte {}", source, kMaxDepth, i);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
}

// The code unit of \uXXXX at the start of `text`.
std::optional<unsigned> code_unit(std::string_view text) {
  unsigned unit = 0;
  if (text.size() < 6 || !text.starts_with("\\u")) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + 6, unit, 16);
  if (error != std::errc() || end != text.data() + 6) return std::nullopt;
  return unit;
}

// Copies an escape sequence; half of a surrogate pair is replaced. Returns its length.
std::size_t copy_escape(std::string_view text, std::string& result) {
  const auto unit = code_unit(text);
  std::size_t length = unit ? 6 : std::min<std::size_t>(2, text.size());
  if (unit && *unit >= 0xD800 && *unit < 0xE000) {
    const auto second = code_unit(text.substr(6));
    const bool is_pair = *unit < 0xDC00 && second && *second >= 0xDC00 && *second < 0xE000;
    if (!is_pair) {
      result += "\\ufffd";
      return length;
    }
    length = 12;
  }
  result += text.substr(0, length);
  return length;
}

}  // namespace

std::string strict_json(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  bool in_string = false;
  for (std::size_t i = 0; i < text.size();) {
    if (in_string && text[i] == '\\') {
      i += copy_escape(text.substr(i), result);
      continue;
    }
    if (text[i] == '"') in_string = !in_string;
    std::string_view word;
    for (const std::string_view known : {"NaN", "-Infinity", "Infinity"}) {
      if (!in_string && word.empty() && text.substr(i).starts_with(known)) word = known;
    }
    if (word.empty()) {
      result += text[i++];
    } else {
      result.append("\"").append(word).append("\"");
      i += word.size();
    }
  }
  return result;
}

Json parse_json(std::string_view text, std::string_view source) {
  check_depth(text, source);
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const Json::parse_error&) {
    // Perhaps only because Python has written it; otherwise the mistake is the same.
  } catch (const Json::out_of_range&) {
  }
  const std::string strict = strict_json(text);
  try {
    return Json::parse(strict.begin(), strict.end());
  } catch (const Json::parse_error& error) {
    throw UserError("{}: not valid JSON at byte {}: {}", source, error.byte, error.what());
  } catch (const Json::out_of_range& error) {  // a number beyond the range of a double
    throw UserError("{}: not valid JSON: {}", source, error.what());
  }
}

std::string excerpt(const Json& value) {
  constexpr std::size_t kMaxLength = 80;
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() <= kMaxLength) return text;
  text.resize(kMaxLength);
  text.resize(valid_utf8_prefix(text));
  return text + "…";
}

Json read_json(const std::filesystem::path& path) { return parse_json(read_file(path), path.string()); }

}  // namespace specthink::inline base
