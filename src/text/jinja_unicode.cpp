#include "text/jinja_unicode.h"

#include <string.h>  // memmem
#include <utf8proc.h>

#include <algorithm>
#include <array>

namespace specthink::jinja {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// The start of the code point that ends before `position`.
std::size_t previous_start(std::string_view text, std::size_t position) {
  do {
    --position;
  } while (position > 0 && is_continuation(text[position]));
  return position;
}

bool is_line_end(char32_t code) {
  return (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 || code == 0x2028 ||
         code == 0x2029;
}

// Digits that are no decimal digits (superscripts, circled ones), as first and last of each range.
constexpr std::array<std::pair<char32_t, char32_t>, 20> kOtherDigits{{
    {0xB2, 0xB3},     {0xB9, 0xB9},       {0x1369, 0x1371},   {0x19DA, 0x19DA},   {0x2070, 0x2070},
    {0x2074, 0x2079}, {0x2080, 0x2089},   {0x2460, 0x2468},   {0x2474, 0x247C},   {0x2488, 0x2490},
    {0x24EA, 0x24EA}, {0x24F5, 0x24FD},   {0x24FF, 0x24FF},   {0x2776, 0x277E},   {0x2780, 0x2788},
    {0x278A, 0x2792}, {0x10A40, 0x10A43}, {0x10E60, 0x10E68}, {0x11052, 0x1105A}, {0x1F100, 0x1F10A},
}};

}  // namespace

std::u32string code_points(std::string_view text) {
  std::u32string codes;
  codes.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) codes += next_code_point(text, i);
  return codes;
}

std::string to_utf8(std::u32string_view text) {
  std::string result;
  for (const char32_t code : text) append_utf8(result, code);
  return result;
}

std::size_t text_length(std::string_view text) {
  return text.size() - static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_continuation));
}

std::size_t byte_offset(std::string_view text, std::size_t index) {
  std::size_t offset = 0;
  while (index > 0 && offset < text.size()) {
    next_code_point(text, offset);
    --index;
  }
  return offset;
}

bool is_space(char32_t code) {
  return (code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x20) || code == 0x85 || code == 0xA0 ||
         code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F ||
         code == 0x205F || code == 0x3000;
}

bool is_printable(char32_t code) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    case UTF8PROC_CATEGORY_ZS:
      return code == ' ';
    default:
      return true;
  }
}

bool is_upper(char32_t code) { return utf8proc_isupper(static_cast<utf8proc_int32_t>(code)) != 0; }
bool is_lower(char32_t code) { return utf8proc_islower(static_cast<utf8proc_int32_t>(code)) != 0; }

bool is_alphabetic(char32_t code) {
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(code));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool is_digit(char32_t code) {
  if (utf8proc_category(static_cast<utf8proc_int32_t>(code)) == UTF8PROC_CATEGORY_ND) return true;
  return std::any_of(kOtherDigits.begin(), kOtherDigits.end(),
                     [&](const auto& range) { return code >= range.first && code <= range.second; });
}

bool is_all_space(std::string_view text) { return strip(text, Side::kLeft).empty(); }

std::string_view strip(std::string_view text, Side side, std::optional<std::string_view> chars) {
  const std::u32string set = chars ? code_points(*chars) : std::u32string();
  const auto goes = [&](char32_t code) { return chars ? set.find(code) != set.npos : is_space(code); };
  while (side != Side::kRight && !text.empty()) {
    std::size_t end = 0;
    if (!goes(next_code_point(text, end))) break;
    text.remove_prefix(end);
  }
  while (side != Side::kLeft && !text.empty()) {
    const std::size_t start = previous_start(text, text.size());
    std::size_t position = start;
    if (!goes(next_code_point(text, position))) break;
    text = text.substr(0, start);
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
  std::vector<std::string_view> parts;
  const auto may_split = [&] { return max_splits < 0 || std::ssize(parts) < max_splits; };
  if (separator) {
    while (may_split()) {
      const std::size_t start = text.rfind(*separator);
      if (start == text.npos) break;
      parts.push_back(text.substr(start + separator->size()));
      text = text.substr(0, start);
    }
    parts.push_back(text);
  } else {
    text = strip(text, Side::kRight);
    while (!text.empty() && may_split()) {
      std::size_t start = text.size();
      while (start > 0) {
        const std::size_t before = previous_start(text, start);
        std::size_t position = before;
        if (is_space(next_code_point(text, position))) break;
        start = before;
      }
      parts.push_back(text.substr(start));
      text = strip(text.substr(0, start), Side::kRight);
    }
    if (!text.empty()) parts.push_back(text);
  }
  std::reverse(parts.begin(), parts.end());
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

std::size_t find_text(std::string_view text, std::string_view part, std::size_t from) {
  if (from > text.size()) return text.npos;
  const void* found = memmem(text.data() + from, text.size() - from, part.data(), part.size());
  return found == nullptr ? text.npos : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

}  // namespace specthink::jinja
