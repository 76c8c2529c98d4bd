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
  /// `view` is the "pre_tokenizer" object; none leaves texts whole. ByteLevel, Digits, Metaspace, Punctuation, Split,
  /// Whitespace, WhitespaceSplit, CharDelimiterSplit, BertPreTokenizer, UnicodeScripts, FixedLength and Sequences of
  /// them; throws UserError for others.
  explicit PreTokenizer(const std::optional<JsonView>& view);

  using Sink = std::function<void(std::string_view)>;

  /// Calls `piece` with every pre-token as the model sees it (behind ByteLevel in that alphabet), in order. `text` must
  /// be valid UTF-8. `at_start`: it is the beginning of the whole text, not what follows an added token.
  void split(std::string_view text, bool at_start, const Sink& piece) const;

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
  enum class PrependScheme { always, first, never };
  struct MetaspaceStep {
    std::string replacement;
    PrependScheme prepend;
    std::optional<Regex> regex;  // of the replacement, where pieces begin
  };
  struct ScriptsStep {};
  struct FixedLengthStep {
    std::size_t characters;
  };
  using Step = std::variant<SplitStep, ByteLevelStep, MetaspaceStep, ScriptsStep, FixedLengthStep>;

  // A text, and the same text as the regular expressions see it.
  struct Subject {
    std::string_view text;
    std::string_view view;
    bool at_start;
  };

  void read(const JsonView& view);
  void read_byte_level(const JsonView& view);
  void read_metaspace(const JsonView& view);
  void read_fixed_length(const JsonView& view);
  void add_split(std::string_view pattern, SplitBehavior behavior, bool invert = false);
  void apply(std::size_t step, const Subject& subject, const Sink& piece) const;
  void split(std::size_t step, const Subject& subject, const Regex& regex, SplitBehavior behavior, bool invert,
             const Sink& piece) const;
  void go_on(std::size_t step, const Subject& subject, const std::vector<Regex::Match>& pieces,
             const Sink& piece) const;
  void apply_byte_level(std::size_t step, Subject subject, const Sink& piece) const;
  void apply_metaspace(std::size_t step, const Subject& subject, const Sink& piece) const;

  std::vector<Step> steps_;
};

}  // namespace specthink::inline text
