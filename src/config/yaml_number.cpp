#include "config/yaml_number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <string>
#include <system_error>

namespace specthink::inline config {
namespace {

bool consists_of(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == text.npos;
}

bool takes(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// Digits of a base with underscores between them.
std::optional<std::uint64_t> read_digits(std::string_view text, int base) {
  std::string digits(text);
  std::erase(digits, '_');
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

// The parts of 190:20:30 behind the first: two digits at most, below 60.
std::optional<std::uint64_t> read_base_60(std::string_view text, std::uint64_t first) {
  std::uint64_t value = first;
  while (takes(text, ":")) {
    const std::size_t length = std::min(text.find(':'), text.size());
    const std::string_view part = text.substr(0, length);
    if (part.empty() || part.size() > 2 || !consists_of(part, "0123456789")) return std::nullopt;
    if (part.size() == 2 && part.front() > '5') return std::nullopt;
    if (value > (std::numeric_limits<std::uint64_t>::max() - 60) / 60) return std::nullopt;
    value = value * 60 + *read_digits(part, 10);
    text.remove_prefix(length);
  }
  return value;
}

std::optional<std::uint64_t> read_magnitude(std::string_view text) {
  if (takes(text, "0b")) return consists_of(text, "01_") ? read_digits(text, 2) : std::nullopt;
  if (takes(text, "0x")) return consists_of(text, "0123456789abcdefABCDEF_") ? read_digits(text, 16) : std::nullopt;
  if (text.size() > 1 && text.front() == '0') {
    return consists_of(text, "01234567_") ? read_digits(text, 8) : std::nullopt;
  }
  const std::size_t length = std::min(text.find(':'), text.size());
  const std::string_view digits = text.substr(0, length);
  if (digits.empty() || digits.front() == '_' || !consists_of(digits, "0123456789_")) return std::nullopt;
  if (length < text.size() && digits.front() == '0') return std::nullopt;
  const auto first = read_digits(digits, 10);
  return first ? read_base_60(text.substr(length), *first) : std::nullopt;
}

}  // namespace

std::optional<YamlInteger> read_yaml_integer(std::string_view text) {
  const bool is_negative = takes(text, "-");
  if (!is_negative) takes(text, "+");
  const auto magnitude = read_magnitude(text);
  if (!magnitude) return std::nullopt;
  return YamlInteger{is_negative, *magnitude};
}

std::optional<double> read_yaml_real(std::string_view text) {
  for (const char* word : {".nan", ".NaN", ".NAN"}) {
    if (text == word) return std::numeric_limits<double>::quiet_NaN();
  }
  const double sign = text.starts_with('-') ? -1 : 1;
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  for (const char* word : {".inf", ".Inf", ".INF"}) {
    if (text == word) return sign * std::numeric_limits<double>::infinity();
  }
  if (const auto integer = read_yaml_integer(text); integer && !integer->is_negative && !text.starts_with('+')) {
    return sign * static_cast<double>(integer->magnitude);
  }
  double whole = 0;  // the parts of 1:30.5 in front of the last
  if (const std::size_t colon = text.rfind(':'); colon != text.npos && text.find('.') != text.npos) {
    const auto minutes = read_yaml_integer(text.substr(0, colon));
    if (!minutes || !consists_of(text.substr(colon + 1), "0123456789_.")) return std::nullopt;
    whole = 60 * static_cast<double>(minutes->magnitude);
    text.remove_prefix(colon + 1);
  }
  std::string digits(text);
  std::erase(digits, '_');
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool begins_right = consists_of(digits.substr(0, 1), "0123456789.") && !text.starts_with('_');
  if (!begins_right || end != digits.data() + digits.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) {  // as Python reads them: 1e999 is infinite, 1e-999 is zero
    value = std::strtod(digits.c_str(), nullptr);
  } else if (error != std::errc()) {
    return std::nullopt;
  }
  return sign * (whole + value);
}

}  // namespace specthink::inline config
