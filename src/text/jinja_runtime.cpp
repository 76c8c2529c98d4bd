#include "text/jinja_runtime.h"

#include "text/jinja_error.h"

namespace specthink::jinja {
namespace {

constexpr std::size_t kWorkPerText = 32;
constexpr std::size_t kWorkPerItem = 32;
constexpr std::size_t kWorkPerAppend = 8;
constexpr std::size_t kWorkPerNamespace = 512;

// What copying costs.
std::size_t work_for_bytes(std::size_t bytes) { return bytes / 4; }

}  // namespace

void Runtime::spend(std::size_t units) {
  if (units > kMaxWork - work_) fail("the template does too much work (an endless loop, or texts that grow?)");
  work_ += units;
}

void Runtime::check_text_size(std::size_t bytes) {
  if (bytes > kMaxTextBytes) fail("the template makes a text of more than {} MiB", kMaxTextBytes >> 20);
  spend(work_for_bytes(bytes) + kWorkPerText);
}

Value Runtime::text(std::string text) {
  check_text_size(text.size());
  return Value(std::move(text));
}

Value Runtime::list(Values items) {
  spend(items.size() * kWorkPerItem);
  return Value::list(std::move(items));
}

Namespace* Runtime::make_namespace() {
  spend(kWorkPerNamespace);
  return &namespaces_.emplace_back();
}

void TextBuilder::append(std::string_view text) {
  if (text.size() > kMaxTextBytes - text_.size()) {
    fail("the template makes a text of more than {} MiB", kMaxTextBytes >> 20);
  }
  runtime_.spend(work_for_bytes(text.size()) + kWorkPerAppend);
  text_ += text;
}

void TextBuilder::append(std::size_t count, char c) {
  if (count > kMaxTextBytes - text_.size()) {
    fail("the template makes a text of more than {} MiB", kMaxTextBytes >> 20);
  }
  runtime_.spend(work_for_bytes(count) + kWorkPerAppend);
  text_.append(count, c);
}

}  // namespace specthink::jinja
