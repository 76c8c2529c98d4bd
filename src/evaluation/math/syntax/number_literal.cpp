// Number literals as exact fractions.
#include <string>

#include "evaluation/math/syntax/parser.h"

namespace specthink::inline evaluation {
namespace {

using Integer = boost::multiprecision::cpp_int;

Integer integer_of(std::string digits) {
  const std::size_t first = digits.find_first_not_of('0');  // a leading zero would mean octal
  return first == std::string::npos ? Integer(0) : Integer(digits.substr(first));
}

Integer power_of_ten(std::size_t exponent) {
  return boost::multiprecision::pow(Integer(10), static_cast<unsigned>(exponent));
}

}  // namespace

Node parse_number(std::string_view text) {
  Node node;
  int exponent = 0;
  if (const std::size_t at = text.find('e'); at != std::string_view::npos) {
    exponent = std::stoi(std::string(text.substr(at + 1)));
    text = text.substr(0, at);
  }
  std::string_view repeated;
  if (const std::size_t at = text.find('r'); at != std::string_view::npos) {
    repeated = text.substr(at + 1);
    text = text.substr(0, at);
  }
  const std::size_t point = text.find('.');
  std::string digits(text.substr(0, point));
  if (point != std::string_view::npos) {
    const std::string_view decimals = text.substr(point + 1);
    digits += decimals;
    node.decimals = static_cast<int>(decimals.size());
    node.has_point = !decimals.empty() && repeated.empty();
  }
  const std::size_t first = digits.find_first_not_of('0');
  node.digits = first == std::string::npos ? 1 : static_cast<int>(digits.size() - first);
  node.value = Rational(integer_of(digits), power_of_ten(static_cast<std::size_t>(node.decimals)));
  if (!repeated.empty()) {
    node.value += Rational(integer_of(std::string(repeated)),
                           (power_of_ten(repeated.size()) - 1) * power_of_ten(static_cast<std::size_t>(node.decimals)));
    node.decimals = 0;
  }
  if (exponent > 0) node.value *= Rational(power_of_ten(static_cast<std::size_t>(exponent)));
  if (exponent < 0) node.value /= Rational(power_of_ten(static_cast<std::size_t>(-exponent)));
  if (node.has_point) node.decimals -= exponent;
  if (exponent < 0 && !node.has_point) {
    node.has_point = true;
    node.decimals = -exponent;
  }
  return node;
}

}  // namespace specthink::inline evaluation
