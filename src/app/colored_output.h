// Generated text on stdout as it grows, coloured by who wrote it.
#pragma once

#include <string>

#include "specthink/schedule/schedule.h"
#include "specthink/text/detokenizer.h"
#include "specthink/text/tokenizer.h"

namespace specthink::inline app {

/// Target in green, injected words in yellow, the draft in the terminal's own colour. A character is shown when its
/// last byte is there, in the colour of the token that completed it.
class ColoredOutput {
 public:
  /// `color`: auto (when stdout is a terminal and NO_COLOR is not set), always or never.
  ColoredOutput(const Tokenizer* tokenizer, const std::string& color);

  void push(TokenId id, Origin origin);
  void push(const TextPiece& piece) { write(piece.text, piece.origin); }

  /// Ends the text with a newline.
  void finish();

 private:
  void write(const std::string& text, Origin origin);

  std::optional<IncrementalDetokenizer> detokenizer_;
  bool color_;
  Origin origin_ = Origin::draft;
};

}  // namespace specthink::inline app
