// An answer as a tree: expressions and the structures around them.
#pragma once

#include <boost/multiprecision/cpp_int.hpp>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace specthink::inline evaluation {

using Rational = boost::multiprecision::cpp_rational;

enum class NodeKind : std::uint8_t {
  number,      // value; decimals and digits as it was written
  symbol,      // name: a variable with its index, or a constant (pi, e, i, infty)
  word,        // name: words of a text, or a unit
  numeral,     // name: digits; one child: the base
  sum,         // children
  product,     // children
  divide,      // two children
  power,       // two children
  negate,      // one child
  plus_minus,  // one child; name: + for \pm, - for \mp
  percent,     // one child
  factorial,   // one child
  function,    // name; children: arguments
  relation,    // name: operator; two children, the left one a relation in a chain
  tuple,       // name: both brackets
  set,         // children, in any order
  list,        // children: values that a comma or a word separates
  set_union,   // children
  matrix,      // name: environment; children: rows, each a list
};

struct Node {
  NodeKind kind = NodeKind::number;
  std::string name;
  std::vector<Node> children;
  Rational value;
  int decimals = 0;        ///< digits behind the point; 0 for an integer without one
  int digits = 0;          ///< significant digits as written
  bool has_point = false;  ///< a decimal, in contrast to an integer

  friend bool operator==(const Node&, const Node&) = default;
};

inline Node make_node(NodeKind kind, std::vector<Node> children, std::string name = "") {
  Node node;
  node.kind = kind;
  node.name = std::move(name);
  node.children = std::move(children);
  return node;
}

inline Node make_symbol(std::string name) { return make_node(NodeKind::symbol, {}, std::move(name)); }

inline Node make_integer(int value) {
  Node node;
  node.value = value;
  node.digits = 1;
  return node;
}

inline bool is_symbol(const Node& node, const char* name) { return node.kind == NodeKind::symbol && node.name == name; }

/// An integer literal.
inline bool is_integer_literal(const Node& node) { return node.kind == NodeKind::number && !node.has_point; }

}  // namespace specthink::inline evaluation
