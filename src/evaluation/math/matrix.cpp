#include "evaluation/math/matrix.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "evaluation/math/compare.h"

namespace specthink::inline evaluation {
namespace {

// Applies `change` to each entry.
template <class Change>
std::optional<Node> changed(std::optional<Node> matrix, Change change) {
  if (!matrix) return matrix;
  for (Node& row : matrix->children) {
    for (Node& entry : row.children) entry = change(std::move(entry));
  }
  return matrix;
}

Node transposed(const Node& matrix) {
  std::vector<Node> rows;
  for (std::size_t column = 0; column < matrix.children[0].children.size(); ++column) {
    std::vector<Node> row;
    for (const Node& old : matrix.children) row.push_back(old.children[column]);
    rows.push_back(make_node(NodeKind::list, std::move(row)));
  }
  return make_node(NodeKind::matrix, std::move(rows), matrix.name);
}

bool is_rectangular(const Node& matrix) {
  const std::size_t columns = matrix.children[0].children.size();
  return std::all_of(matrix.children.begin(), matrix.children.end(),
                     [&](const Node& row) { return row.children.size() == columns; });
}

// One matrix: a literal, its negative, multiple, fraction or transpose.
std::optional<Node> as_matrix(const Node& node) {
  switch (node.kind) {
    case NodeKind::matrix:
      return is_rectangular(node) ? std::optional(node) : std::nullopt;
    case NodeKind::negate:
      return changed(as_matrix(node.children[0]),
                     [](Node entry) { return make_node(NodeKind::negate, {std::move(entry)}); });
    case NodeKind::divide:
      if (has_matrix(node.children[1])) return std::nullopt;
      return changed(as_matrix(node.children[0]), [&](Node entry) {
        return make_node(NodeKind::divide, {std::move(entry), node.children[1]});
      });
    case NodeKind::power: {
      const Node& exponent = node.children[1];
      const bool is_transpose =
          is_symbol(exponent, "T") || is_symbol(exponent, "top") || is_symbol(exponent, "intercal");
      const auto matrix = is_transpose ? as_matrix(node.children[0]) : std::nullopt;
      return matrix ? std::optional(transposed(*matrix)) : std::nullopt;
    }
    case NodeKind::product: {
      std::optional<Node> matrix;
      std::vector<Node> factors;
      for (const Node& child : node.children) {
        if (!has_matrix(child)) {
          factors.push_back(child);
          continue;
        }
        if (matrix) return std::nullopt;
        matrix = as_matrix(child);
        if (!matrix) return std::nullopt;
      }
      return changed(std::move(matrix), [&](Node entry) {
        std::vector<Node> product = factors;
        product.push_back(std::move(entry));
        return make_node(NodeKind::product, std::move(product));
      });
    }
    default:
      return std::nullopt;
  }
}

}  // namespace

bool has_matrix(const Node& node) {
  return node.kind == NodeKind::matrix || std::any_of(node.children.begin(), node.children.end(), has_matrix);
}

Same same_matrix(const Node& given, const Node& known) {
  const auto a = as_matrix(given);
  const auto b = as_matrix(known);
  if (!a || !b) return Same::unknown;
  if (a->name != b->name || a->children.size() != b->children.size()) return Same::no;
  Same result = Same::yes;
  for (std::size_t i = 0; i < a->children.size(); ++i) {
    const auto& left = a->children[i].children;
    const auto& right = b->children[i].children;
    if (left.size() != right.size()) return Same::no;
    for (std::size_t j = 0; j < left.size(); ++j) result = both(result, same_value(left[j], right[j]));
  }
  return result;
}

}  // namespace specthink::inline evaluation
