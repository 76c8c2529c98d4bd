// The part of Interpreter that evaluates expressions.
#include <algorithm>
#include <utility>

#include "text/jinja_error.h"
#include "text/jinja_format.h"
#include "text/jinja_interpreter.h"

namespace specthink::jinja {
namespace {

constexpr std::size_t kWorkPerStep = 16;

const Value* find_named(const Arguments& arguments, const std::string& name) {
  for (const auto& [key, value] : arguments.named) {
    if (key == name) return &value;
  }
  return nullptr;
}

}  // namespace

Value Interpreter::evaluate(const Expression& expression) {
  enter_level();
  const int line = std::exchange(line_, expression.line);
  Value value = std::visit([&](const auto& node) { return evaluate(node); }, expression.node);
  line_ = line;
  --depth_;
  return value;
}

Value Interpreter::evaluate(const Name& node) {
  if (const Value* value = scope_->find(node.name)) return *value;
  if (const Function* global = find_global(node.name)) return Value::method(Value(), *global);
  return Value::undefined(fmt::format("'{}' is undefined", node.name));
}

Value Interpreter::evaluate(const SequenceDisplay& node) {
  Values items;
  for (const ExpressionPtr& item : node.items) items.push_back(evaluate(*item));
  return Value::sequence(node.type, std::move(items));
}

Value Interpreter::evaluate(const DictDisplay& node) {
  Entries entries;
  for (const auto& [key, value] : node.entries) {
    Value its_key = evaluate(*key);
    entries.emplace_back(std::move(its_key), evaluate(*value));
  }
  runtime_.spend(entries.size() * entries.size() / 2);  // finding equal keys
  return Value::dict(std::move(entries));
}

Value Interpreter::evaluate(const Unary& node) {
  const Value operand = evaluate(*node.operand);
  switch (node.op) {
    case UnaryOp::kNot:
      return !is_true(operand);
    case UnaryOp::kMinus:
      return negate(operand);
    case UnaryOp::kPlus:
      return negate(negate(operand));
  }
  return operand;
}

Value Interpreter::evaluate(const Arithmetic& node) {
  Value value = evaluate(*node.first);
  for (const auto& [op, operand] : node.rest) value = arithmetic(runtime_, op, value, evaluate(*operand));
  return value;
}

Value Interpreter::evaluate(const Concatenation& node) {
  TextBuilder out(runtime_);
  for (const ExpressionPtr& part : node.parts) out.append(to_text(runtime_, evaluate(*part)));
  return out.take();
}

Value Interpreter::evaluate(const Comparison& node) {
  Value left = evaluate(*node.first);
  for (const auto& [op, operand] : node.rest) {
    Value right = evaluate(*operand);
    if (!holds(op, left, right)) return false;
    left = std::move(right);
  }
  return true;
}

bool Interpreter::holds(CompareOp op, const Value& left, const Value& right) {
  switch (op) {
    case CompareOp::kEqual:
      return equal(runtime_, left, right);
    case CompareOp::kNotEqual:
      return !equal(runtime_, left, right);
    case CompareOp::kLess:
      return compare(runtime_, left, right) < 0;
    case CompareOp::kLessOrEqual:
      return compare(runtime_, left, right) <= 0;
    case CompareOp::kGreater:
      return compare(runtime_, left, right) > 0;
    case CompareOp::kGreaterOrEqual:
      return compare(runtime_, left, right) >= 0;
    case CompareOp::kIn:
      return contains(runtime_, right, left);
    case CompareOp::kNotIn:
      return !contains(runtime_, right, left);
  }
  return false;
}

Value Interpreter::evaluate(const Logical& node) {
  Value value;
  for (const ExpressionPtr& operand : node.operands) {
    value = evaluate(*operand);
    if (is_true(value) != node.is_and) break;
  }
  return value;
}

Value Interpreter::evaluate(const Conditional& node) {
  if (is_true(evaluate(*node.condition))) return evaluate(*node.value);
  if (node.otherwise != nullptr) return evaluate(*node.otherwise);
  return Value::undefined("the condition of 'x if y' was false, and there is no 'else'");
}

Value Interpreter::evaluate(const Postfix& node) {
  Value value = evaluate(*node.base);
  for (const PostfixStep& step : node.steps) value = apply(value, step);
  return value;
}

Value Interpreter::apply(const Value& value, const PostfixStep& step) {
  runtime_.spend(kWorkPerStep);
  line_ = step.line;
  return std::visit([&](const auto& node) { return apply(value, node); }, step.step);
}

Value Interpreter::apply(const Value& value, const GetAttribute& step) { return attribute(runtime_, value, step.name); }
Value Interpreter::apply(const Value& value, const GetItem& step) { return item(runtime_, value, evaluate(*step.key)); }

Value Interpreter::apply(const Value& value, const GetSlice& step) {
  const Value start = step.start == nullptr ? Value() : evaluate(*step.start);
  const Value stop = step.stop == nullptr ? Value() : evaluate(*step.stop);
  return slice(runtime_, value, start, stop, step.step == nullptr ? Value() : evaluate(*step.step));
}

Value Interpreter::apply(const Value& value, const ApplyFilter& step) {
  return call_function(runtime_, *step.filter, value, evaluate(step.arguments));
}

Value Interpreter::apply(const Value& value, const ApplyTest& step) {
  return is_true(call_function(runtime_, *step.test, value, evaluate(step.arguments))) != step.negated;
}

Value Interpreter::apply(const Value& callee, const Call& step) {
  const Arguments arguments = evaluate(step.arguments);
  if (const Method* method = callee.method()) {
    return call_function(runtime_, *method->function, method->self, arguments);
  }
  if (const Macro* macro = callee.macro()) return call(*macro, arguments);
  if (callee.is_undefined()) fail("{}", callee.undefined_reason());
  fail("'{}' object is not callable", callee.type_name());
}

Arguments Interpreter::evaluate(const ArgumentList& list) {
  Arguments arguments;
  for (const ExpressionPtr& value : list.positional) arguments.positional.push_back(evaluate(*value));
  for (const auto& [name, value] : list.named) arguments.named.emplace_back(name, evaluate(*value));
  return arguments;
}

Value Interpreter::call(const Macro& macro, const Arguments& arguments) {
  const MacroDefinition& definition = *macro.definition;
  const auto& parameters = definition.parameters;
  if (arguments.positional.size() > parameters.size()) {
    fail("macro '{}' takes not more than {} arguments, {} given", definition.name, parameters.size(),
         arguments.positional.size());
  }
  for (const auto& [name, value] : arguments.named) {
    const auto is_it = [&, &name = name](const auto& parameter) { return parameter.first == name; };
    const auto found = std::find_if(parameters.begin(), parameters.end(), is_it);
    if (found == parameters.end()) fail("macro '{}' has no parameter '{}'", definition.name, name);
    if (found - parameters.begin() < std::ssize(arguments.positional)) {
      fail("macro '{}' was given '{}' twice", definition.name, name);
    }
  }
  const int line = line_;
  const ScopePtr caller = enter_scope(macro.scope);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto& [name, otherwise] = parameters[i];
    if (i < arguments.positional.size()) {
      scope_->set(name, arguments.positional[i]);
    } else if (const Value* given = find_named(arguments, name)) {
      scope_->set(name, *given);
    } else if (otherwise != nullptr) {
      scope_->set(name, evaluate(*otherwise));
    } else {
      scope_->set(name, Value::undefined(fmt::format("parameter '{}' was not provided", name)));
    }
  }
  TextBuilder text(runtime_);
  run_into(text, definition.body);
  scope_ = caller;
  line_ = line;
  return text.take();
}

}  // namespace specthink::jinja
