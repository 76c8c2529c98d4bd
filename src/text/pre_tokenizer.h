// Cutting text into the pieces that BPE works on ("pre-tokens").
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "text/json_view.h"
#include "text/regex.h"

namespace specthink::inline text {

/// What happens to the matches of a pattern: dropped, pieces of their own, joined to a neighbour, or joined to each
/// other.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

/// The pieces of a text of `size` bytes with these matches; with `invert` what lies between them counts as the matches.
std::vector<Regex::Match> split_pieces(const std::vector<Regex::Match>& matches, std::size_t size,
                                       SplitBehavior behavior, bool invert);

class PreTokenizer {
 public:
  /// `view` is the "pre_tokenizer" object: ByteLevel, or a Sequence of Split that ends in ByteLevel. Throws UserError.
  explicit PreTokenizer(const JsonView& view);

  /// Calls `piece` with the bytes of every pre-token, in order. `text` must be valid UTF-8.
  void split(std::string_view text, const std::function<void(std::string_view)>& piece) const;

 private:
  struct SplitStep {
    Regex regex;
    SplitBehavior behavior;
    bool invert;
  };
  struct ByteLevelStep {
    bool add_prefix_space;
    std::optional<Regex> regex;
  };
  using Step = std::variant<SplitStep, ByteLevelStep>;

  // A text, and the same text as the regular expressions see it.
  struct Subject {
    std::string_view text;
    std::string_view view;
  };

  void read(const JsonView& view);
  void read_split(const JsonView& view);
  void read_byte_level(const JsonView& view);
  void apply(std::size_t step, Subject subject, const std::function<void(std::string_view)>& piece) const;

  std::vector<Step> steps_;
};

}  // namespace specthink::inline text
