// Values with units.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "evaluation/math/syntax/node.h"

namespace specthink::inline evaluation {

struct Amount {
  Node value;
  std::map<std::string, int> units;  ///< exponents of known units
  bool has_other_words = false;      ///< such as the things that were counted
  bool is_percent = false;
};

/// Null where words stand elsewhere than behind a value, or there is no value.
std::optional<Amount> split_amount(const Node& node);

/// True for an amount with a unit, or with other words.
inline bool has_unit(const Amount& amount) { return !amount.units.empty() || amount.has_other_words; }

/// A unit is optional; two that are known must be the same.
bool units_agree(const Amount& given, const Amount& known);

}  // namespace specthink::inline evaluation
