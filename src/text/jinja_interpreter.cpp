#include "text/jinja_interpreter.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>

#include "text/jinja_error.h"
#include "text/jinja_format.h"
#include "text/jinja_loop.h"
#include "text/jinja_runtime.h"

namespace specthink::jinja {

/// Variables of a loop's iteration, a macro's call or the template, and where to look further. Shared with the macros
/// defined in it, which see later assignments too.
struct Scope {
  const Value* find(const std::string& name) const {
    for (const Scope* scope = this; scope != nullptr; scope = scope->parent.get()) {
      for (const auto& [key, value] : scope->variables) {
        if (key == name) return &value;
      }
    }
    return nullptr;
  }

  void set(const std::string& name, Value value) {
    for (auto& [key, old] : variables) {
      if (key == name) {
        old = std::move(value);
        return;
      }
    }
    variables.emplace_back(name, std::move(value));
  }

  std::shared_ptr<const Scope> parent;
  Variables variables;
};

struct Macro {
  const MacroDefinition* definition;
  std::shared_ptr<Scope> scope;
};

namespace {

// Of statements and expressions, through macro calls. Python's own limit lets a macro call itself about 300 times.
constexpr int kMaxDepth = 1000;
constexpr std::size_t kWorkPerNode = 16;

enum class Flow { kNext, kBreak, kContinue };

class Interpreter {
 public:
  explicit Interpreter(const Variables& variables) : scope_(std::make_shared<Scope>()) {
    scope_->variables = variables;
    enter_scope();
  }

  std::string render(const Block& block) {
    try {
      run(block);
    } catch (const TemplateError& error) {
      throw TemplateError(error.line() == 0 ? line_ : error.line(), error.what());
    }
    return std::move(*output_);
  }

 private:
  using ScopePtr = std::shared_ptr<Scope>;

  // The scope until now; the caller restores it. An exception ends the rendering, so nothing need be restored then.
  ScopePtr enter_scope() { return enter_scope(scope_); }
  ScopePtr enter_scope(const ScopePtr& parent) {
    auto scope = std::make_shared<Scope>();
    scope->parent = parent;
    return std::exchange(scope_, std::move(scope));
  }

  void enter_level() {
    runtime_.spend(kWorkPerNode);
    if (++depth_ > kMaxDepth) fail("nested deeper than {} levels (a macro that calls itself without end?)", kMaxDepth);
  }

  void write(std::string_view text) {
    if (text.size() > kMaxTextBytes - output_->size()) runtime_.check_text_size(kMaxTextBytes + 1);
    runtime_.spend(text.size());
    *output_ += text;
  }

  // --- statements ---------------------------------------------------------------------------------------------------

  Flow run(const Block& block) {
    enter_level();
    Flow flow = Flow::kNext;
    for (const Statement& statement : block) {
      line_ = statement.line;
      flow = std::visit([&](const auto& node) { return run(node); }, statement.node);
      if (flow != Flow::kNext) break;
    }
    --depth_;
    return flow;
  }

  Flow run(const Text& node) {
    write(node.text);
    return Flow::kNext;
  }

  Flow run(const Output& node) {
    const Value value = evaluate(*node.value);
    if (const std::string* text = value.string()) {
      write(*text);
    } else {
      write(to_text(runtime_, value));
    }
    return Flow::kNext;
  }

  Flow run(const If& node) {
    for (const auto& [condition, block] : node.branches) {
      if (is_true(evaluate(*condition))) return run(block);
    }
    return run(node.otherwise);
  }

  Flow run(const For& node) {
    const ScopePtr outer = scope_;
    std::function<bool(const Value&)> accepts;
    if (node.filter != nullptr) {
      accepts = [this, &node, outer](const Value& item) {
        const ScopePtr inner = enter_scope(outer);
        assign(node.target, item);
        const bool accepted = is_true(evaluate(*node.filter));
        scope_ = inner;
        return accepted;
      };
    }
    const auto loop = std::make_shared<Loop>(items_of(runtime_, evaluate(*node.iterable)), std::move(accepts));
    bool completed = false;  // any iteration: as in the reference, `else` also runs when all were cut short
    Flow flow = Flow::kNext;
    while (flow != Flow::kBreak && loop->advance()) {
      enter_scope(outer);
      scope_->set("loop", loop);
      assign(node.target, loop->current());
      flow = run(node.body);
      completed |= flow == Flow::kNext;
    }
    flow = Flow::kNext;
    if (!completed) {
      enter_scope(outer);
      flow = run(node.otherwise);
    }
    scope_ = outer;
    return flow;
  }

  Flow run(const Set& node) {
    assign(node.target, evaluate(*node.value));
    return Flow::kNext;
  }

  Flow run(const SetBlock& node) {
    std::string text;
    const Flow flow = run_into(text, node.body);
    if (flow != Flow::kNext) return flow;
    Value value(std::move(text));
    for (const PostfixStep& step : node.filters) value = apply(value, step);
    assign(node.target, value);
    return flow;
  }

  Flow run(const MacroDefinition& node) {
    runtime_.spend(sizeof(Macro));
    const Macro& macro = macros_.emplace_back(Macro{&node, scope_});
    scope_->set(node.name, &macro);
    return Flow::kNext;
  }

  Flow run(const Generation& node) {  // a function in the reference: what it sets stays inside
    const ScopePtr outer = enter_scope();
    run(node.body);
    scope_ = outer;
    return Flow::kNext;
  }

  Flow run(const Break&) { return Flow::kBreak; }
  Flow run(const Continue&) { return Flow::kContinue; }

  Flow run_into(std::string& text, const Block& block) {
    const ScopePtr outer = enter_scope();
    std::string* const output = std::exchange(output_, &text);
    const Flow flow = run(block);
    output_ = output;
    scope_ = outer;
    return flow;
  }

  void assign(const Target& target, const Value& value) {
    if (!target.parts.empty()) return unpack(target, value);
    if (target.attribute.empty()) return scope_->set(target.name, value);
    const Value* object = scope_->find(target.name);
    Namespace* name_space = object == nullptr ? nullptr : object->name_space();
    if (name_space == nullptr) fail("cannot assign to an attribute of '{}': it is no namespace", target.name);
    check_namespace_attribute(target.attribute);
    runtime_.spend(name_space->attributes.size());
    name_space->set(target.attribute, value);
  }

  void unpack(const Target& target, const Value& value) {
    const Values items = items_of(runtime_, value);
    if (items.size() != target.parts.size()) {
      fail("{} values to unpack, found {}", target.parts.size(), items.size());
    }
    for (std::size_t i = 0; i < items.size(); ++i) assign(target.parts[i], items[i]);
  }

  // --- expressions --------------------------------------------------------------------------------------------------

  Value evaluate(const Expression& expression) {
    enter_level();
    const int line = std::exchange(line_, expression.line);
    Value value = std::visit([&](const auto& node) { return evaluate(node); }, expression.node);
    line_ = line;
    --depth_;
    return value;
  }

  Value evaluate(const Literal& node) { return node.value; }

  Value evaluate(const Name& node) {
    if (const Value* value = scope_->find(node.name)) return *value;
    if (const Function* global = find_global(node.name)) return Value::method(Value(), *global);
    return Value::undefined(fmt::format("'{}' is undefined", node.name));
  }

  Value evaluate(const SequenceDisplay& node) {
    Values items;
    for (const ExpressionPtr& item : node.items) items.push_back(evaluate(*item));
    return Value::sequence(node.type, std::move(items));
  }

  Value evaluate(const DictDisplay& node) {
    Entries entries;
    for (const auto& [key, value] : node.entries) {
      Value its_key = evaluate(*key);
      entries.emplace_back(std::move(its_key), evaluate(*value));
    }
    runtime_.spend(entries.size() * entries.size() / 2);  // finding equal keys
    return Value::dict(std::move(entries));
  }

  Value evaluate(const Unary& node) {
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

  Value evaluate(const Arithmetic& node) {
    Value value = evaluate(*node.first);
    for (const auto& [op, operand] : node.rest) value = arithmetic(runtime_, op, value, evaluate(*operand));
    return value;
  }

  Value evaluate(const Concatenation& node) {
    TextBuilder out(runtime_);
    for (const ExpressionPtr& part : node.parts) out.append(to_text(runtime_, evaluate(*part)));
    return out.take();
  }

  Value evaluate(const Comparison& node) {
    Value left = evaluate(*node.first);
    for (const auto& [op, operand] : node.rest) {
      Value right = evaluate(*operand);
      if (!holds(op, left, right)) return false;
      left = std::move(right);
    }
    return true;
  }

  bool holds(CompareOp op, const Value& left, const Value& right) {
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

  Value evaluate(const Logical& node) {
    Value value;
    for (const ExpressionPtr& operand : node.operands) {
      value = evaluate(*operand);
      if (is_true(value) != node.is_and) break;
    }
    return value;
  }

  Value evaluate(const Conditional& node) {
    if (is_true(evaluate(*node.condition))) return evaluate(*node.value);
    if (node.otherwise != nullptr) return evaluate(*node.otherwise);
    return Value::undefined("the condition of 'x if y' was false, and there is no 'else'");
  }

  Value evaluate(const Postfix& node) {
    Value value = evaluate(*node.base);
    for (const PostfixStep& step : node.steps) value = apply(value, step);
    return value;
  }

  Value apply(const Value& value, const PostfixStep& step) {
    runtime_.spend(kWorkPerNode);
    line_ = step.line;
    return std::visit([&](const auto& node) { return apply(value, node); }, step.step);
  }

  Value apply(const Value& value, const GetAttribute& step) { return attribute(runtime_, value, step.name); }
  Value apply(const Value& value, const GetItem& step) { return item(runtime_, value, evaluate(*step.key)); }

  Value apply(const Value& value, const GetSlice& step) {
    const Value start = step.start == nullptr ? Value() : evaluate(*step.start);
    const Value stop = step.stop == nullptr ? Value() : evaluate(*step.stop);
    return slice(runtime_, value, start, stop, step.step == nullptr ? Value() : evaluate(*step.step));
  }

  Value apply(const Value& value, const ApplyFilter& step) {
    return call_function(runtime_, *step.filter, value, evaluate(step.arguments));
  }

  Value apply(const Value& value, const ApplyTest& step) {
    return is_true(call_function(runtime_, *step.test, value, evaluate(step.arguments))) != step.negated;
  }

  Value apply(const Value& callee, const Call& step) {
    const Arguments arguments = evaluate(step.arguments);
    if (const Method* method = callee.method()) {
      return call_function(runtime_, *method->function, method->self, arguments);
    }
    if (const Macro* macro = callee.macro()) return call(*macro, arguments);
    if (callee.is_undefined()) fail("{}", callee.undefined_reason());
    fail("'{}' object is not callable", callee.type_name());
  }

  Arguments evaluate(const ArgumentList& list) {
    Arguments arguments;
    for (const ExpressionPtr& value : list.positional) arguments.positional.push_back(evaluate(*value));
    for (const auto& [name, value] : list.named) arguments.named.emplace_back(name, evaluate(*value));
    return arguments;
  }

  Value call(const Macro& macro, const Arguments& arguments) {
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
    std::string text;
    run_into(text, definition.body);
    scope_ = caller;
    line_ = line;
    return text;
  }

  static const Value* find_named(const Arguments& arguments, const std::string& name) {
    for (const auto& [key, value] : arguments.named) {
      if (key == name) return &value;
    }
    return nullptr;
  }

  Runtime runtime_;
  std::deque<Macro> macros_;
  ScopePtr scope_;
  std::string text_;
  std::string* output_ = &text_;
  int line_ = 1;
  int depth_ = 0;
};

}  // namespace

std::string render(const Block& block, const Variables& variables) { return Interpreter(variables).render(block); }

}  // namespace specthink::jinja
