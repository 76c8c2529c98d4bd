// The state of a running `for`, which its body sees as `loop`.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "text/jinja_value.h"

namespace specthink::jinja {

class Runtime;

struct Loop {
 public:
  /// `accepts` is the loop's `if`; null when it has none. It is asked as late as possible, because the body may change
  /// what it depends on (a namespace).
  Loop(Values items, std::function<bool(const Value&)> accepts);

  /// Moves to the next item; false at the end.
  bool advance();

  const Value& current() const { return *current_; }
  int depth() const { return depth_; }

  /// loop.index, loop.last and so on; undefined for an unknown name.
  Value attribute(std::string_view name);

  std::int64_t length();
  std::int64_t index0() const { return index0_; }

 private:
  std::optional<Value> pull();
  const std::optional<Value>& peek();

  Values items_;
  std::size_t next_ = 0;
  std::function<bool(const Value&)> accepts_;
  std::optional<std::int64_t> length_;
  std::optional<Value> ahead_;
  std::optional<Value> current_;
  std::optional<Value> previous_;
  std::int64_t index0_ = -1;
  int depth_;
};

}  // namespace specthink::jinja
