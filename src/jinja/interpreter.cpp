// Runs a parsed template.
#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "jinja/ast.h"
#include "jinja/format.h"
#include "jinja/runtime.h"
#include "jinja/scope.h"
#include "specthink/base/python/error.h"
#include "specthink/jinja/error.h"
#include "specthink/jinja/template.h"

namespace specthink::jinja {
namespace {

// Depth of statements and expressions, through macro calls. Python's own limit lets a macro call itself about 300
// times.
constexpr int kMaxNesting = 1000;
constexpr std::size_t kWorkPerNode = 32;
constexpr std::size_t kWorkPerStep = 16;
constexpr std::size_t kWorkPerScope = 128;

// One rendering.
class Interpreter {
 public:
  explicit Interpreter(const Variables& variables) : scope_(std::make_shared<Scope>(Scope{nullptr, variables})) {
    enter_scope(scope_);
  }

  std::string render(const Block& block) {
    try {
      run(block);
    } catch (const TemplateError& error) {
      throw TemplateError(line_, error.what());
    } catch (const python::Error& error) {
      throw TemplateError(line_, error.what());
    }
    return text_.take();
  }

 private:
  using ScopePtr = std::shared_ptr<Scope>;

  // The scope until now; the caller restores it. An exception ends the rendering, so nothing need be restored then.
  ScopePtr enter_scope(const ScopePtr& parent) {
    runtime_.spend(kWorkPerScope);
    return std::exchange(scope_, std::make_shared<Scope>(Scope{parent, {}}));
  }

  void set(const std::string& name, Value value) { set_variable(scope_->variables, name, std::move(value)); }

  void enter_level() {
    runtime_.spend(kWorkPerNode);
    if (++depth_ > kMaxNesting)
      fail("nested deeper than {} levels (a macro that calls itself without end?)", kMaxNesting);
  }

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

  Flow write(std::string_view text) {
    output_->append(text);
    return Flow::kNext;
  }

  Flow run(const Text& text) { return write(text); }
  Flow run(const Output& value) { return write(to_text(runtime_, evaluate(*value))); }

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
      set("loop", loop);
      assign(node.target, loop->current());
      flow = run(node.body);
      completed |= flow == Flow::kNext;
    }
    enter_scope(outer);
    flow = completed ? Flow::kNext : run(node.otherwise);
    scope_ = outer;
    return flow;
  }

  Flow run(const Set& node) {
    assign(node.target, evaluate(*node.value));
    return Flow::kNext;
  }

  Flow run(const FilteredBlock& node) {
    TextBuilder text(runtime_);
    const Flow flow = run_into(text, node.body);
    if (flow != Flow::kNext) return flow;
    Value result = text.take();
    for (const PostfixStep& filter : node.filters) result = apply(result, std::get<Apply>(filter.step));
    if (node.target) {
      assign(*node.target, result);
      return flow;
    }
    if (!result.is_string()) fail("a filter block must make a str, not {}", result.type_name());
    return write(*result.string());
  }

  Flow run(const With& node) {
    const ScopePtr outer = scope_;
    Values values;
    for (const auto& [target, value] : node.values) values.push_back(evaluate(*value));
    enter_scope(outer);
    for (std::size_t i = 0; i < values.size(); ++i) assign(node.values[i].first, values[i]);
    const Flow flow = run(node.body);
    scope_ = outer;
    return flow;
  }

  Flow run(const MacroDefinition& node) {
    runtime_.spend(sizeof(Macro));
    set(node.name, &macros_.emplace_back(Macro{&node, scope_}));
    return Flow::kNext;
  }

  Flow run(const CallBlock& node) {
    runtime_.spend(sizeof(Macro));
    const Value caller(&macros_.emplace_back(Macro{&node.caller, scope_}));
    return write(to_text(runtime_, evaluate(std::get<Postfix>(node.call->node), &caller)));
  }

  Flow run(const Flow& flow) { return flow; }
  Flow run(const Refusal& node) { fail("{}", node.message); }

  Flow run_into(TextBuilder& text, const Block& block) {
    const ScopePtr outer = enter_scope(scope_);
    TextBuilder* const output = std::exchange(output_, &text);
    const Flow flow = run(block);
    output_ = output;
    scope_ = outer;
    return flow;
  }

  void assign(const Target& target, const Value& value) {
    if (const auto& parts = target.parts; !parts.empty()) {
      const Values items = items_of(runtime_, value);
      if (items.size() != parts.size()) fail("{} values to unpack, found {}", parts.size(), items.size());
      for (std::size_t i = 0; i < items.size(); ++i) assign(parts[i], items[i]);
      return;
    }
    if (target.attribute.empty()) return set(target.name, value);
    const Value* object = scope_->find(target.name);
    Namespace* name_space = object == nullptr ? nullptr : object->name_space();
    if (name_space == nullptr) fail("cannot assign to an attribute of '{}': it is no namespace", target.name);
    set_attribute(runtime_, *name_space, target.attribute, value);
  }

  Value evaluate(const Expression& expression) {
    enter_level();
    const int line = std::exchange(line_, expression.line);
    Value value = std::visit([&](const auto& node) { return evaluate(node); }, expression.node);
    line_ = line;
    --depth_;
    return value;
  }

  Value evaluate(const Literal& value) { return value; }

  Value evaluate(const Name& name) {
    if (const Value* value = scope_->find(name)) return *value;
    if (const Function* global = find_global(name)) return Value::method(Value(), *global);
    return Value::undefined(fmt::format("'{}' is undefined", name));
  }

  Value evaluate(const SequenceDisplay& node) {
    Values items;
    for (const ExpressionPtr& item : node.items) items.push_back(evaluate(*item));
    return Value::sequence(node.type, std::move(items));
  }

  Value evaluate(const DictDisplay& node) {
    Entries entries;
    for (const auto& [key, value] : node.entries) entries.push_back({evaluate(*key), evaluate(*value)});
    runtime_.spend(entries.size() * entries.size() / 2);  // finding equal keys
    return Value::dict(std::move(entries));
  }

  Value evaluate(const Unary& node) {
    const Value operand = evaluate(*node.operand);
    if (node.op == UnaryOp::kNot) return !is_true(operand);
    return node.op == UnaryOp::kMinus ? negate(operand) : negate(negate(operand));
  }

  Value evaluate(const Chain<ArithmeticOp>& node) {
    Value value = evaluate(*node.first);
    for (const auto& [op, operand] : node.rest) value = arithmetic(runtime_, op, value, evaluate(*operand));
    return value;
  }

  Value evaluate(const Chain<TextOp>& node) {
    TextBuilder text(runtime_);
    text.append(to_text(runtime_, evaluate(*node.first)));
    for (const auto& [op, operand] : node.rest) text.append(to_text(runtime_, evaluate(*operand)));
    return text.take();
  }

  Value evaluate(const Chain<CompareOp>& node) {
    Value left = evaluate(*node.first);
    for (const auto& [op, operand] : node.rest) {
      Value right = evaluate(*operand);
      if (!holds(runtime_, op, left, right)) return false;
      left = std::move(right);
    }
    return true;
  }

  Value evaluate(const Chain<LogicalOp>& node) {
    Value value = evaluate(*node.first);
    for (const auto& [op, operand] : node.rest) {
      if (is_true(value) != (op == LogicalOp::kAnd)) break;
      value = evaluate(*operand);
    }
    return value;
  }

  Value evaluate(const Conditional& node) {
    if (is_true(evaluate(*node.condition))) return evaluate(*node.value);
    if (node.otherwise != nullptr) return evaluate(*node.otherwise);
    return Value::undefined("the condition of 'x if y' was false, and there is no 'else'");
  }

  // The last step passes a caller, if there is one.
  Value evaluate(const Postfix& node, const Value* caller = nullptr) {
    Value value = evaluate(*node.base);
    for (const PostfixStep& step : node.steps) {
      runtime_.spend(kWorkPerStep);
      line_ = step.line;
      if (caller != nullptr && &step == &node.steps.back()) return apply(value, std::get<Call>(step.step), caller);
      value = std::visit([&](const auto& operation) { return apply(value, operation); }, step.step);
    }
    return value;
  }

  Value evaluate_or_none(const ExpressionPtr& expression) {
    return expression == nullptr ? Value() : evaluate(*expression);
  }

  Arguments evaluate(const ArgumentList& list) {
    Arguments arguments;
    for (const ExpressionPtr& value : list.positional) arguments.positional.push_back(evaluate(*value));
    for (const auto& [name, value] : list.named) arguments.named.emplace_back(name, evaluate(*value));
    const Values unpacked = list.unpacked != nullptr ? items_of(runtime_, evaluate(*list.unpacked)) : Values();
    arguments.positional.insert(arguments.positional.end(), unpacked.begin(), unpacked.end());
    if (list.unpacked_named != nullptr) add_named(evaluate(*list.unpacked_named), arguments.named);
    return arguments;
  }

  // As ** does.
  void add_named(const Value& mapping, Variables& named) {
    if (!mapping.dict()) fail("argument after ** must be a mapping, not {}", mapping.type_name());
    for (const auto& [key, value] : mapping.dict()->entries) {
      runtime_.spend(sizeof(Value) + named.size());
      if (!key.is_string()) fail("keywords must be strings, not {}", key.type_name());
      if (find_variable(named, *key.string())) fail("multiple values for the argument '{}'", *key.string());
      named.emplace_back(*key.string(), value);
    }
  }

  Value apply(const Value& value, const GetAttribute& name) { return attribute(runtime_, value, name); }
  Value apply(const Value& value, const GetItem& key) { return item(runtime_, value, evaluate(*key)); }

  Value apply(const Value& value, const GetSlice& step) {
    const Value start = evaluate_or_none(step.start);
    const Value stop = evaluate_or_none(step.stop);
    return slice(runtime_, value, start, stop, evaluate_or_none(step.step));
  }

  Value apply(const Value& value, const Apply& step) {
    if (!step.refusal.empty()) fail("{}", step.refusal);
    Value result = call_function(runtime_, *step.function, value, evaluate(step.arguments));
    return step.is_test ? Value(is_true(result) != step.negated) : result;
  }

  Value apply(const Value& callee, const Call& call, const Value* caller = nullptr) {
    Arguments arguments = evaluate(call);
    if (caller != nullptr) arguments.named.emplace_back("caller", *caller);
    if (const Method* method = callee.method()) {
      const Function& function = *method->function;
      const std::string why = refusal(method->self.is_none() ? "function" : "method", function.name, &function);
      if (!why.empty()) fail("{}", why);
      return call_function(runtime_, function, method->self, arguments);
    }
    if (const Macro* macro = callee.macro()) return call_macro(*macro, arguments);
    callee.require_defined();
    fail("'{}' object is not callable", callee.type_name());
  }

  Value call_macro(const Macro& macro, const Arguments& arguments) {
    const MacroDefinition& definition = *macro.definition;
    const auto& [positional, named] = arguments;
    const auto& parameters = definition.parameters;
    const std::size_t count = std::min(positional.size(), parameters.size());
    if (positional.size() > count && !definition.uses.varargs) {
      fail("macro '{}' takes not more than {} arguments, {} given", definition.name, count, positional.size());
    }
    Entries more;
    for (const auto& [name, value] : named) {
      const auto found = std::ranges::find(parameters, name, [](const auto& parameter) { return parameter.first; });
      if (std::cmp_less(found - parameters.begin(), count)) {
        fail("macro '{}' was given '{}' twice", definition.name, name);
      }
      if (found != parameters.end() || (name == "caller" && definition.uses.caller)) continue;
      if (!definition.uses.kwargs) fail("macro '{}' has no parameter '{}'", definition.name, name);
      more.emplace_back(name, value);
    }
    const int line = line_;
    const ScopePtr outer = enter_scope(macro.scope);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const auto& [name, otherwise] = parameters[i];
      const Value* given = i < count ? &positional[i] : find_variable(named, name);
      set(name, given != nullptr       ? *given
                : otherwise != nullptr ? evaluate(*otherwise)
                                       : Value::undefined(fmt::format("parameter '{}' was not provided", name)));
    }
    if (definition.uses.caller) {
      const Value* given = find_variable(named, "caller");
      const bool has_one = given != nullptr && !given->is_none();
      set("caller", has_one ? *given : Value::undefined("No caller defined"));
    }
    if (definition.uses.kwargs) set("kwargs", Value::dict(std::move(more)));
    if (definition.uses.varargs) {
      set("varargs", Value::tuple({positional.begin() + static_cast<std::ptrdiff_t>(count), positional.end()}));
    }
    TextBuilder text(runtime_);
    run_into(text, definition.body);
    scope_ = outer;
    line_ = line;
    return text.take();
  }

  Runtime runtime_;
  std::deque<Macro> macros_;
  ScopePtr scope_;
  TextBuilder text_{runtime_};
  TextBuilder* output_ = &text_;
  int line_ = 1;
  int depth_ = 0;
};

}  // namespace

std::string Template::render(const Variables& variables) const { return Interpreter(variables).render(*block_); }

}  // namespace specthink::jinja
