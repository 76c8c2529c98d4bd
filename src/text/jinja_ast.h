// The parsed template. Chains (a.b.c, a + b + c) are lists, not trees, so that depth comes from nesting alone, which
// the parser limits.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja_function.h"
#include "text/jinja_operators.h"
#include "text/jinja_value.h"

namespace specthink::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<const Expression>;
using Expressions = std::vector<ExpressionPtr>;

struct Literal {
  Value value;
};
struct Name {
  std::string name;
};
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

/// Operators of one precedence, from left to right.
struct Arithmetic {
  ExpressionPtr first;
  std::vector<std::pair<ArithmeticOp, ExpressionPtr>> rest;
};

/// a ~ b ~ c
struct Concatenation {
  Expressions parts;
};

enum class CompareOp { kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual, kIn, kNotIn };
/// a < b < c, as in Python.
struct Comparison {
  ExpressionPtr first;
  std::vector<std::pair<CompareOp, ExpressionPtr>> rest;
};

/// Chain of `and`, or of `or`.
struct Logical {
  bool is_and;
  Expressions operands;
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
};

struct GetAttribute {
  std::string name;
};
struct GetItem {
  ExpressionPtr key;
};
struct GetSlice {
  ExpressionPtr start, stop, step;  // each may be null
};
struct Call {
  ArgumentList arguments;
};
struct ApplyFilter {
  const Function* filter;
  ArgumentList arguments;
};
struct ApplyTest {
  const Function* test;
  bool negated;
  ArgumentList arguments;
};
struct PostfixStep {
  int line;
  std::variant<GetAttribute, GetItem, GetSlice, Call, ApplyFilter, ApplyTest> step;
};
/// base.name[key](arguments)|filter is test
struct Postfix {
  ExpressionPtr base;
  std::vector<PostfixStep> steps;
};

struct Expression {
  int line;
  std::variant<Literal, Name, SequenceDisplay, DictDisplay, Unary, Arithmetic, Concatenation, Comparison, Logical,
               Conditional, Postfix>
      node;
};

struct Statement;
using Block = std::vector<Statement>;

/// Where `set` and `for` assign: a name, an attribute of a namespace, or several of them.
struct Target {
  std::string name;
  std::string attribute;
  std::vector<Target> parts;  // not empty: a tuple to unpack
};

struct Text {
  std::string text;
};
struct Output {
  ExpressionPtr value;
};
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
struct SetBlock {
  Target target;
  std::vector<PostfixStep> filters;
  Block body;
};
struct MacroDefinition {
  std::string name;
  std::vector<std::pair<std::string, ExpressionPtr>> parameters;  // with their defaults, which may be null
  Block body;
};
/// {% generation %}: what the assistant writes, of interest for training only.
struct Generation {
  Block body;
};
struct Break {};
struct Continue {};

struct Statement {
  int line;
  std::variant<Text, Output, If, For, Set, SetBlock, MacroDefinition, Generation, Break, Continue> node;
};

}  // namespace specthink::jinja
