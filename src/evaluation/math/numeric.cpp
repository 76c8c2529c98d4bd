#include "evaluation/math/numeric.h"

#include <boost/math/constants/constants.hpp>

#include "evaluation/math/exact.h"

namespace specthink::inline evaluation {
namespace {

constexpr int kMaxPower = 4096;  // by multiplication

struct Undefined {};

const Real& pi() {
  static const Real value = boost::math::constants::pi<Real>();
  return value;
}

bool is_real(const Complex& value) { return value.im == 0; }

// Rounding noise around zero is zero; what is huge or tiny beyond that is not decided here.
Complex checked(Complex value) {
  static const Real noise("1e-42");
  static const Real least("1e-25");
  static const Real greatest("1e25");
  for (Real* part : {&value.re, &value.im}) {
    const Real size = abs(*part);
    if (size < noise) {
      *part = 0;
    } else if (size < least || !(size < greatest)) {
      throw Undefined();
    }
  }
  return value;
}

Complex multiply(const Complex& a, const Complex& b) {
  if (is_real(a) && is_real(b)) return {a.re * b.re, 0};
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

Complex divide(const Complex& a, const Complex& b) {
  const Real size = b.re * b.re + b.im * b.im;
  if (size == 0) throw Undefined();
  if (is_real(a) && is_real(b)) return {a.re / b.re, 0};
  return {(a.re * b.re + a.im * b.im) / size, (a.im * b.re - a.re * b.im) / size};
}

Complex logarithm(const Complex& value) {
  if (value.re == 0 && value.im == 0) throw Undefined();
  if (is_real(value) && value.re > 0) return {log(value.re), 0};
  return {log(value.re * value.re + value.im * value.im) / 2, atan2(value.im, value.re)};
}

Complex exponential(const Complex& value) {
  if (abs(value.re) > 100) throw Undefined();
  const Real size = exp(value.re);
  if (is_real(value)) return {size, 0};
  return {size * cos(value.im), size * sin(value.im)};
}

Complex integer_power(Complex base, int exponent) {
  const bool below = exponent < 0;
  Complex result{1, 0};
  for (int left = below ? -exponent : exponent; left > 0; left /= 2) {
    if (left % 2 == 1) result = checked(multiply(result, base));
    if (left > 1) base = checked(multiply(base, base));
  }
  return below ? divide({1, 0}, result) : result;
}

Complex raise(const Complex& base, const Complex& exponent) {
  if (is_real(exponent) && exponent.re == floor(exponent.re) && abs(exponent.re) <= kMaxPower) {
    return integer_power(base, static_cast<int>(exponent.re));
  }
  if (base.re == 0 && base.im == 0) {
    if (is_real(exponent) && exponent.re > 0) return {0, 0};
    throw Undefined();
  }
  if (is_real(base) && base.re > 0 && is_real(exponent) && exponent.re * 2 == 1) return {sqrt(base.re), 0};
  return exponential(multiply(exponent, logarithm(base)));
}

Complex root(const Complex& value, const Complex& degree) {
  const bool is_whole = is_real(degree) && degree.re == floor(degree.re) && degree.re > 0 && degree.re <= 64;
  if (is_whole && degree.re == 2 && is_real(value)) {
    return value.re >= 0 ? Complex{sqrt(value.re), 0} : Complex{0, sqrt(-value.re)};
  }
  const bool is_odd = is_whole && static_cast<int>(degree.re) % 2 == 1;
  if (is_odd && is_real(value) && value.re < 0) {
    const Complex positive = raise({-value.re, 0}, divide({1, 0}, degree));
    return {-positive.re, 0};
  }
  return raise(value, divide({1, 0}, degree));
}

Complex sine(const Complex& x) {
  if (is_real(x)) return {sin(x.re), 0};
  return {sin(x.re) * cosh(x.im), cos(x.re) * sinh(x.im)};
}

Complex cosine(const Complex& x) {
  if (is_real(x)) return {cos(x.re), 0};
  return {cos(x.re) * cosh(x.im), -sin(x.re) * sinh(x.im)};
}

Real real_argument(const Complex& x) {
  if (!is_real(x)) throw Undefined();
  return x.re;
}

Complex inverse_function(const std::string& name, const Real& x) {
  if (name == "arcsin" || name == "arccos") {
    if (abs(x) > 1) throw Undefined();
    return {name == "arcsin" ? Real(asin(x)) : Real(acos(x)), 0};
  }
  if (name == "arctan") return {atan(x), 0};
  if (name == "arccot") return {pi() / 2 - atan(x), 0};
  throw Undefined();
}

Complex apply(const std::string& name, const Complex& x) {
  if (name == "sin") return sine(x);
  if (name == "cos") return cosine(x);
  if (name == "tan") return divide(sine(x), checked(cosine(x)));
  if (name == "cot") return divide(cosine(x), checked(sine(x)));
  if (name == "sec") return divide({1, 0}, checked(cosine(x)));
  if (name == "csc") return divide({1, 0}, checked(sine(x)));
  if (name == "ln" || name == "log") return logarithm(x);
  if (name == "lg") return divide(logarithm(x), {log(Real(10)), 0});
  if (name == "exp") return exponential(x);
  if (name == "abs") return is_real(x) ? Complex{abs(x.re), 0} : Complex{sqrt(x.re * x.re + x.im * x.im), 0};
  if (name == "floor") return {floor(real_argument(x)), 0};
  if (name == "ceil") return {ceil(real_argument(x)), 0};
  if (name == "sinh" || name == "cosh" || name == "tanh" || name == "coth") {
    const Complex grown = exponential(x);
    const Complex shrunk = divide({1, 0}, grown);
    const Complex sum{(grown.re + shrunk.re) / 2, (grown.im + shrunk.im) / 2};
    const Complex difference{(grown.re - shrunk.re) / 2, (grown.im - shrunk.im) / 2};
    if (name == "sinh") return difference;
    if (name == "cosh") return sum;
    return name == "tanh" ? divide(difference, sum) : divide(sum, difference);
  }
  return inverse_function(name, real_argument(x));
}

// n! and n over k at whole numbers.
Complex falling_product(const Complex& value, int count) {
  Complex result{1, 0};
  for (int i = 0; i < count; ++i) result = multiply(result, {value.re - i, value.im});
  return result;
}

int whole_number(const Complex& value) {
  if (!is_real(value) || value.re != floor(value.re) || value.re < 0 || value.re > 200) throw Undefined();
  return static_cast<int>(value.re);
}

class Evaluation {
 public:
  explicit Evaluation(const Point& point) : point_(point) {}

  Complex value(const Node& node) const {
    switch (node.kind) {
      case NodeKind::number:
        return checked({Real(numerator(node.value)) / Real(denominator(node.value)), 0});
      case NodeKind::symbol:
        return symbol(node.name);
      case NodeKind::sum: {
        Complex sum;
        for (const Node& term : node.children) {
          const Complex next = value(term);
          sum = checked({sum.re + next.re, sum.im + next.im});
        }
        return sum;
      }
      case NodeKind::product: {
        Complex product{1, 0};
        for (const Node& factor : node.children) product = checked(multiply(product, value(factor)));
        return product;
      }
      case NodeKind::divide:
        return checked(specthink::divide(value(node.children[0]), value(node.children[1])));
      case NodeKind::power:
        return checked(raise(value(node.children[0]), value(node.children[1])));
      case NodeKind::negate: {
        const Complex inner = value(node.children[0]);
        return {-inner.re, -inner.im};
      }
      case NodeKind::factorial: {
        const int n = whole_number(value(node.children[0]));
        return checked(falling_product({n, 0}, n));
      }
      case NodeKind::function:
        return checked(function(node));
      default:
        throw Undefined();
    }
  }

 private:
  Complex symbol(const std::string& name) const {
    if (name == "pi") return {pi(), 0};
    if (name == "e") return {boost::math::constants::e<Real>(), 0};
    if (name == "i") return {0, 1};
    const auto found = point_.values.find(name);
    if (found == point_.values.end()) throw Undefined();
    return {found->second, 0};
  }

  Complex function(const Node& node) const {
    const Complex first = value(node.children[0]);
    if (node.children.size() == 1) return apply(node.name, first);
    const Complex second = value(node.children[1]);
    if (node.name == "root") return root(first, second);
    if (node.name == "log") return specthink::divide(logarithm(first), logarithm(second));
    if (node.name == "binom") {
      const int k = whole_number(second);
      return specthink::divide(falling_product(first, k), falling_product({k, 0}, k));
    }
    throw Undefined();
  }

  const Point& point_;
};

bool is_constant(const std::string& name) { return name == "pi" || name == "e" || name == "i"; }

bool has_symbol(const Node& node) {
  std::set<std::string> names;
  collect_variables(node, names);
  return !names.empty();
}

}  // namespace

std::optional<Complex> numeric_value(const Node& node, const Point& point) {
  if (const auto exact = exact_value(node); exact && point.values.empty() && numerator(*exact) != 0) {
    const Real value = Real(numerator(*exact)) / Real(denominator(*exact));
    if (abs(value) < Real("1e25") && abs(value) > Real("1e-25")) return Complex{value, 0};
  }
  try {
    return Evaluation(point).value(node);
  } catch (const Undefined&) {
    return std::nullopt;
  }
}

void collect_variables(const Node& node, std::set<std::string>& names) {
  if (node.kind == NodeKind::symbol && !is_constant(node.name)) names.insert(node.name);
  for (const Node& child : node.children) collect_variables(child, names);
}

void collect_traits(const Node& node, Traits& traits) {
  if (is_symbol(node, "i")) traits.has_imaginary = true;
  const bool counts = node.kind == NodeKind::factorial || (node.kind == NodeKind::function && node.name == "binom");
  if (counts && has_symbol(node)) traits.is_discrete = true;
  if (node.kind == NodeKind::power && has_symbol(node.children[1])) {
    const auto base = exact_value(node.children[0]);
    if (base && *base < 0) traits.is_discrete = true;
  }
  for (const Node& child : node.children) collect_traits(child, traits);
}

bool same_number(const Complex& a, const Complex& b) {
  static const Real tolerance("1e-34");
  const Real difference = abs(a.re - b.re) + abs(a.im - b.im);
  const Real size = abs(a.re) + abs(a.im) + abs(b.re) + abs(b.im);
  return difference <= tolerance * size || difference < Real("1e-40");
}

}  // namespace specthink::inline evaluation
