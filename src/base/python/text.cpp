#include "specthink/base/python/text.h"

#include <string.h>  // memmem
#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "specthink/base/lowercase.h"
#include "specthink/base/utf8.h"

namespace specthink::inline base::python {
namespace {

bool is_line_end(char32_t code) {
  return (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 || code == 0x2028 ||
         code == 0x2029;
}

utf8proc_category_t category_of(char32_t code) { return utf8proc_category(static_cast<utf8proc_int32_t>(code)); }

bool is_cased_letter(char32_t code) {
  const auto signed_code = static_cast<utf8proc_int32_t>(code);
  return utf8proc_isupper(signed_code) || utf8proc_islower(signed_code) || category_of(code) == UTF8PROC_CATEGORY_LT;
}

std::u32string simple_uppercase(std::u32string text) {
  for (char32_t& code : text) code = static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(code)));
  return text;
}

// The upper case of one character. Where it has several characters, so has the folded form, whose upper case it is.
std::u32string uppercase_of(char32_t code) {
  std::array<utf8proc_int32_t, 8> folded{};
  int boundary = UTF8PROC_BOUNDCLASS_START;
  const utf8proc_ssize_t count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code), folded.data(),
                                                         folded.size(), UTF8PROC_CASEFOLD, &boundary);
  if (count < 2 || category_of(code) == UTF8PROC_CATEGORY_LU) return simple_uppercase({code});
  return simple_uppercase({folded.begin(), folded.begin() + count});
}

std::string titlecase_of(char32_t code) {
  const auto simple = static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(code)));
  const bool has_title_letter = code >= 0x1F80 && (simple != code || category_of(code) == UTF8PROC_CATEGORY_LT);
  const std::u32string upper = uppercase_of(code);
  if (has_title_letter || upper.size() < 2) return to_utf8(std::u32string(1, simple));
  const std::size_t capitals = code == 0x149 ? 2 : 1;  // the apostrophe of U+0149 is no letter
  return to_utf8(upper.substr(0, capitals)) + lowercase(to_utf8(upper.substr(capitals)));
}

}  // namespace

bool is_space(char32_t code) { return is_white_space(code) || (code >= 0x1C && code <= 0x1F); }

bool is_printable(char32_t code) {
  const utf8proc_category_t category = category_of(code);  // separators and control characters are the last ones
  return code == ' ' || (category != UTF8PROC_CATEGORY_CN && category < UTF8PROC_CATEGORY_ZS);
}

bool is_letter(char32_t code) {
  const utf8proc_category_t category = category_of(code);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool is_decimal_digit(char32_t code) { return category_of(code) == UTF8PROC_CATEGORY_ND; }

bool is_numeric(char32_t code) {
  const utf8proc_category_t category = category_of(code);
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool has_case(std::string_view text, std::string (*convert)(std::string_view)) {
  return convert(text) == text && lowercase(text) != uppercase(text);
}

std::string_view strip(std::string_view text, Side side, std::optional<std::string_view> chars) {
  const std::u32string set = chars ? code_points(*chars) : std::u32string();
  const auto goes = [&](char32_t code) { return chars ? set.find(code) != set.npos : is_space(code); };
  while (side != Side::kRight && !text.empty()) {
    const Utf8Char first = next_utf8(text);
    if (!goes(first.code)) break;
    text.remove_prefix(first.length);
  }
  while (side != Side::kLeft && !text.empty()) {
    const Utf8Char last = last_utf8(text);
    if (!goes(last.code)) break;
    text.remove_suffix(last.length);
  }
  return text;
}

std::vector<std::string_view> split(std::string_view text, std::optional<std::string_view> separator,
                                    std::ptrdiff_t max_splits) {
  std::vector<std::string_view> parts;
  const auto may_split = [&] { return max_splits < 0 || std::ssize(parts) < max_splits; };
  if (separator) {
    while (may_split()) {
      const std::size_t end = find_text(text, *separator);
      if (end == text.npos) break;
      parts.push_back(text.substr(0, end));
      text.remove_prefix(end + separator->size());
    }
    parts.push_back(text);
    return parts;
  }
  text = strip(text, Side::kLeft);
  while (!text.empty() && may_split()) {
    std::size_t end = 0;
    for (std::size_t i = 0; i < text.size() && !is_space(next_code_point(text, i));) end = i;
    parts.push_back(text.substr(0, end));
    text = strip(text.substr(end), Side::kLeft);
  }
  if (!text.empty()) parts.push_back(text);
  return parts;
}

std::vector<std::string_view> split_from_right(std::string_view text, std::optional<std::string_view> separator,
                                               std::ptrdiff_t max_splits) {
  if (max_splits < 0) return split(text, separator, max_splits);
  std::vector<std::string_view> parts;
  if (!separator) text = strip(text, Side::kRight);
  while (max_splits-- > 0 && !text.empty()) {
    std::size_t begin = 0;  // of the last part
    std::size_t end = 0;    // of the text before it
    if (separator) {
      end = text.rfind(*separator);
      if (end == text.npos) break;
      begin = end + separator->size();
    } else {
      for (begin = text.size(); begin > 0 && !is_space(last_utf8(text.substr(0, begin)).code);) {
        begin -= last_utf8(text.substr(0, begin)).length;
      }
      if (begin == 0) break;
      end = strip(text.substr(0, begin), Side::kRight).size();
    }
    parts.push_back(text.substr(begin));
    text = text.substr(0, end);
  }
  if (separator || !text.empty()) parts.push_back(text);
  std::ranges::reverse(parts);
  return parts;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = i;
    const char32_t code = next_code_point(text, i);
    if (!is_line_end(code)) continue;
    if (code == '\r' && i < text.size() && text[i] == '\n') ++i;
    lines.push_back(text.substr(start, (keep_ends ? i : end) - start));
    start = i;
  }
  if (start < text.size()) lines.push_back(text.substr(start));
  return lines;
}

std::string with_universal_newlines(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r') {
      result += '\n';
      if (i + 1 < text.size() && text[i + 1] == '\n') ++i;
    } else {
      result += text[i];
    }
  }
  return result;
}

std::size_t find_text(std::string_view text, std::string_view part, std::size_t from) {
  if (from > text.size()) return text.npos;
  const void* found = memmem(text.data() + from, text.size() - from, part.data(), part.size());
  return found == nullptr ? text.npos : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

std::size_t count_text(std::string_view text, std::string_view part) {
  if (part.empty()) return count_characters(text) + 1;
  std::size_t count = 0;
  for (std::size_t at = find_text(text, part); at != text.npos; at = find_text(text, part, at + part.size())) ++count;
  return count;
}

std::string replace_text(std::string_view text, std::string_view part, std::string_view with, std::size_t count) {
  std::string result;
  std::size_t position = 0;
  for (; count > 0; --count) {
    const std::size_t found = find_text(text, part, position);
    if (found == text.npos) break;
    result.append(text.substr(position, found - position)).append(with);
    position = found + part.size();
    if (!part.empty()) continue;
    if (position == text.size()) break;
    next_code_point(text, position);
    result += text.substr(found, position - found);
  }
  return result.append(text.substr(position));
}

std::string uppercase(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const char32_t code = next_code_point(text, i);
    if (code < 0x80) {
      result += static_cast<char>(code >= 'a' && code <= 'z' ? code - ('a' - 'A') : code);
    } else {
      result += to_utf8(uppercase_of(code));
    }
  }
  return result;
}

std::string capitalize(std::string_view text) {
  if (text.empty()) return "";
  const Utf8Char first = next_utf8(text);
  // All is made lower case together: a sigma at a word's end depends on what precedes it.
  return titlecase_of(first.code) + lowercase(text).substr(lowercase(text.substr(0, first.length)).size());
}

std::string fill_with_zeros(std::string_view text, std::size_t width) {
  const bool has_sign = text.starts_with('-') || text.starts_with('+');
  const std::size_t length = count_characters(text);
  return std::string(text).insert(has_sign ? 1 : 0, width > length ? width - length : 0, '0');
}

std::string convert_words(std::string_view text, bool (*is_inside)(char32_t),
                          std::string (*convert)(std::string_view)) {
  std::string result;
  while (!text.empty()) {
    std::size_t end = 0;
    for (std::size_t i = 0; i < text.size() && is_inside(next_code_point(text, i));) end = i;
    if (end > 0) {
      result += convert(text.substr(0, end));
    } else {
      end = next_utf8(text).length;
      result += text.substr(0, end);
    }
    text.remove_prefix(end);
  }
  return result;
}

std::string title(std::string_view text) { return convert_words(text, is_cased_letter, capitalize); }

}  // namespace specthink::inline base::python
