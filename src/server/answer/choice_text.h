// From the tokens of one run to the text that a client sees: cut at its stop texts, thoughts apart from the answer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/answer/written_text.h"
#include "specthink/text/detokenizer.h"

namespace specthink::inline server {

/// A part of a choice's text.
struct Delta {
  bool is_thought = false;
  std::string text;
  Origin origin = Origin::draft;
};

class ChoiceText {
 public:
  struct Options {
    const Tokenizer* tokenizer = nullptr;  ///< null: text is given as such
    std::vector<std::string> stop;
    bool splits_thoughts = false;
    bool begins_in_thought = false;
  };
  explicit ChoiceText(Options options);

  /// What has become certain with this token. Nothing more comes once the text is stopped.
  std::vector<Delta> push(TokenId id, Origin origin);
  std::vector<Delta> push(const TextPiece& piece);

  /// What was held back, when nothing follows.
  std::vector<Delta> finish();

  /// Of its tokens; there is one unless text is given as such.
  const Tokenizer& tokenizer() const { return *options_.tokenizer; }

  /// The stop text that ended it.
  const std::optional<std::string>& stopped_by() const { return stopped_by_; }

  int num_tokens() const { return num_tokens_; }  ///< up to the one that completed a stop text

 private:
  enum class Part { start, thought, answer };

  std::vector<Delta> add(std::string_view text, Origin origin);
  std::vector<Delta> split(std::vector<TextPiece> pieces);
  void settle(std::size_t bytes, bool is_thought, std::vector<Delta>& deltas);
  void split_certain(bool at_end, std::vector<Delta>& deltas);

  Options options_;
  std::optional<IncrementalDetokenizer> detokenizer_;
  WrittenText held_;       // may be the beginning of a stop text
  WrittenText undecided_;  // may be the beginning of a tag
  Part part_ = Part::answer;
  Origin last_origin_ = Origin::draft;
  std::optional<std::string> stopped_by_;
  int num_tokens_ = 0;
};

}  // namespace specthink::inline server
