#include "app/colored_output.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace specthink {
namespace {

const char* color_of(Origin origin) {
  switch (origin) {
    case Origin::target:
      return "\033[32m";
    case Origin::injected:
      return "\033[33m";
    case Origin::draft:
      return "\033[0m";
  }
  return "";
}

bool wants_color(const std::string& color) {
  if (color == "always") return true;
  if (color == "never") return false;
  return ::isatty(STDOUT_FILENO) && !std::getenv("NO_COLOR");
}

}  // namespace

ColoredOutput::ColoredOutput(const Tokenizer* tokenizer, const std::string& color) : color_(wants_color(color)) {
  if (tokenizer) detokenizer_.emplace(*tokenizer);
}

void ColoredOutput::push(TokenId id, Origin origin) { write(detokenizer_->push(id), origin); }

void ColoredOutput::finish() {
  write(detokenizer_->flush(), origin_);
  if (color_ && origin_ != Origin::draft) std::fputs(color_of(Origin::draft), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

void ColoredOutput::write(const std::string& text, Origin origin) {
  if (text.empty()) return;
  if (color_ && origin != origin_) std::fputs(color_of(origin), stdout);
  origin_ = origin;
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace specthink
