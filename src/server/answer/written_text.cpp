#include "server/answer/written_text.h"

#include <algorithm>

namespace specthink::inline server {

void WrittenText::append(std::string_view text, Origin origin) {
  if (text.empty()) return;
  text_ += text;
  if (pieces_.empty() || pieces_.back().second != origin) pieces_.emplace_back(0, origin);
  pieces_.back().first += text.size();
}

std::vector<TextPiece> WrittenText::take(std::size_t bytes) {
  std::vector<TextPiece> taken;
  std::size_t begin = 0;
  while (begin < bytes && !pieces_.empty()) {
    auto& [size, origin] = pieces_.front();
    const std::size_t count = std::min(size, bytes - begin);
    taken.push_back({text_.substr(begin, count), origin});
    begin += count;
    size -= count;
    if (size == 0) pieces_.pop_front();
  }
  text_.erase(0, begin);
  return taken;
}

void WrittenText::truncate(std::size_t bytes) {
  while (text_.size() > bytes) {
    auto& [size, origin] = pieces_.back();
    const std::size_t count = std::min(size, text_.size() - bytes);
    text_.resize(text_.size() - count);
    size -= count;
    if (size == 0) pieces_.pop_back();
  }
}

std::size_t unfinished_word(std::string_view text, const std::vector<std::string>& words) {
  std::size_t longest = 0;
  for (const std::string& word : words) {
    for (std::size_t length = std::min(word.size() - 1, text.size()); length > longest; --length) {
      if (text.ends_with(std::string_view(word).substr(0, length))) longest = length;
    }
  }
  return longest;
}

}  // namespace specthink::inline server
