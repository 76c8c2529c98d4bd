#include "jinja/scope.h"

#include <utility>

#include "specthink/jinja/error.h"

namespace specthink::jinja {

const Value* Scope::find(std::string_view name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent.get()) {
    if (const Value* found = find_variable(scope->variables, name)) return found;
  }
  return nullptr;
}

Loop::Loop(Values items, std::function<bool(const Value&)> accepts)
    : items_(std::move(items)), accepts_(std::move(accepts)), depth_(container_depth(items_)) {}

bool Loop::has(std::size_t index) {
  for (; accepted_.size() <= index && next_ < items_.size(); ++next_) {
    if (!accepts_ || accepts_(items_[next_])) accepted_.push_back(items_[next_]);
  }
  return index < accepted_.size();
}

bool Loop::advance() {
  if (!has(index_ + 1)) return false;  // behind the last item the loop stays there: a template may have kept it
  ++index_;
  return true;
}

std::int64_t Loop::length() {
  has(items_.size());
  return std::ssize(accepted_);
}

Value Loop::attribute(std::string_view name) {
  const auto index = static_cast<std::int64_t>(index_);
  if (name == "index") return index + 1;
  if (name == "index0") return index;
  if (name == "first") return index == 0;
  if (name == "last") return !has(index_ + 1);
  if (name == "length") return length();
  if (name == "revindex") return length() - index;
  if (name == "revindex0") return length() - index - 1;
  if (name == "previtem") return index > 0 ? accepted_[index_ - 1] : Value::undefined("there is no previous item");
  if (name == "nextitem") return has(index_ + 1) ? accepted_[index_ + 1] : Value::undefined("there is no next item");
  for (const std::string_view other : {"changed", "cycle", "depth", "depth0"}) {
    if (name == other) fail("loop.{} is not supported", name);
  }
  return Value::undefined(fmt::format("'LoopContext object' has no attribute '{}'", name));
}

}  // namespace specthink::jinja
