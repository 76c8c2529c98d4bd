#include "evaluation/math/compare.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "evaluation/math/amount.h"
#include "evaluation/math/collections.h"
#include "evaluation/math/matrix.h"
#include "evaluation/math/relations.h"

namespace specthink::inline evaluation {
namespace {

// Equal with a per cent sign on one side: it is optional, or means hundredths.
Same same_percent(const Amount& given, const Amount& known) {
  const Same same = same_scalar(given.value, known.value);
  if (same == Same::yes || given.is_percent == known.is_percent) return same;
  Node hundred = make_integer(100);
  const auto hundredths = [&](const Node& value) { return make_node(NodeKind::divide, {value, hundred}); };
  const Same as_part = given.is_percent ? same_scalar(hundredths(given.value), known.value)
                                        : same_scalar(given.value, hundredths(known.value));
  return as_part == Same::yes || same == Same::no ? as_part : same;
}

Same same_amount(const Node& given, const Node& known) {
  const auto a = split_amount(given);
  const auto b = split_amount(known);
  if (!a || !b) return same_if(given == known) == Same::yes ? Same::yes : Same::unknown;
  if (!units_agree(*a, *b)) return Same::no;
  return same_percent(*a, *b);
}

Same same_tuple(const Node& given, const Node& known) {
  if (given.children.size() != known.children.size()) return Same::no;
  if (given.children.size() == 2) {
    const auto openness = [](const Node& node) { return node.name == "<>" ? "()" : node.name; };
    if (openness(given) != openness(known)) return Same::no;
  }
  Same result = Same::yes;
  for (std::size_t i = 0; i < given.children.size(); ++i) {
    result = both(result, same_value(given.children[i], known.children[i]));
  }
  return result;
}

Same same_numeral(const Node& given, const Node& known) {
  if (given.kind != known.kind) return Same::no;
  return given.name == known.name ? same_scalar(given.children[0], known.children[0]) : Same::no;
}

Same same_opaque_function(const Node& given, const Node& known) {
  if (given.name != known.name || given.children.size() != known.children.size()) return Same::unknown;
  Same result = Same::yes;
  for (std::size_t i = 0; i < given.children.size(); ++i) {
    result = both(result, same_value(given.children[i], known.children[i]));
  }
  return result == Same::yes ? Same::yes : Same::unknown;
}

bool is_opaque_function(const Node& node) {
  return node.kind == NodeKind::function && (node.name == "backslash" || node.name == "cap");
}

Same same_plain(const Node& given, const Node& known) {
  const auto either = [&](NodeKind kind) { return given.kind == kind || known.kind == kind; };
  if (either(NodeKind::numeral)) return same_numeral(given, known);
  if (has_matrix(given) || has_matrix(known)) return same_matrix(given, known);
  if (is_opaque_function(given) || is_opaque_function(known)) return same_opaque_function(given, known);
  if (given.kind == NodeKind::tuple && known.kind == NodeKind::tuple) return same_tuple(given, known);
  if (either(NodeKind::tuple)) return is_collection(given) || is_collection(known) ? Same::unknown : Same::no;
  return same_amount(given, known);
}

bool ends_in_brackets(const Node& node) { return node.kind == NodeKind::tuple || node.kind == NodeKind::set_union; }

}  // namespace

Same same_value(const Node& given, const Node& known) {
  if (given == known) return Same::yes;
  // An inequality and an interval are the same set.
  if (given.kind == NodeKind::relation || known.kind == NodeKind::relation) {
    const auto a = as_interval(given);
    const auto b = as_interval(known);
    if (a && b) return same_tuple(*a, *b);
    if (a && ends_in_brackets(known)) return same_value(*a, known);
    if (b && !is_collection(given) && given.kind != NodeKind::relation) return same_value(given, *b);
  }
  if (given.kind == NodeKind::relation && known.kind == NodeKind::relation) {
    const Same same = same_relation(given, known);
    if (same == Same::yes || given.name != "=" || known.name != "=") {
      if (same == Same::yes || (given.name != "in" && given.name != "approx")) return same;
    }
    if (same != Same::no || !has_simple_name(given) || !has_simple_name(known)) return same;
    if (!name_before(given).empty() && !name_before(known).empty()) return same;
  }
  const auto a = stated_value(given);
  const auto b = stated_value(known);
  if (!a || !b) return given.kind == known.kind ? Same::unknown : Same::no;
  if (is_collection(*a) || is_collection(*b)) return same_collection(*a, *b);
  return same_plain(*a, *b);
}

}  // namespace specthink::inline evaluation
