// Text with who wrote each part of it, from which the front is taken as it becomes certain.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "specthink/schedule/schedule.h"

namespace specthink::inline server {

class WrittenText {
 public:
  void append(std::string_view text, Origin origin);

  const std::string& text() const { return text_; }
  std::size_t size() const { return text_.size(); }

  /// The first `bytes`, which are taken away.
  std::vector<TextPiece> take(std::size_t bytes);
  void drop(std::size_t bytes) { take(bytes); }

  /// Keeps the first `bytes`.
  void truncate(std::size_t bytes);

 private:
  std::string text_;
  std::deque<std::pair<std::size_t, Origin>> pieces_;  // bytes of each
};

/// Length of the longest end of `text` that one of `words` begins with, but is not all of.
std::size_t unfinished_word(std::string_view text, const std::vector<std::string>& words);

}  // namespace specthink::inline server
