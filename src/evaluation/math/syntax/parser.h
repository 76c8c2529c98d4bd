// From an answer's tokens to its tree.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "evaluation/math/syntax/lexer.h"
#include "evaluation/math/syntax/node.h"

namespace specthink::inline evaluation {

/// The tree of an answer; null for what is no expression, list, set, interval, matrix, relation or amount.
std::optional<Node> parse_answer(std::string_view answer, Comma comma = Comma::groups_thousands);

/// The same from tokens that end with TokenKind::end.
std::optional<Node> parse_tokens(const std::vector<Token>& tokens);

/// A literal as take_number() of the lexer writes it: digits, a point, `r` before digits that repeat, an exponent.
Node parse_number(std::string_view text);

}  // namespace specthink::inline evaluation
