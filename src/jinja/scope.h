// What the names of a running template stand for: variables, macros and `loop`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "jinja/ast.h"
#include "specthink/jinja/value.h"

namespace specthink::jinja {

/// Variables of a loop's iteration, a macro's call or the template, and where to look further. Shared with the macros
/// defined in it, which see later assignments too.
struct Scope {
  /// Null when there is none of this name, here and further out.
  const Value* find(std::string_view name) const;

  std::shared_ptr<const Scope> parent;
  Variables variables;
};

/// A macro as a value: what it does, and where it was defined.
struct Macro {
  const MacroDefinition* definition;
  std::shared_ptr<Scope> scope;
};

/// The state of a running `for`, which its body sees as `loop`.
class Loop {
 public:
  /// `accepts` is the loop's `if`; null when it has none. It is asked as late as possible, because the body may change
  /// what it depends on (a namespace).
  Loop(Values items, std::function<bool(const Value&)> accepts);

  /// Moves to the next item; false at the end.
  bool advance();

  const Value& current() const { return accepted_[index_]; }
  int depth() const { return depth_; }

  /// loop.index, loop.last and so on; undefined for an unknown name.
  Value attribute(std::string_view name);

  /// Counts, and so asks for, all items.
  std::int64_t length();

 private:
  bool has(std::size_t index);

  Values items_;
  std::size_t next_ = 0;  // of the items, which have not been asked for
  std::function<bool(const Value&)> accepts_;
  Values accepted_;
  std::size_t index_ = SIZE_MAX;  // of the current item; before the first one it is -1
  int depth_;
};

}  // namespace specthink::jinja
