// What one rendering may use up, and what it owns. Templates come from model folders, so they are not trusted.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

#include "text/jinja_value.h"

namespace specthink::jinja {

inline constexpr std::size_t kMaxTextBytes = std::size_t{64} << 20;  // of any one string, the output included
inline constexpr std::size_t kMaxWork = std::size_t{1} << 28;        // of one rendering, see Runtime::spend
inline constexpr std::int64_t kMaxRange = 100000;                    // as in the reference

class Runtime {
 public:
  /// Accounts for work: one unit is about a nanosecond, a byte looked at or four bytes copied. Throws
  /// TemplateError when a rendering has used up kMaxWork, which bounds its time to about a second and its memory.
  void spend(std::size_t units);

  /// To be called before a string of this size is made.
  void check_text_size(std::size_t bytes);

  /// New values, paid for.
  Value text(std::string text);
  Value list(Values items);

  Namespace* make_namespace();

 private:
  std::size_t work_ = 0;
  std::deque<Namespace> namespaces_;
};

/// Text that grows within the limits of the rendering.
class TextBuilder {
 public:
  explicit TextBuilder(Runtime& runtime) : runtime_(runtime) {}

  void append(std::string_view text);
  void append(std::size_t count, char c);
  std::string take() { return std::move(text_); }
  Runtime& runtime() { return runtime_; }

 private:
  Runtime& runtime_;
  std::string text_;
};

}  // namespace specthink::jinja
