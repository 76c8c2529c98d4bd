// Runs a parsed template: statements in jinja_interpreter.cpp, expressions in jinja_evaluation.cpp.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "text/jinja_ast.h"
#include "text/jinja_runtime.h"
#include "text/jinja_scope.h"

namespace specthink::jinja {

/// One rendering.
class Interpreter {
 public:
  explicit Interpreter(const Variables& variables);

  /// The output of `block`; called once. Throws TemplateError with the line.
  std::string render(const Block& block);

 private:
  using ScopePtr = std::shared_ptr<Scope>;
  enum class Flow { kNext, kBreak, kContinue };

  // The scope until now; the caller restores it. An exception ends the rendering, so nothing need be restored then.
  ScopePtr enter_scope() { return enter_scope(scope_); }
  ScopePtr enter_scope(const ScopePtr& parent);
  void enter_level();

  Flow run(const Block& block);
  Flow run(const Text& node);
  Flow run(const Output& node);
  Flow run(const If& node);
  Flow run(const For& node);
  Flow run(const Set& node);
  Flow run(const SetBlock& node);
  Flow run(const MacroDefinition& node);
  Flow run(const Generation& node);
  Flow run(const Break&) { return Flow::kBreak; }
  Flow run(const Continue&) { return Flow::kContinue; }
  Flow run_into(TextBuilder& text, const Block& block);
  void assign(const Target& target, const Value& value);
  void unpack(const Target& target, const Value& value);

  Value evaluate(const Expression& expression);
  Value evaluate(const Literal& node) { return node.value; }
  Value evaluate(const Name& node);
  Value evaluate(const SequenceDisplay& node);
  Value evaluate(const DictDisplay& node);
  Value evaluate(const Unary& node);
  Value evaluate(const Arithmetic& node);
  Value evaluate(const Concatenation& node);
  Value evaluate(const Comparison& node);
  Value evaluate(const Logical& node);
  Value evaluate(const Conditional& node);
  Value evaluate(const Postfix& node);
  Arguments evaluate(const ArgumentList& list);
  bool holds(CompareOp op, const Value& left, const Value& right);

  Value apply(const Value& value, const PostfixStep& step);
  Value apply(const Value& value, const GetAttribute& step);
  Value apply(const Value& value, const GetItem& step);
  Value apply(const Value& value, const GetSlice& step);
  Value apply(const Value& value, const ApplyFilter& step);
  Value apply(const Value& value, const ApplyTest& step);
  Value apply(const Value& callee, const Call& step);
  Value call(const Macro& macro, const Arguments& arguments);

  Runtime runtime_;
  std::deque<Macro> macros_;
  ScopePtr scope_;
  TextBuilder text_{runtime_};
  TextBuilder* output_ = &text_;
  int line_ = 1;
  int depth_ = 0;
};

}  // namespace specthink::jinja
