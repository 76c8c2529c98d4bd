#include "server/answer/choice_text.h"

#include <algorithm>
#include <utility>

namespace specthink::inline server {
namespace {

const std::vector<std::string> kOpen{"<think>"};
const std::vector<std::string> kClose{"</think>"};
constexpr const char* kSpace = " \t\r\n";

}  // namespace

ChoiceText::ChoiceText(Options options) : options_(std::move(options)) {
  if (options_.tokenizer) detokenizer_.emplace(*options_.tokenizer);
  if (options_.splits_thoughts) part_ = options_.begins_in_thought ? Part::thought : Part::start;
}

std::vector<Delta> ChoiceText::push(TokenId id, Origin origin) {
  if (stopped_by_) return {};
  ++num_tokens_;
  last_origin_ = origin;
  return add(detokenizer_->push(id), origin);
}

std::vector<Delta> ChoiceText::push(const TextPiece& piece) {
  if (stopped_by_) return {};
  return add(piece.text, piece.origin);
}

std::vector<Delta> ChoiceText::finish() {
  std::vector<Delta> deltas;
  if (!stopped_by_ && detokenizer_) deltas = add(detokenizer_->flush(), last_origin_);
  std::vector<Delta> rest = split(held_.take(held_.size()));
  deltas.insert(deltas.end(), rest.begin(), rest.end());
  split_certain(/*at_end=*/true, deltas);
  return deltas;
}

/// As vLLM: after each token the first of the stop texts, in the order in which they were given, that has become
/// complete cuts the text.
std::vector<Delta> ChoiceText::add(std::string_view text, Origin origin) {
  held_.append(text, origin);
  for (const std::string& stop : options_.stop) {
    const std::size_t place = held_.text().find(stop);
    if (place == std::string::npos) continue;
    held_.truncate(place);
    stopped_by_ = stop;
    return split(held_.take(held_.size()));
  }
  return split(held_.take(held_.size() - unfinished_word(held_.text(), options_.stop)));
}

std::vector<Delta> ChoiceText::split(std::vector<TextPiece> pieces) {
  for (const TextPiece& piece : pieces) undecided_.append(piece.text, piece.origin);
  std::vector<Delta> deltas;
  split_certain(/*at_end=*/false, deltas);
  return deltas;
}

void ChoiceText::split_certain(bool at_end, std::vector<Delta>& deltas) {
  if (part_ == Part::start) {
    const std::string& text = undecided_.text();
    const std::size_t begin = std::min(text.find_first_not_of(kSpace), text.size());
    const std::string_view word = std::string_view(text).substr(begin);
    if (word.starts_with(kOpen[0])) {
      undecided_.drop(begin + kOpen[0].size());
      part_ = Part::thought;
    } else if (!at_end && kOpen[0].starts_with(word)) {
      return;
    } else {
      part_ = Part::answer;
    }
  }
  if (part_ == Part::thought) {
    const std::size_t end = undecided_.text().find(kClose[0]);
    if (end == std::string::npos) {
      const std::size_t open = at_end ? 0 : unfinished_word(undecided_.text(), kClose);
      return settle(undecided_.size() - open, /*is_thought=*/true, deltas);
    }
    settle(end, /*is_thought=*/true, deltas);
    undecided_.drop(kClose[0].size());
    part_ = Part::answer;
  }
  settle(undecided_.size(), /*is_thought=*/false, deltas);
}

void ChoiceText::settle(std::size_t bytes, bool is_thought, std::vector<Delta>& deltas) {
  for (TextPiece& piece : undecided_.take(bytes)) deltas.push_back({is_thought, std::move(piece.text), piece.origin});
}

}  // namespace specthink::inline server
