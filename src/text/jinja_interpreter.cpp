#include "text/jinja_interpreter.h"

#include <functional>
#include <utility>

#include "text/jinja_error.h"
#include "text/jinja_format.h"
#include "text/jinja_loop.h"

namespace specthink::jinja {
namespace {

// Of statements and expressions, through macro calls. Python's own limit lets a macro call itself about 300 times.
constexpr int kMaxDepth = 1000;
constexpr std::size_t kWorkPerNode = 32;
constexpr std::size_t kWorkPerScope = 128;

}  // namespace

Interpreter::Interpreter(const Variables& variables) : scope_(std::make_shared<Scope>()) {
  scope_->variables = variables;
  enter_scope();
}

std::string Interpreter::render(const Block& block) {
  try {
    run(block);
  } catch (const TemplateError& error) {
    throw TemplateError(error.line() == 0 ? line_ : error.line(), error.what());
  }
  return text_.take();
}

Interpreter::ScopePtr Interpreter::enter_scope(const ScopePtr& parent) {
  runtime_.spend(kWorkPerScope);
  auto scope = std::make_shared<Scope>();
  scope->parent = parent;
  return std::exchange(scope_, std::move(scope));
}

void Interpreter::enter_level() {
  runtime_.spend(kWorkPerNode);
  if (++depth_ > kMaxDepth) fail("nested deeper than {} levels (a macro that calls itself without end?)", kMaxDepth);
}

Interpreter::Flow Interpreter::run(const Block& block) {
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

Interpreter::Flow Interpreter::run(const Text& node) {
  output_->append(node.text);
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run(const Output& node) {
  const Value value = evaluate(*node.value);
  if (const std::string* text = value.string()) {
    output_->append(*text);
  } else {
    output_->append(to_text(runtime_, value));
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run(const If& node) {
  for (const auto& [condition, block] : node.branches) {
    if (is_true(evaluate(*condition))) return run(block);
  }
  return run(node.otherwise);
}

Interpreter::Flow Interpreter::run(const For& node) {
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

Interpreter::Flow Interpreter::run(const Set& node) {
  assign(node.target, evaluate(*node.value));
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run(const SetBlock& node) {
  TextBuilder text(runtime_);
  const Flow flow = run_into(text, node.body);
  if (flow != Flow::kNext) return flow;
  Value value(text.take());
  for (const PostfixStep& step : node.filters) value = apply(value, step);
  assign(node.target, value);
  return flow;
}

Interpreter::Flow Interpreter::run(const MacroDefinition& node) {
  runtime_.spend(sizeof(Macro));
  const Macro& macro = macros_.emplace_back(Macro{&node, scope_});
  scope_->set(node.name, &macro);
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run(const Generation& node) {  // a function in the reference: what it sets stays inside
  const ScopePtr outer = enter_scope();
  run(node.body);
  scope_ = outer;
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run_into(TextBuilder& text, const Block& block) {
  const ScopePtr outer = enter_scope();
  TextBuilder* const output = std::exchange(output_, &text);
  const Flow flow = run(block);
  output_ = output;
  scope_ = outer;
  return flow;
}

void Interpreter::assign(const Target& target, const Value& value) {
  if (!target.parts.empty()) return unpack(target, value);
  if (target.attribute.empty()) return scope_->set(target.name, value);
  const Value* object = scope_->find(target.name);
  Namespace* name_space = object == nullptr ? nullptr : object->name_space();
  if (name_space == nullptr) fail("cannot assign to an attribute of '{}': it is no namespace", target.name);
  check_namespace_attribute(target.attribute);
  runtime_.spend(name_space->attributes.size());
  name_space->set(target.attribute, value);
}

void Interpreter::unpack(const Target& target, const Value& value) {
  const Values items = items_of(runtime_, value);
  if (items.size() != target.parts.size()) {
    fail("{} values to unpack, found {}", target.parts.size(), items.size());
  }
  for (std::size_t i = 0; i < items.size(); ++i) assign(target.parts[i], items[i]);
}

}  // namespace specthink::jinja
