#include "evaluation/judging/boxes.h"

#include <cstddef>
#include <vector>

#include "evaluation/blanks.h"
#include "evaluation/letters.h"

namespace specthink::inline evaluation {
namespace {

// Length of a box command that begins `text`, with the blanks behind it; 0 when there is none.
std::size_t command_length(std::string_view text) {
  for (const std::string_view command : {"\\boxed", "\\fbox"}) {
    if (!text.starts_with(command)) continue;
    if (command.size() < text.size() && is_letter(text[command.size()])) continue;
    return text.find_first_not_of(kBlanks, command.size()) == std::string_view::npos
               ? text.size()
               : text.find_first_not_of(kBlanks, command.size());
  }
  return 0;
}

// What a box without braces holds: digits or letters, or one command.
std::string_view bare_content(std::string_view text) {
  std::size_t end = text.starts_with('-') || text.starts_with('\\') ? 1 : 0;
  const auto is_content = [](char c) { return is_letter(c) || (c >= '0' && c <= '9'); };
  while (end < text.size() && is_content(text[end])) ++end;
  return end > 0 && is_content(text[end - 1]) ? text.substr(0, end) : std::string_view();
}

}  // namespace

Boxes find_boxes(std::string_view text) {
  struct Brace {
    std::size_t content;  // where it begins
    bool is_box;
  };
  std::vector<Brace> open;
  std::string_view best;
  std::size_t best_begin = 0;
  const auto consider = [&](std::string_view content, std::size_t begin) {
    // The inner one of two nested boxes began last.
    if (content.empty() || (begin < best_begin && !best.empty())) return;
    best = content;
    best_begin = begin;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      const std::size_t length = command_length(text.substr(i));
      if (length == 0) {
        ++i;  // an escaped brace is none
      } else if (i + length < text.size() && text[i + length] == '{') {
        i += length;
        open.push_back({i + 1, true});
      } else {
        consider(bare_content(text.substr(i + length)), i + length);
        i += length - 1;
      }
    } else if (text[i] == '{') {
      open.push_back({i + 1, false});
    } else if (text[i] == '}' && !open.empty()) {
      const Brace brace = open.back();
      open.pop_back();
      if (brace.is_box) consider(trim(text.substr(brace.content, i - brace.content)), brace.content);
    }
  }
  Boxes boxes;
  if (!best.empty()) boxes.last = std::string(best);
  for (const Brace& brace : open) boxes.has_open = boxes.has_open || brace.is_box;
  return boxes;
}

}  // namespace specthink::inline evaluation
