#include "evaluation/math/relations.h"

#include <algorithm>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "evaluation/math/exact.h"
#include "evaluation/math/numeric.h"

namespace specthink::inline evaluation {
namespace {

bool is_relation(const Node& node, std::string_view op) { return node.kind == NodeKind::relation && node.name == op; }

bool has_variable(const Node& node) {
  if (node.kind == NodeKind::word) return true;
  std::set<std::string> names;
  collect_variables(node, names);
  return !names.empty();
}

// What may stand before `=` as a name: `x`, `f(x)`, `AB`, `(a, b)`, `x + y`, words; but not `2x` and `-x`.
bool is_name(const Node& node) {
  switch (node.kind) {
    case NodeKind::symbol:
    case NodeKind::word:
      return has_variable(node);
    case NodeKind::sum: {
      const auto is_term = [](const Node& term) {
        return is_name(term) || (term.kind == NodeKind::negate && is_name(term.children[0]));
      };
      return is_name(node.children[0]) && std::all_of(node.children.begin(), node.children.end(), is_term);
    }
    case NodeKind::product:
    case NodeKind::divide:
    case NodeKind::function:
    case NodeKind::tuple:
    case NodeKind::list:
      return std::all_of(node.children.begin(), node.children.end(), is_name);
    default:
      return false;
  }
}

Node difference(const Node& node) {
  return make_node(NodeKind::sum, {node.children[0], make_node(NodeKind::negate, {node.children[1]})});
}

bool is_chain(const Node& node) { return node.children[0].kind == NodeKind::relation; }

// -1 for < and \le, 1 for > and \ge.
int direction(const Node& node) {
  if (node.name == "<" || node.name == "le") return -1;
  return node.name == ">" || node.name == "ge" ? 1 : 0;
}

bool is_strict(const Node& node) { return node.name == "<" || node.name == ">"; }

Node infinity(bool is_negative) {
  Node node = make_symbol("infty");
  return is_negative ? make_node(NodeKind::negate, {std::move(node)}) : node;
}

Node interval(bool open_left, Node left, Node right, bool open_right) {
  return make_node(NodeKind::tuple, {std::move(left), std::move(right)},
                   std::string(open_left ? "(" : "[") + (open_right ? ")" : "]"));
}

// Two names of one letter that are not the same: lines such as x = 5 and y = 5 differ.
bool names_differ(const Node& a, const Node& b) {
  return a.kind == NodeKind::symbol && b.kind == NodeKind::symbol && a.name != b.name && a.name.size() == 1 &&
         b.name.size() == 1 && (a.name[0] | 0x20) != (b.name[0] | 0x20);
}

// A name that says what is computed, in contrast to an expression: `x`, `f(x)`, `(a, b)`, words.
bool is_simple_name(const Node& node) {
  constexpr std::string_view kFunctions = "fghFGHPEy";
  switch (node.kind) {
    case NodeKind::symbol:
    case NodeKind::word:
    case NodeKind::tuple:
      return true;
    case NodeKind::product: {
      const Node& first = node.children[0];
      return first.kind == NodeKind::word ||
             (first.kind == NodeKind::symbol && kFunctions.find(first.name[0]) != std::string_view::npos);
    }
    default:
      return false;
  }
}

// `value = name` as `name = value`.
Node name_first(const Node& node) {
  if (is_chain(node) || is_name(node.children[0]) || !is_name(node.children[1])) return node;
  return make_node(NodeKind::relation, {node.children[1], node.children[0]}, node.name);
}

}  // namespace

std::optional<Node> stated_value(const Node& node) {
  if (node.kind != NodeKind::relation) return node;
  const Node& left = node.children[0];
  const Node& right = node.children[1];
  if (node.name == "in" || node.name == ":") return is_name(left) ? std::optional(right) : std::nullopt;
  if (node.name == "approx") {
    const bool left_is_rounded = decimal_literal(left) && !decimal_literal(right);
    return is_name(left) || left_is_rounded ? std::optional(right) : stated_value(left);
  }
  if (node.name != "=") return std::nullopt;
  if (is_chain(node)) {
    const Node& before = left;
    if (before.name != "=") return std::nullopt;
    return right;
  }
  if (is_name(left) || !has_variable(left)) {
    const bool names_value = is_name(left) || !is_name(right);
    return names_value ? right : left;
  }
  return is_name(right) && right.kind == NodeKind::symbol ? std::optional(left) : std::nullopt;
}

bool has_simple_name(const Node& node) {
  return is_relation(node, "=") && !is_chain(node) && is_simple_name(name_first(node).children[0]);
}

std::string name_before(const Node& node) {
  if (!is_relation(node, "=") || is_chain(node)) return "";
  const Node named = name_first(node);
  return named.children[0].kind == NodeKind::symbol ? named.children[0].name : "";
}

std::optional<Node> as_interval(const Node& node) {
  if (node.kind != NodeKind::relation || direction(node) == 0) return std::nullopt;
  if (!is_chain(node)) {
    const bool variable_left = node.children[0].kind == NodeKind::symbol && has_variable(node.children[0]);
    const bool variable_right = node.children[1].kind == NodeKind::symbol && has_variable(node.children[1]);
    if (variable_left == variable_right) return std::nullopt;
    const Node& bound = node.children[variable_left ? 1 : 0];
    if (has_variable(bound)) return std::nullopt;
    const bool is_above = (direction(node) > 0) == variable_left;
    if (is_above) return interval(is_strict(node), bound, infinity(false), true);
    return interval(true, infinity(true), bound, is_strict(node));
  }
  const Node& first = node.children[0];
  if (is_chain(first) || direction(first) != direction(node) || has_variable(first.children[0]) ||
      first.children[1].kind != NodeKind::symbol || has_variable(node.children[1])) {
    return std::nullopt;
  }
  if (direction(node) < 0) return interval(is_strict(first), first.children[0], node.children[1], is_strict(node));
  return interval(is_strict(node), node.children[1], first.children[0], is_strict(first));
}

Same same_relation(const Node& given, const Node& known) {
  if (is_chain(given) || is_chain(known) || known.name == ":") {
    if (given.name != known.name || is_chain(given) != is_chain(known)) return Same::unknown;
    const auto& [first, second] = std::tie(given.children[0], known.children[0]);
    const Same left = is_chain(given) ? same_relation(first, second) : same_scalar(first, second);
    const Same right = same_scalar(given.children[1], known.children[1]);
    return both(left, right) == Same::yes ? Same::yes : Same::unknown;
  }
  if (direction(given) != 0 && direction(known) != 0) {
    if (is_strict(given) != is_strict(known)) return Same::no;
    const Node left = difference(given);
    const Node right = difference(known);
    const bool is_turned = direction(given) != direction(known);
    return proportional(is_turned ? make_node(NodeKind::negate, {left}) : left, right, /*keeps_sign=*/true);
  }
  if (given.name != known.name) return Same::no;
  if (given.name == "=") {
    const Node a = name_first(given);
    const Node b = name_first(known);
    if (names_differ(a.children[0], b.children[0])) return Same::no;
  }
  return proportional(difference(given), difference(known), /*keeps_sign=*/false);
}

}  // namespace specthink::inline evaluation
