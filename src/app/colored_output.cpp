#include "app/colored_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "specthink/comm/launcher.h"

namespace specthink::inline app {
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

/// True when the user sees stdout on a terminal. mpirun gives its ranks a pseudo-terminal wherever its own output goes,
/// so that behind a launcher the parent process is asked (rank 0 runs on mpirun's node; else the answer is no).
bool stdout_is_terminal() {
  if (!started_by_launcher()) return ::isatty(STDOUT_FILENO);
  const std::string parent_stdout = "/proc/" + std::to_string(::getppid()) + "/fd/1";
  const int fd = ::open(parent_stdout.c_str(), O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return false;
  const bool terminal = ::isatty(fd);
  ::close(fd);
  return terminal;
}

bool wants_color(const std::string& color) {
  if (color == "always") return true;
  if (color == "never") return false;
  return stdout_is_terminal() && !std::getenv("NO_COLOR");
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

}  // namespace specthink::inline app
