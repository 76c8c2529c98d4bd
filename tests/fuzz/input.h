// What the targets share. Bad input may end in a UserError and in nothing else: any other exception reaches libFuzzer,
// which reports it like a memory error.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "specthink/base/error.h"

namespace specthink::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// What stands before the first line "%%" and behind it.
inline std::pair<std::string_view, std::string_view> halves_of(std::string_view input) {
  constexpr std::string_view kDivider = "\n%%\n";
  const std::size_t end = std::min(input.find(kDivider), input.size());
  return {input.substr(0, end), input.substr(std::min(end + kDivider.size(), input.size()))};
}

/// Runs `action` and lets a UserError be its outcome.
template <typename Action>
void allow_user_error(Action&& action) {
  try {
    action();
  } catch (const UserError&) {
  }
}

/// A file in memory for parsers that take a path.
class InputFile {
 public:
  explicit InputFile(std::string_view content) : file_(::memfd_create("input", 0)) {
    check(file_ >= 0, "a file in memory can be made");
    check(::write(file_, content.data(), content.size()) == static_cast<ssize_t>(content.size()), "it can be written");
  }
  ~InputFile() { ::close(file_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(file_); }

 private:
  int file_;
};

}  // namespace specthink::fuzz
