// The parsed template. Chains (a.b.c, a + b + c) are lists, not trees, so that depth comes from nesting alone, which
// the parser limits.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "jinja/builtins/function.h"
#include "jinja/operators.h"
#include "specthink/jinja/value.h"

namespace specthink::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<const Expression>;
using Expressions = std::vector<ExpressionPtr>;

using Literal = Value;
using Name = std::string;
struct SequenceDisplay {
  SequenceType type;
  Expressions items;
};
struct DictDisplay {
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> entries;
};

enum class UnaryOp { kNot, kMinus, kPlus };
struct Unary {
  UnaryOp op;
  ExpressionPtr operand;
};

enum class LogicalOp { kOr, kAnd };
enum class TextOp { kConcatenate };

/// Operands with operators of one precedence between them: a + b - c, or a < b < c with Python's meaning.
template <typename Op>
struct Chain {
  ExpressionPtr first;
  std::vector<std::pair<Op, ExpressionPtr>> rest;
};

/// value if condition else otherwise
struct Conditional {
  ExpressionPtr condition;
  ExpressionPtr value;
  ExpressionPtr otherwise;  // may be null
};

struct ArgumentList {
  Expressions positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  ExpressionPtr unpacked;        // *values, may be null
  ExpressionPtr unpacked_named;  // **mapping, may be null
};

using GetAttribute = std::string;  // its name
using GetItem = ExpressionPtr;     // the key
struct GetSlice {
  ExpressionPtr start, stop, step;  // each may be null
};
using Call = ArgumentList;
/// |filter(arguments), or is [not] test(arguments)
struct Apply {
  const Function* function = nullptr;
  ArgumentList arguments;
  bool is_test = false;
  bool negated = false;
  std::string refusal;  // the error, when there is no such function or it is not supported
};
struct PostfixStep {
  int line;
  std::variant<GetAttribute, GetItem, GetSlice, Call, Apply> step;
};
/// base.name[key](arguments)|filter is test
struct Postfix {
  ExpressionPtr base;
  std::vector<PostfixStep> steps;
};

struct Expression {
  int line;
  std::variant<Literal, Name, SequenceDisplay, DictDisplay, Unary, Chain<LogicalOp>, Chain<CompareOp>,
               Chain<ArithmeticOp>, Chain<TextOp>, Conditional, Postfix>
      node;
};

struct Statement;
using Block = std::vector<Statement>;

/// Where `set` and `for` assign: a name, an attribute of a namespace, or several targets, each for an item of the
/// value.
struct Target {
  std::string name;
  std::string attribute;
  std::vector<Target> parts;
};

using Text = std::string;
using Output = ExpressionPtr;
struct If {
  std::vector<std::pair<ExpressionPtr, Block>> branches;
  Block otherwise;
};
struct For {
  Target target;
  ExpressionPtr iterable;
  ExpressionPtr filter;  // may be null
  Block body;
  Block otherwise;
};
struct Set {
  Target target;
  ExpressionPtr value;
};
/// The text of the body through filters: {% set target | filters %}, or as output {% filter filters %}. Without filters
/// {% generation %}: what the assistant writes, of interest for training only.
struct FilteredBlock {
  std::optional<Target> target;
  std::vector<PostfixStep> filters;
  Block body;
};
struct With {
  std::vector<std::pair<Target, ExpressionPtr>> values;
  Block body;
};
/// Which variables that every macro has a body names.
struct MacroVariables {
  bool caller = false, kwargs = false, varargs = false;
};
struct MacroDefinition {
  std::string name;
  std::vector<std::pair<std::string, ExpressionPtr>> parameters;  // with their defaults, which may be null
  Block body;
  MacroVariables uses;  // without a parameter of that name
};
/// {% call(parameters) macro(arguments) %}: a call of a macro to which the body is a macro, `caller`.
struct CallBlock {
  ExpressionPtr call;  // a Postfix that ends in a Call
  MacroDefinition caller;
};
/// Where execution goes on behind a statement: with the next one, or out of the loop or its iteration.
enum class Flow { kNext, kBreak, kContinue };
/// A tag that is not supported, inside a condition.
struct Refusal {
  std::string message;
};

struct Statement {
  int line;
  std::variant<Text, Output, If, For, Set, FilteredBlock, With, MacroDefinition, CallBlock, Flow, Refusal> node;
};

}  // namespace specthink::jinja
