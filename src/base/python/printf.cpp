#include "specthink/base/python/printf.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>

#include "specthink/base/python/error.h"
#include "specthink/base/utf8.h"

namespace specthink::inline base::python {
namespace {

struct Conversion {
  bool left = false, zero = false, plus = false, blank = false, alternate = false;
  std::int64_t width = 0;
  std::int64_t precision = -1;  // none
  char kind = 0;

  bool is_one_of(std::string_view kinds) const { return kinds.find(kind) != kinds.npos; }
  std::string sign(bool is_negative) const { return is_negative ? "-" : plus ? "+" : blank ? " " : ""; }
};

class Formatter {
 public:
  Formatter(std::string_view format, PrintfCaller& caller) : rest_(format), caller_(caller) {}

  void run() {
    for (std::size_t at = rest_.find('%'); at != rest_.npos; at = rest_.find('%')) {
      caller_.put(rest_.substr(0, at));
      rest_.remove_prefix(at + 1);
      convert();
    }
    caller_.put(rest_);
  }

 private:
  char peek() const {
    if (rest_.empty()) raise("incomplete format");
    return rest_.front();
  }

  bool skip(char c) {
    if (peek() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  PrintfArgument argument() { return named_ ? *named_ : caller_.next(); }

  std::int64_t count() {
    if (skip('*')) {
      const auto value = argument().integer;
      if (!value) raise("* wants int");
      caller_.check_size(*value < 0 ? -static_cast<std::size_t>(*value) : static_cast<std::size_t>(*value));
      return *value;
    }
    std::int64_t number = 0;
    for (; std::isdigit(static_cast<unsigned char>(peek())) != 0; rest_.remove_prefix(1)) {
      number = number * 10 + (rest_.front() - '0');
      caller_.check_size(static_cast<std::size_t>(number));
    }
    return number;
  }

  // `(key)` after the percent sign.
  std::optional<PrintfArgument> key() {
    if (!skip('(')) return std::nullopt;
    const std::size_t end = rest_.find(')');
    if (end == rest_.npos) raise("incomplete format key");
    const std::string_view name = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return caller_.named(name);
  }

  void convert() {
    Conversion c;
    named_ = key();
    for (bool* flag = next_flag(c); flag != nullptr; flag = next_flag(c)) *flag = true;
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
    if (c.kind == '%') return caller_.put("%");
    caller_.check_size(static_cast<std::size_t>(c.width + std::max<std::int64_t>(c.precision, 0)));
    if (c.is_one_of("sra")) return put_text(c);
    if (c.kind == 'c') return put_character(c);
    if (c.is_one_of("diuoxX")) return put_integer(c);
    if (c.is_one_of("eEfFgG")) return put_real(c);
    raise("unsupported format character '{}'", c.kind);
  }

  // Passes a flag, if there is one.
  bool* next_flag(Conversion& c) {
    if (skip('-')) return &c.left;
    if (skip('0')) return &c.zero;
    if (skip('+')) return &c.plus;
    if (skip(' ')) return &c.blank;
    return skip('#') ? &c.alternate : nullptr;
  }

  void pad(const Conversion& c, std::string_view sign, std::string_view body, bool zero) {
    const auto length = static_cast<std::int64_t>(sign.size() + count_characters(body));
    const std::string fill(static_cast<std::size_t>(std::max<std::int64_t>(c.width - length, 0)), zero ? '0' : ' ');
    if (!c.left && !zero) caller_.put(fill);
    caller_.put(sign);
    if (!c.left && zero) caller_.put(fill);
    caller_.put(body);
    if (c.left) caller_.put(fill);
  }

  void put_text(const Conversion& c) {
    const PrintfArgument given = argument();
    if (c.kind == 'a') raise("the format '%a' is not supported");
    std::string text = c.kind == 's' ? given.str() : given.repr();
    if (c.precision >= 0) text = to_utf8(code_points(text).substr(0, static_cast<std::size_t>(c.precision)));
    pad(c, "", text, false);
  }

  void put_character(const Conversion& c) {
    const PrintfArgument given = argument();
    std::string text;
    if (const auto code = given.integer) {
      if (*code < 0 || *code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000)) raise("%c arg not in range(0x110000)");
      append_utf8(text, static_cast<char32_t>(*code));
    } else if (given.text != nullptr && count_characters(*given.text) == 1) {
      text = *given.text;
    } else {
      raise("%c requires int or char");
    }
    pad(c, "", text, false);
  }

  void put_integer(const Conversion& c) {
    const PrintfArgument given = argument();
    auto number = given.integer;
    const bool is_decimal = c.is_one_of("diu");
    if (!number && given.number && is_decimal && std::abs(*given.number) < 9e18) {
      number = static_cast<std::int64_t>(*given.number);
    }
    if (!number) raise("%{} format: a number is required, not {}", c.kind, given.type);
    const std::uint64_t size = *number < 0 ? -static_cast<std::uint64_t>(*number) : static_cast<std::uint64_t>(*number);
    std::string digits = is_decimal      ? fmt::format("{}", size)
                         : c.kind == 'o' ? fmt::format("{:o}", size)
                         : c.kind == 'x' ? fmt::format("{:x}", size)
                                         : fmt::format("{:X}", size);
    if (std::cmp_less(digits.size(), c.precision)) {
      digits.insert(0, static_cast<std::size_t>(c.precision) - digits.size(), '0');
    }
    std::string prefix = c.sign(*number < 0);
    if (c.alternate && !is_decimal) prefix += {'0', c.kind};
    pad(c, prefix, digits, c.zero && !c.left);
  }

  void put_real(const Conversion& c) {
    const auto number = argument().number;
    if (!number) raise("must be real number, not another type");
    const auto precision = static_cast<int>(std::min<std::int64_t>(c.precision < 0 ? 6 : c.precision, 1000));
    const std::string spec = fmt::format("%{}.*{}", c.alternate ? "#" : "", c.kind);
    std::string text(1500, '\0');  // 309 digits before the point, at most 1000 behind it
    const int length = std::snprintf(text.data(), text.size(), spec.c_str(), precision, std::abs(*number));
    text.resize(static_cast<std::size_t>(length));
    pad(c, c.sign(std::signbit(*number) && !std::isnan(*number)), text, c.zero && !c.left);
  }

  std::string_view rest_;
  PrintfCaller& caller_;
  std::optional<PrintfArgument> named_;  // of the current conversion
};

}  // namespace

void printf(std::string_view format, PrintfCaller& caller) { Formatter(format, caller).run(); }

}  // namespace specthink::inline base::python
