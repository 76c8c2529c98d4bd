// The operator % of str, as in C.
#include <cctype>
#include <cmath>
#include <cstdio>
#include <string>

#include "jinja/format.h"
#include "jinja/operators.h"
#include "jinja/unicode.h"
#include "specthink/jinja/error.h"

namespace specthink::jinja {
namespace {

struct Conversion {
  bool left = false, zero = false, plus = false, blank = false, alternate = false;
  std::int64_t width = 0;
  std::int64_t precision = -1;  // none
  char kind = 0;
};

class Formatter {
 public:
  Formatter(Runtime& runtime, std::string_view format, const Value& given)
      : runtime_(runtime), out_(runtime), rest_(format), given_(given) {}

  Value run() {
    for (std::size_t at = rest_.find('%'); at != rest_.npos; at = rest_.find('%')) {
      out_.append(rest_.substr(0, at));
      rest_.remove_prefix(at + 1);
      convert();
    }
    out_.append(rest_);
    const bool is_tuple = given_.is_sequence(SequenceType::kTuple);
    const bool may_stay = given_.dict() != nullptr || given_.is_sequence(SequenceType::kList);
    if (is_tuple ? next_ < given_.sequence()->items.size() : next_ == 0 && !may_stay) {
      fail("not all arguments converted during string formatting");
    }
    return out_.take();
  }

 private:
  char peek() const {
    if (rest_.empty()) fail("incomplete format");
    return rest_.front();
  }
  bool skip(char c) {
    if (peek() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  const Value& argument() {
    if (named_ != nullptr) return *named_;
    const bool is_tuple = given_.is_sequence(SequenceType::kTuple);
    if (next_ >= (is_tuple ? given_.sequence()->items.size() : 1)) fail("not enough arguments for format string");
    return is_tuple ? given_.sequence()->items[next_++] : (++next_, given_);
  }

  std::int64_t count() {
    if (skip('*')) {
      const auto value = argument().as_integer();
      if (!value) fail("* wants int");
      const auto most = static_cast<std::int64_t>(kMaxTextBytes);
      if (*value < -most || *value > most) runtime_.check_text_size(kMaxTextBytes + 1);
      return *value;
    }
    std::int64_t number = 0;
    for (; std::isdigit(static_cast<unsigned char>(peek())) != 0; rest_.remove_prefix(1)) {
      number = number * 10 + (rest_.front() - '0');
      runtime_.check_text_size(static_cast<std::size_t>(number));
    }
    return number;
  }

  void convert() {
    Conversion c;
    named_ = nullptr;
    if (skip('(')) {
      const std::size_t end = rest_.find(')');
      if (end == rest_.npos) fail("incomplete format key");
      if (given_.dict() == nullptr) fail("format requires a mapping");
      named_ = given_.dict()->find(Value(rest_.substr(0, end)));
      if (named_ == nullptr) fail("there is no key '{}' for the format", rest_.substr(0, end));
      rest_.remove_prefix(end + 1);
    }
    while (true) {
      if (skip('-'))
        c.left = true;
      else if (skip('0'))
        c.zero = true;
      else if (skip('+'))
        c.plus = true;
      else if (skip(' '))
        c.blank = true;
      else if (skip('#'))
        c.alternate = true;
      else
        break;
    }
    c.width = count();
    if (c.width < 0) {
      c.left = true;
      c.width = -c.width;
    }
    if (skip('.')) c.precision = std::max<std::int64_t>(count(), 0);
    while (skip('h') || skip('l') || skip('L')) {
    }
    c.kind = peek();
    rest_.remove_prefix(1);
    if (c.kind == '%') return out_.append("%");
    runtime_.check_text_size(static_cast<std::size_t>(c.width) +
                             static_cast<std::size_t>(std::max<std::int64_t>(c.precision, 0)));
    if (std::string_view("sra").find(c.kind) != std::string_view::npos) return put_text(c);
    if (c.kind == 'c') return put_character(c);
    if (std::string_view("diuoxX").find(c.kind) != std::string_view::npos) return put_integer(c);
    if (std::string_view("eEfFgG").find(c.kind) != std::string_view::npos) return put_real(c);
    fail("unsupported format character '{}'", c.kind);
  }

  void pad(const Conversion& c, std::string_view sign, std::string_view body, bool zero) {
    const auto length = static_cast<std::int64_t>(sign.size() + text_length(body));
    const std::string fill(static_cast<std::size_t>(std::max<std::int64_t>(c.width - length, 0)), zero ? '0' : ' ');
    if (!c.left && !zero) out_.append(fill);
    out_.append(sign);
    if (!c.left && zero) out_.append(fill);
    out_.append(body);
    if (c.left) out_.append(std::string(fill.size(), ' '));
  }

  void put_text(const Conversion& c) {
    const Value& value = argument();
    if (c.kind == 'a') fail("the format '%a' is not supported");
    std::string text = c.kind == 's' ? to_text(runtime_, value) : to_repr(runtime_, value);
    if (c.precision >= 0) text = to_utf8(code_points(text).substr(0, static_cast<std::size_t>(c.precision)));
    pad(c, "", text, false);
  }

  void put_character(const Conversion& c) {
    const Value& value = argument();
    std::string text;
    if (const auto code = value.as_integer()) {
      if (*code < 0 || *code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000)) fail("%c arg not in range(0x110000)");
      append_utf8(text, static_cast<char32_t>(*code));
    } else if (value.is_string() && text_length(*value.string()) == 1) {
      text = *value.string();
    } else {
      fail("%c requires int or char");
    }
    pad(c, "", text, false);
  }

  void put_integer(const Conversion& c) {
    const Value& value = argument();
    auto number = value.as_integer();
    const bool is_decimal = std::string_view("diu").find(c.kind) != std::string_view::npos;
    if (const double* real = value.real(); real != nullptr && is_decimal && std::abs(*real) < 9e18) {
      number = static_cast<std::int64_t>(*real);
    }
    if (!number) fail("%{} format: a number is required, not {}", c.kind, value.type_name());
    const std::uint64_t size = *number < 0 ? -static_cast<std::uint64_t>(*number) : static_cast<std::uint64_t>(*number);
    std::string digits = is_decimal      ? fmt::format("{}", size)
                         : c.kind == 'o' ? fmt::format("{:o}", size)
                         : c.kind == 'x' ? fmt::format("{:x}", size)
                                         : fmt::format("{:X}", size);
    if (std::cmp_less(digits.size(), c.precision)) {
      digits.insert(0, static_cast<std::size_t>(c.precision) - digits.size(), '0');
    }
    std::string prefix = sign(c, *number < 0);
    if (c.alternate && !is_decimal) prefix += {'0', c.kind};
    pad(c, prefix, digits, c.zero && !c.left);
  }

  void put_real(const Conversion& c) {
    const auto number = argument().as_number();
    if (!number) fail("must be real number, not another type");
    const auto precision = static_cast<int>(std::min<std::int64_t>(c.precision < 0 ? 6 : c.precision, 1000));
    const std::string spec = fmt::format("%{}.*{}", c.alternate ? "#" : "", c.kind);
    std::string text(1500, '\0');  // 309 digits before the point, at most 1000 behind it
    const int length = std::snprintf(text.data(), text.size(), spec.c_str(), precision, std::abs(*number));
    text.resize(static_cast<std::size_t>(length));
    pad(c, sign(c, std::signbit(*number) && !std::isnan(*number)), text, c.zero && !c.left);
  }

  static std::string sign(const Conversion& c, bool is_negative) {
    return is_negative ? "-" : c.plus ? "+" : c.blank ? " " : "";
  }

  Runtime& runtime_;
  TextBuilder out_;
  std::string_view rest_;
  const Value& given_;
  const Value* named_ = nullptr;
  std::size_t next_ = 0;
};

}  // namespace

Value format_text(Runtime& runtime, const std::string& format, const Value& given) {
  return Formatter(runtime, format, given).run();
}

}  // namespace specthink::jinja
