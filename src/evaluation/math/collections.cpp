#include "evaluation/math/collections.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "evaluation/math/amount.h"
#include "evaluation/math/compare.h"
#include "evaluation/math/relations.h"

namespace specthink::inline evaluation {
namespace {

constexpr std::size_t kMaxElements = 60;

bool has_plus_minus(const Node& node) {
  return node.kind == NodeKind::plus_minus || std::any_of(node.children.begin(), node.children.end(), has_plus_minus);
}

Node with_sign(const Node& node, bool is_upper) {
  if (node.kind == NodeKind::plus_minus) {
    Node inner = with_sign(node.children[0], is_upper);
    return is_upper == (node.name == "+") ? inner : make_node(NodeKind::negate, {std::move(inner)});
  }
  Node result = node;
  for (Node& child : result.children) child = with_sign(child, is_upper);
  return result;
}

bool is_list(const Node& node) {
  return node.kind == NodeKind::list || node.kind == NodeKind::set || node.kind == NodeKind::set_union;
}

void add_elements(const Node& node, std::vector<Node>& elements) {
  if (elements.size() > kMaxElements) return;
  if (is_list(node)) {
    for (const Node& child : node.children) add_elements(child, elements);
  } else if (const auto value = stated_value(node); node.kind == NodeKind::relation && value && is_collection(*value)) {
    add_elements(*value, elements);  // x = \pm 2
  } else if (has_plus_minus(node)) {
    elements.push_back(with_sign(node, true));
    elements.push_back(with_sign(node, false));
  } else {
    elements.push_back(node);
  }
}

// The names of elements that all have one, when there are two that differ.
std::vector<std::string> distinct_names(const std::vector<Node>& elements) {
  std::vector<std::string> names;
  for (const Node& element : elements) names.push_back(name_before(element));
  const std::set<std::string> all(names.begin(), names.end());
  if (elements.size() < 2 || all.size() != elements.size() || all.contains("")) return {};
  return names;
}

Same same_in_order(const std::vector<Node>& given, const std::vector<Node>& known) {
  if (given.size() != known.size()) return Same::no;
  Same result = Same::yes;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto a = stated_value(given[i]);
    const auto b = stated_value(known[i]);
    result = both(result, a && b ? same_value(*a, *b) : Same::unknown);
  }
  return result;
}

// Amounts in several units: each must have its own.
bool are_amounts(const std::vector<Node>& elements) {
  return elements.size() > 1 && std::all_of(elements.begin(), elements.end(), [](const Node& element) {
           const auto amount = split_amount(element);
           return amount && has_unit(*amount);
         });
}

Same is_among(const Node& element, const std::vector<Node>& elements, bool is_given) {
  Same result = Same::no;
  for (const Node& other : elements) {
    const Same same = is_given ? same_value(element, other) : same_value(other, element);
    if (same == Same::yes) return same;
    if (same == Same::unknown) result = same;
  }
  return result;
}

Same same_set(const std::vector<Node>& given, const std::vector<Node>& known) {
  Same result = Same::yes;
  for (const Node& element : given) result = both(result, is_among(element, known, true));
  for (const Node& element : known) result = both(result, is_among(element, given, false));
  return result;
}

}  // namespace

bool is_collection(const Node& node) {
  return is_list(node) || (node.kind != NodeKind::relation && has_plus_minus(node));
}

Same same_collection(const Node& given, const Node& known) {
  std::vector<Node> a;
  std::vector<Node> b;
  add_elements(given, a);
  add_elements(known, b);
  if (a.size() > kMaxElements || b.size() > kMaxElements) return Same::unknown;
  std::vector<std::string> given_names = distinct_names(a);
  const std::vector<std::string> known_names = distinct_names(b);
  if (!known_names.empty() && given.kind == NodeKind::tuple) return same_in_order(given.children, b);
  if (!given_names.empty() && known.kind == NodeKind::tuple) return same_in_order(a, known.children);
  if (given.kind == NodeKind::tuple && known.kind != NodeKind::set_union && b.size() == given.children.size() &&
      b.size() > 1) {
    return Same::unknown;
  }
  if (!given_names.empty() && !known_names.empty()) {
    std::vector<Node> sorted;
    for (const std::string& name : known_names) {
      const auto found = std::find(given_names.begin(), given_names.end(), name);
      if (found == given_names.end()) return Same::no;
      sorted.push_back(a[static_cast<std::size_t>(found - given_names.begin())]);
    }
    return a.size() == b.size() ? same_in_order(sorted, b) : Same::no;
  }
  if (!given_names.empty() || !known_names.empty()) return same_in_order(a, b);
  if (are_amounts(b) || are_amounts(a)) return are_amounts(a) == are_amounts(b) ? same_in_order(a, b) : Same::no;
  return same_set(a, b);
}

}  // namespace specthink::inline evaluation
