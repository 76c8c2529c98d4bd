#include "evaluation/math/amount.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "evaluation/math/exact.h"
#include "evaluation/math/syntax/names.h"

namespace specthink::inline evaluation {
namespace {

class Splitter {
 public:
  // Takes units out of `node`; what is left is its value, null for units alone. False: words in another place.
  bool split(const Node& node, int exponent, std::optional<Node>& value) {
    switch (node.kind) {
      case NodeKind::word:
        add_words(node.name, exponent);
        return true;
      case NodeKind::percent:
        amount.is_percent = true;
        return split(node.children[0], exponent, value);
      case NodeKind::negate: {
        std::optional<Node> inner;
        if (!split(node.children[0], exponent, inner) || !inner) return false;
        value = make_node(NodeKind::negate, {std::move(*inner)});
        return true;
      }
      case NodeKind::power: {
        if (node.children[0].kind != NodeKind::word) break;
        const auto power = small_integer(node.children[1]);
        if (!power) return false;
        add_words(node.children[0].name, exponent * *power);
        return true;
      }
      case NodeKind::product: {
        std::vector<Node> factors;
        std::string phrase;  // words one after the other: miles per hour
        for (const Node& child : node.children) {
          if (child.kind == NodeKind::word) {
            phrase += " " + child.name;
            continue;
          }
          add_words(std::exchange(phrase, ""), exponent);
          std::optional<Node> factor;
          if (!split(child, exponent, factor)) return false;
          if (factor) factors.push_back(std::move(*factor));
        }
        add_words(phrase, exponent);
        if (factors.size() == 1) value = std::move(factors[0]);
        if (factors.size() > 1) value = make_node(NodeKind::product, std::move(factors));
        return true;
      }
      case NodeKind::divide: {
        std::optional<Node> above;
        std::optional<Node> below;
        if (!split(node.children[0], exponent, above) || !split(node.children[1], -exponent, below)) return false;
        if (below) {
          if (!above) above = make_integer(1);
          value = make_node(NodeKind::divide, {std::move(*above), std::move(*below)});
        } else {
          value = std::move(above);
        }
        return true;
      }
      default:
        break;
    }
    value = node;
    return true;
  }

  Amount amount;

 private:
  // "square inches", "km/h", "miles per hour", "apples".
  void add_words(std::string_view words, int exponent) {
    int power = exponent;
    while (!words.empty()) {
      const std::size_t end = std::min(words.find_first_of(" /.~"), words.size());
      const std::string_view word = words.substr(0, end);
      const bool divides = end < words.size() && words[end] == '/';
      words.remove_prefix(std::min(end + 1, words.size()));
      if (word == "square" || word == "sq") {
        power = 2 * exponent;
        continue;
      }
      if (word == "cubic" || word == "cu") {
        power = 3 * exponent;
        continue;
      }
      if (word == "per") {
        exponent = -exponent;
        power = exponent;
        continue;
      }
      add_unit(word, power);
      if (divides) exponent = -exponent;
      power = exponent;
    }
  }

  void add_unit(std::string_view word, int power) {
    if (word.empty()) return;
    const std::string_view unit = canonical_unit(word);
    if (unit == "percent") {
      amount.is_percent = true;
    } else if (unit == "mph") {
      amount.units["mi"] += power;
      amount.units["h"] -= power;
    } else if (unit == "kmh") {
      amount.units["km"] += power;
      amount.units["h"] -= power;
    } else if (unit.empty()) {
      amount.has_other_words = true;
    } else {
      amount.units[std::string(unit)] += power;
    }
  }
};

}  // namespace

std::optional<Amount> split_amount(const Node& node) {
  Splitter splitter;
  std::optional<Node> value;
  if (!splitter.split(node, 1, value) || !value) return std::nullopt;
  splitter.amount.value = std::move(*value);
  auto& units = splitter.amount.units;
  if (units.contains("celsius") || units.contains("fahrenheit")) units.erase("degree");
  return std::move(splitter.amount);
}

bool units_agree(const Amount& given, const Amount& known) {
  for (const Amount* amount : {&given, &known}) {
    if (amount->units.empty() || amount->has_other_words || amount->units.contains("unit")) return true;
  }
  if (given.units == known.units) return true;
  // 10 degrees for 10 degrees Celsius.
  const auto is_degree = [](const Amount& amount) {
    return amount.units.size() == 1 && amount.units.contains("degree");
  };
  const auto is_temperature = [](const Amount& amount) {
    return amount.units.contains("celsius") || amount.units.contains("fahrenheit");
  };
  return (is_degree(given) && is_temperature(known)) || (is_degree(known) && is_temperature(given));
}

}  // namespace specthink::inline evaluation
