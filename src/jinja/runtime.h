// What one rendering may use up, and what it owns. Templates come from model folders, so they are not trusted.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

#include "specthink/jinja/error.h"
#include "specthink/jinja/value.h"

namespace specthink::jinja {

inline constexpr std::size_t kMaxTextBytes = std::size_t{64} << 20;  // of any one string, the output included
inline constexpr std::size_t kMaxWork = std::size_t{1} << 28;        // of one rendering, see Runtime::spend
inline constexpr std::int64_t kMaxRange = 100000;                    // as in the reference

class Runtime {
 public:
  /// Accounts for work: one unit is about a nanosecond, a byte looked at or four bytes copied. Throws
  /// TemplateError when a rendering has used up kMaxWork, which bounds its time to about a second and its memory.
  void spend(std::size_t units) {
    if (units > kMaxWork - work_) fail("the template does too much work (an endless loop, or texts that grow?)");
    work_ += units;
  }

  /// To be called before a string of this size is made.
  void check_text_size(std::size_t bytes) {
    if (bytes > kMaxTextBytes) fail("the template makes a text of more than {} MiB", kMaxTextBytes >> 20);
    spend(bytes / 4 + 32);
  }

  /// A new value, paid for.
  Value text(std::string text) {
    check_text_size(text.size());
    return Value(std::move(text));
  }

  Namespace* make_namespace() {
    spend(512);
    return &namespaces_.emplace_back();
  }

 private:
  std::size_t work_ = 0;
  std::deque<Namespace> namespaces_;
};

/// Text that grows within the limits of the rendering.
class TextBuilder {
 public:
  explicit TextBuilder(Runtime& runtime) : runtime_(runtime) {}

  void append(std::string_view text) {
    if (text.size() > kMaxTextBytes - text_.size()) runtime_.check_text_size(kMaxTextBytes + 1);
    runtime_.spend(text.size() / 4 + 8);
    text_ += text;
  }

  std::string take() { return std::move(text_); }

 private:
  Runtime& runtime_;
  std::string text_;
};

}  // namespace specthink::jinja
