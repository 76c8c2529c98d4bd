#include "config/types/value_types.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>
#include <system_error>
#include <type_traits>

#include "config/yaml_number.h"
#include "specthink/base/strings.h"

namespace specthink::inline config {
namespace {

namespace fs = std::filesystem;
using Kind = YamlValue::Kind;

YamlValue plain(std::string_view text, int line) {
  YamlValue value;
  value.kind = Kind::plain;
  value.text = text;
  value.line = line;
  return value;
}

template <class T>
std::optional<T> parse_whole(std::string_view text) {
  if (text.size() > 1 && text.front() == '+' && text[1] != '-') text.remove_prefix(1);
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// A number of a file is a scalar without quotes, in one of YAML's spellings; a flag's has digits alone.
template <class T>
std::optional<T> parse_number(const YamlValue& value, const Location& location) {
  if (value.kind != Kind::plain) return std::nullopt;
  if (!location.in_file()) return parse_whole<T>(value.text);
  if constexpr (std::is_floating_point_v<T>) {
    return read_yaml_real(value.text);
  } else {
    const std::optional<YamlInteger> number = read_yaml_integer(value.text);
    if (!number) return std::nullopt;
    const auto limit = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
    if (number->magnitude > limit || (number->is_negative && number->magnitude > 0 && std::is_unsigned_v<T>)) {
      return std::nullopt;
    }
    const T magnitude = static_cast<T>(number->magnitude);
    return number->is_negative ? static_cast<T>(-magnitude) : magnitude;
  }
}

// What a flag or variable gives is split up like the value of a YAML file.
YamlValue as_yaml(const YamlValue& value, const Location& location) {
  return location.in_file() ? value : parse_yaml(value.text, location.subject());
}

// A list of YAML, or items with commas between.
YamlValue as_comma_list(const YamlValue& value, const Location& location) {
  if (value.kind != Kind::plain) return value;
  if (!location.in_file() && value.text.starts_with('[')) return as_yaml(value, location);
  YamlValue list;
  list.kind = Kind::list;
  list.line = value.line;
  for (std::string_view rest = value.text;;) {
    const std::size_t comma = rest.find(',');
    std::string_view item = rest.substr(0, comma);
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    list.items.push_back(plain(item, value.line));
    if (comma == rest.npos) return list;
    rest.remove_prefix(comma + 1);
  }
}

std::string with_range(const std::string& noun, const std::string& range) {
  return range.empty() ? noun : fmt::format("{} ({})", noun, range);
}

fs::path absolute(const fs::path& path) {
  std::error_code error;
  const fs::path result = fs::absolute(path, error);
  return error ? path : result.lexically_normal();
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool names_path(const std::string& name) {
  return name == "." || name == ".." || name.starts_with("/") || name.starts_with("./") || name.starts_with("../");
}

std::string in_folder(const fs::path& folder, const std::string& path) {
  return (folder / path).lexically_normal().string();
}

std::string resolve_model_name(const fs::path& folder, const std::string& name) {
  if (!names_path(name) && !is_folder(folder / name)) return name;
  const std::string path = in_folder(folder, name);
  return names_path(path) ? path : "./" + path;  // so that it cannot be taken for a hub name
}

// The texts of a list, none empty; `what` names it in errors.
std::vector<std::string> read_words(const YamlValue& list, const Location& location, const std::string& what) {
  const std::string expected = what + "a list of texts such as [\"\\n\\n\", \"wait\"]";
  if (list.kind != Kind::list) location.fail(expected, list);
  std::vector<std::string> words;
  for (const YamlValue& item : list.items) {
    const Location item_location = location.at(item.line);
    const std::string item_expected = fmt::format("{}text as item {}", what, words.size() + 1);
    if (!item.is_scalar()) item_location.fail(item_expected, item);
    if (item.kind == Kind::plain && (is_plain_number(item.text) || is_plain_boolean(item.text))) {
      item_location.fail(item_expected, item, "put it in quotes");
    }
    if (item.text.empty()) item_location.fail(item_expected, item, "an empty one would be found everywhere");
    words.push_back(item.text);
  }
  return words;
}

}  // namespace

Location Location::in_yaml(const fs::path& file, int line, const std::string& key) {
  Location location(fmt::format("{}:{}", file.string(), line));
  location.file_ = file;
  location.key_ = key;
  return location;
}

void Location::fail(const std::string& expected, const YamlValue& found, const std::string& advice) const {
  throw UserError("{}: expected {}, found {}{}", subject(), expected, found.describe(),
                  advice.empty() ? "" : fmt::format("; {}", advice));
}

bool Boolean::read(const YamlValue& value, const Location& location) const {
  if (value.kind == Kind::plain) {
    for (const char* word : {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"}) {
      if (value.text == word) return true;
    }
    for (const char* word : {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"}) {
      if (value.text == word) return false;
    }
    if (!location.in_file() && (value.text == "1" || value.text == "0")) return value.text == "1";
  }
  location.fail("true or false", value, value.kind == Kind::quoted ? "remove the quotes" : "");
}

std::string Integer::range() const {
  return max == kMaxCount ? fmt::format("at least {}", min) : fmt::format("{} to {}", min, max);
}

int Integer::read(const YamlValue& value, const Location& location) const {
  const std::optional<int> number = parse_number<int>(value, location);
  if (!number || *number < min || *number > max) {
    location.fail(fmt::format("an integer ({} to {})", min, max), value);
  }
  return *number;
}

std::uint64_t Seed::read(const YamlValue& value, const Location& location) const {
  const std::optional<std::uint64_t> number = parse_number<std::uint64_t>(value, location);
  if (!number) location.fail(with_range("an integer", range()), value);
  return *number;
}

std::string Number::range() const {
  const std::string low = min == std::numeric_limits<double>::lowest()
                              ? ""
                              : fmt::format("{} {}", excludes_min ? "above" : "at least", min);
  if (max == std::numeric_limits<double>::max()) return low;
  return low.empty() ? fmt::format("at most {}", max) : fmt::format("{} and at most {}", low, max);
}

double Number::read(const YamlValue& value, const Location& location) const {
  if (value.kind == Kind::null && if_null) return *if_null;
  const std::optional<double> number = parse_number<double>(value, location);
  if (!number || !std::isfinite(*number) || *number < min || *number > max || (excludes_min && *number == min)) {
    location.fail(with_range("a finite number", range()), value);
  }
  return *number;
}

Json Number::write(double value) const {
  constexpr double kExact = 9007199254740992.0;  // 2^53: below, an integer is written as one
  if (std::trunc(value) == value && std::abs(value) < kExact) return static_cast<std::int64_t>(value);
  return value;
}

std::optional<std::string> Text::read(const YamlValue& value, const Location& location) const {
  const std::string expected = form == Form::model ? "a folder or hub name" : form == Form::path ? "a path" : "text";
  const std::string& text = value.text;
  if (value.kind == Kind::null && null_allowed) return std::nullopt;
  if (!value.is_scalar() || (text.empty() && empty == Empty::error)) location.fail(expected, value);
  if (text.empty() && empty == Empty::null) return std::nullopt;
  if (form != Form::text && text.find('\0') != text.npos) location.fail(expected + " without a NUL", value);
  if (!location.in_file()) {
    if (none_is_null && text == "none") return std::nullopt;
    return text;
  }
  if (value.kind == Kind::plain && (is_plain_number(text) || is_plain_boolean(text))) {
    location.fail(expected, value, "put it in quotes if it is meant as text");
  }
  switch (form) {
    case Form::text:
      return text;
    case Form::path:
      return in_folder(location.folder(), text);
    case Form::model:
      return resolve_model_name(location.folder(), text);
    case Form::text_or_at_path:
      return text.starts_with('@') ? "@" + in_folder(location.folder(), text.substr(1)) : text;
  }
  throw InternalError("a text without a form");
}

Json Text::write(const std::optional<std::string>& value) const {
  if (!value) return nullptr;
  std::string text = *value;
  if (form == Form::path || (form == Form::model && (names_path(text) || is_folder(text)))) {
    text = absolute(text).string();
  } else if (form == Form::text_or_at_path && text.starts_with('@')) {
    text = "@" + absolute(text.substr(1)).string();
  }
  return replace_invalid_utf8(text);
}

std::vector<std::string> WordList::read(const YamlValue& value, const Location& location) const {
  const YamlValue list = as_yaml(value, location);
  std::vector<std::string> words = read_words(list, location, "");
  if (words.empty()) throw UserError("{}: expected at least one text, found an empty list", location.subject());
  return words;
}

Keywords::Value Keywords::read(const YamlValue& value, const Location& location) const {
  const YamlValue map = as_yaml(value, location);
  if (map.kind != Kind::map) location.fail("a map with the lists verify, negative and positive", map);
  Value keywords = defaults;
  for (const YamlValue& item : map.items) {
    if (item.key == "verify") {
      keywords.verify = read_words(item, location, "verify: ");
    } else if (item.key == "negative") {
      keywords.negative = read_words(item, location, "negative: ");
    } else if (item.key == "positive") {
      keywords.positive = read_words(item, location, "positive: ");
    } else {
      throw UserError("{}: unknown key {}, expected verify, negative or positive{}",
                      location.at(item.key_line).subject(), quote(item.key),
                      did_you_mean(item.key, {"verify", "negative", "positive"}));
    }
  }
  return keywords;
}

Json Keywords::write(const Value& value) const {
  return {{"verify", value.verify}, {"negative", value.negative}, {"positive", value.positive}};
}

std::optional<TokenIds> IdList::read(const YamlValue& value, const Location& location) const {
  if (value.kind == Kind::null) return std::nullopt;
  const YamlValue list = as_comma_list(value, location);
  const char* const expected = "token ids such as 5,17,3";
  if (list.kind != Kind::list || list.items.empty()) location.fail(expected, value);
  TokenIds ids;
  for (const YamlValue& item : list.items) {
    const std::optional<TokenId> id = parse_number<TokenId>(item, location);
    if (!id || *id < 0) {
      throw UserError("{}: expected {}, found {} as item {}", location.subject(), expected, item.describe(),
                      ids.size() + 1);
    }
    ids.push_back(*id);
  }
  return ids;
}

std::optional<std::vector<IndexRange>> IndexList::read(const YamlValue& value, const Location& location) const {
  if (value.kind == Kind::null) return std::nullopt;
  const YamlValue list = as_comma_list(value, location);
  const char* const expected = "indices and ranges such as 0,3,5-9";
  if (list.kind != Kind::list || list.items.empty()) location.fail(expected, value);
  std::vector<IndexRange> ranges;
  for (const YamlValue& item : list.items) {
    const std::string_view text = item.is_scalar() ? std::string_view(item.text) : std::string_view();
    const std::size_t dash = text.find('-');
    const std::optional<int> first = parse_whole<int>(text.substr(0, dash));
    const std::optional<int> last = dash == text.npos ? first : parse_whole<int>(text.substr(dash + 1));
    if (!first || !last || *first < 0 || *last < *first) {
      throw UserError("{}: expected {}, found {} as item {}", location.subject(), expected, item.describe(),
                      ranges.size() + 1);
    }
    ranges.push_back({*first, *last});
  }
  return ranges;
}

Json IndexList::write(const Value& value) const {
  if (!value) return nullptr;
  Json list = Json::array();
  for (const IndexRange& range : *value) {
    if (range.first == range.last) {
      list.push_back(range.first);
    } else {
      list.push_back(fmt::format("{}-{}", range.first, range.last));
    }
  }
  return list;
}

std::vector<std::string> NameList::read(const YamlValue& value, const Location& location) const {
  if (value.kind == Kind::null) return {};
  const YamlValue list = as_comma_list(value, location);
  const std::string expected = "names with commas between";
  if (list.kind != Kind::list || list.items.empty()) location.fail(expected, value);
  std::vector<std::string> names;
  for (const YamlValue& item : list.items) {
    if (!item.is_scalar() || item.text.empty()) location.fail(expected, value);
    names.push_back(item.text);
  }
  return names;
}

std::vector<double> NumberList::read(const YamlValue& value, const Location& location) const {
  const YamlValue list = as_comma_list(value, location);
  const std::string expected = "numbers from 0 on such as 0.6,0.8";
  if (list.kind != Kind::list || list.items.empty()) location.fail(expected, value);
  std::vector<double> numbers;
  for (const YamlValue& item : list.items) {
    const std::optional<double> number = parse_number<double>(item, location);
    if (!number || !(*number >= 0 && *number <= 1e6)) location.fail(expected, item);
    if (std::find(numbers.begin(), numbers.end(), *number) != numbers.end()) {
      throw UserError("{}: {} is given twice", location.subject(), *number);
    }
    numbers.push_back(*number);
  }
  return numbers;
}

Json NumberList::write(const Value& value) const {
  Json list = Json::array();
  for (const double number : value) list.push_back(Number{}.write(number));
  return list;
}

std::optional<int> OptionalInteger::read(const YamlValue& value, const Location& location) const {
  if (value.kind == Kind::null) return std::nullopt;
  return Integer{.min = min}.read(value, location);
}

Part PartOfWhole::read(const YamlValue& value, const Location& location) const {
  const std::string_view text = value.text;
  const std::size_t slash = std::min(text.find('/'), text.size());
  const Part part{parse_whole<int>(text.substr(0, slash)).value_or(0),
                  parse_whole<int>(text.substr(std::min(slash + 1, text.size()))).value_or(0)};
  if (!value.is_scalar() || part.number < 1 || part.number > part.of) {
    location.fail("a part K/N such as 2/4 (" + range() + ")", value);
  }
  return part;
}

Json PartOfWhole::write(const Value& value) const { return fmt::format("{}/{}", value.number, value.of); }

Shares::Value Shares::read(const YamlValue& value, const Location& location) const {
  constexpr double kRounding = 1e-9;  // 0.7 + 0.3 may add up to a little more than 1
  if (value.is_scalar() && value.text == "auto") return std::nullopt;
  const std::string expected = "two numbers T,D for target and draft (" + range() + "), or auto";
  const YamlValue list = as_comma_list(value, location);
  if (list.kind != Kind::list || list.items.size() != 2) location.fail(expected, value);
  std::array<double, 2> shares{};
  for (std::size_t i = 0; i < 2; ++i) {
    const std::optional<double> share = parse_number<double>(list.items[i], location);
    if (!share || !(*share > 0 && *share <= 1)) location.fail(expected, list.items[i]);
    shares[i] = *share;
  }
  if (shares[0] + shares[1] > 1 + kRounding) {
    throw UserError("{}: expected {}, found {} + {} = {}", location.subject(), expected, shares[0], shares[1],
                    shares[0] + shares[1]);
  }
  return shares;
}

Json Shares::write(const Value& value) const {
  if (!value) return "auto";
  return {Number{}.write((*value)[0]), Number{}.write((*value)[1])};
}

}  // namespace specthink::inline config
