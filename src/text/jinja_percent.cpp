// The % operator on strings.
#include <cmath>
#include <cstdio>

#include "text/jinja_error.h"
#include "text/jinja_format.h"
#include "text/jinja_unicode.h"

namespace specthink::jinja {
namespace {

constexpr std::size_t kMaxWidth = 10000;
constexpr std::size_t kMaxPrecision = 300;

struct Specification {
  bool left = false;
  bool zero = false;
  bool plus = false;
  bool space = false;
  bool alternate = false;
  std::size_t width = 0;
  std::optional<std::size_t> precision;
  char conversion = 's';
};

class PercentFormatter {
 public:
  PercentFormatter(Runtime& runtime, std::string_view format, const Value& arguments)
      : runtime_(runtime), out_(runtime), rest_(format), arguments_(arguments) {}

  std::string run() {
    while (!rest_.empty()) {
      const std::size_t percent = rest_.find('%');
      out_.append(rest_.substr(0, percent));
      if (percent == rest_.npos) break;
      rest_.remove_prefix(percent + 1);
      conversion();
    }
    const Sequence* tuple = arguments_.is_sequence(SequenceType::kTuple) ? arguments_.sequence() : nullptr;
    const std::size_t available = tuple ? tuple->items.size() : 1;
    const bool is_mapping = arguments_.dict() || (arguments_.sequence() && !tuple);  // to Python, a list is one too
    if (used_ < available && !is_mapping) fail("not all arguments converted during string formatting");
    return out_.take();
  }

 private:
  char take() {
    if (rest_.empty()) fail("incomplete format");
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  std::size_t number(std::size_t limit) {
    std::size_t value = 0;
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
      value = value * 10 + static_cast<std::size_t>(take() - '0');
      if (value > limit) fail("a width or precision above {} in a format is not supported", limit);
    }
    return value;
  }

  void conversion() {
    std::optional<Value> named;
    if (!rest_.empty() && rest_.front() == '(') {
      const std::size_t end = rest_.find(')');
      if (end == rest_.npos) fail("incomplete format key");
      const std::string_view key = rest_.substr(1, end - 1);
      if (!arguments_.dict()) fail("format requires a mapping");
      const Value* found = arguments_.dict()->find(key);
      if (found == nullptr) fail("the format names '{}', which is not given", key);
      named = *found;
      rest_.remove_prefix(end + 1);
    }
    const Specification spec = specification();
    if (spec.conversion == '%') return out_.append("%");
    const Value argument = named ? *named : next_argument();
    write(spec, argument);
  }

  Specification specification() {
    Specification spec;
    for (; !rest_.empty() && std::string_view("-0+ #").find(rest_.front()) != std::string_view::npos;) {
      const char flag = take();
      spec.left |= flag == '-';
      spec.zero |= flag == '0';
      spec.plus |= flag == '+';
      spec.space |= flag == ' ';
      spec.alternate |= flag == '#';
    }
    spec.width = number(kMaxWidth);
    if (!rest_.empty() && rest_.front() == '.') {
      take();
      spec.precision = number(kMaxPrecision);
    }
    spec.conversion = take();
    return spec;
  }

  Value next_argument() {
    if (arguments_.is_sequence(SequenceType::kTuple)) {
      const Values& items = arguments_.sequence()->items;
      if (used_ >= items.size()) fail("not enough arguments for format string");
      return items[used_++];
    }
    if (used_++ > 0) fail("not enough arguments for format string");
    return arguments_;
  }

  void write(const Specification& spec, const Value& argument) {
    switch (spec.conversion) {
      case 's':
      case 'r': {
        std::string text = spec.conversion == 's' ? to_text(runtime_, argument) : to_repr(runtime_, argument);
        if (spec.precision) text.resize(byte_offset(text, *spec.precision));
        return pad(spec, "", text, ' ');
      }
      case 'c':
        return write_character(spec, argument);
      case 'd':
      case 'i':
      case 'u':
        return write_integer(spec, argument, 'd');
      case 'x':
      case 'X':
      case 'o':
        return write_integer(spec, argument, spec.conversion);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        return write_real(spec, argument);
      default:
        fail("unsupported format character '{}'", spec.conversion);
    }
  }

  void write_character(const Specification& spec, const Value& argument) {
    std::string text = argument.is_string() ? *argument.string() : "";
    if (const auto code = argument.as_integer(); code && *code >= 0 && *code < 0xD800) {
      append_utf8(text, static_cast<char32_t>(*code));
    }
    if (text_length(text) != 1) fail("%c requires a character or its number, not {}", argument.type_name());
    pad(spec, "", text, ' ');
  }

  void write_integer(const Specification& spec, const Value& argument, char base) {
    auto value = argument.as_integer();
    if (!value && base == 'd' && argument.real() && std::abs(*argument.real()) < 9e18) {
      value = static_cast<std::int64_t>(*argument.real());
    }
    if (!value) fail("%{} format: a number is required, not {}", spec.conversion, argument.type_name());
    const auto magnitude =
        *value < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(*value) : static_cast<std::uint64_t>(*value);
    std::string digits = base == 'x'   ? fmt::format("{:x}", magnitude)
                         : base == 'X' ? fmt::format("{:X}", magnitude)
                         : base == 'o' ? fmt::format("{:o}", magnitude)
                                       : fmt::format("{}", magnitude);
    if (spec.precision && digits.size() < *spec.precision) digits.insert(0, *spec.precision - digits.size(), '0');
    std::string prefix = sign(spec, *value < 0);
    if (spec.alternate && base != 'd') prefix += std::string("0") + base;
    pad(spec, prefix, digits, spec.zero ? '0' : ' ');
  }

  void write_real(const Specification& spec, const Value& argument) {
    const auto value = argument.as_number();
    if (!value) fail("must be real number, not {}", argument.type_name());
    const std::string format = std::string(spec.alternate ? "%#.*" : "%.*") + spec.conversion;
    char buffer[700];  // 309 digits, the point and kMaxPrecision more
    std::snprintf(buffer, sizeof(buffer), format.c_str(), static_cast<int>(spec.precision.value_or(6)),
                  std::abs(*value));
    pad(spec, sign(spec, std::signbit(*value)), buffer, spec.zero ? '0' : ' ');
  }

  static std::string sign(const Specification& spec, bool negative) {
    return negative ? "-" : spec.plus ? "+" : spec.space ? " " : "";
  }

  void pad(const Specification& spec, std::string_view prefix, std::string_view body, char fill) {
    const std::size_t length = prefix.size() + text_length(body);
    const std::size_t missing = spec.width > length ? spec.width - length : 0;
    if (!spec.left && fill == ' ') out_.append(missing, ' ');
    out_.append(prefix);
    if (!spec.left && fill == '0') out_.append(missing, '0');
    out_.append(body);
    if (spec.left) out_.append(missing, ' ');
  }

  Runtime& runtime_;
  TextBuilder out_;
  std::string_view rest_;
  const Value& arguments_;
  std::size_t used_ = 0;
};

}  // namespace

Value percent_format(Runtime& runtime, std::string_view format, const Value& arguments) {
  return PercentFormatter(runtime, format, arguments).run();
}

}  // namespace specthink::jinja
