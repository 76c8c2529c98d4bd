#include "text/jinja_loop.h"

#include <utility>

#include "text/jinja_error.h"
#include "text/jinja_function.h"

namespace specthink::jinja {
namespace {

Value cycle(Runtime&, const Value& self, const CallArguments& arguments) {
  const Values& choices = arguments.all().positional;
  if (choices.empty()) fail("loop.cycle needs at least one value");
  return choices[static_cast<std::size_t>(self.loop()->index0()) % choices.size()];
}

constexpr Function kCycle{"cycle", {kAnyArguments}, 0, cycle};

}  // namespace

Loop::Loop(Values items, std::function<bool(const Value&)> accepts)
    : items_(std::move(items)), accepts_(std::move(accepts)), depth_(container_depth(items_)) {
  if (!accepts_) length_ = static_cast<std::int64_t>(items_.size());
}

std::optional<Value> Loop::pull() {
  while (next_ < items_.size()) {
    Value item = items_[next_++];
    if (!accepts_ || accepts_(item)) return item;
  }
  return std::nullopt;
}

const std::optional<Value>& Loop::peek() {
  if (!ahead_) ahead_ = pull();
  return ahead_;
}

bool Loop::advance() {
  std::optional<Value> item = ahead_ ? std::exchange(ahead_, std::nullopt) : pull();
  if (!item) return false;
  previous_ = std::exchange(current_, std::move(item));
  ++index0_;
  return true;
}

std::int64_t Loop::length() {
  if (!length_) {  // what is left is filtered now, as the reference does
    Values rest;
    while (std::optional<Value> item = pull()) rest.push_back(std::move(*item));
    length_ = index0_ + 1 + (ahead_ ? 1 : 0) + static_cast<std::int64_t>(rest.size());
    items_ = std::move(rest);
    next_ = 0;
    accepts_ = nullptr;
  }
  return *length_;
}

Value Loop::attribute(std::string_view name) {
  if (name == "index") return index0_ + 1;
  if (name == "index0") return index0_;
  if (name == "first") return index0_ == 0;
  if (name == "last") return !peek().has_value();
  if (name == "length") return length();
  if (name == "revindex") return length() - index0_;
  if (name == "revindex0") return length() - index0_ - 1;
  if (name == "previtem") return previous_ ? *previous_ : Value::undefined("there is no previous item");
  if (name == "nextitem") return peek() ? *peek() : Value::undefined("there is no next item");
  if (name == "depth") return std::int64_t{1};
  if (name == "depth0") return std::int64_t{0};
  if (name == "changed") fail("loop.changed is not supported");
  return Value::undefined(fmt::format("'LoopContext object' has no attribute '{}'", name));
}

const Function& loop_cycle() { return kCycle; }

}  // namespace specthink::jinja
