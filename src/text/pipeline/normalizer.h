// The "normalizer" of a tokenizer.json: what happens to a text before it is cut into pieces.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "text/json_view.h"
#include "text/pipeline/unicode_forms.h"
#include "text/regex.h"

namespace specthink::inline text {

class Normalizer {
 public:
  /// No view: nothing happens. Unicode forms, Lowercase, Prepend, Replace, Strip, StripAccents, BertNormalizer, Nmt,
  /// ByteLevel and Sequences of them; throws UserError for others.
  explicit Normalizer(const std::optional<JsonView>& view);

  /// `text` must be valid UTF-8.
  std::string apply(std::string_view text) const;

 private:
  struct Lowercase {};
  struct Prepend {
    std::string content;
  };
  struct Replace {
    Regex pattern;
    std::string content;
  };
  struct Strip {
    bool left;
    bool right;
  };
  struct StripAccents {
    bool of_bert;  // nonspacing marks; otherwise all
  };
  struct ByteLevel {};
  // Characters that fall away, become a blank or get blanks around them, each for itself.
  struct Characters {
    void (*append)(char32_t code, std::string& result);
  };
  using Step = std::variant<UnicodeForm, Lowercase, Prepend, Replace, Strip, StripAccents, ByteLevel, Characters>;

  void read(const JsonView& view);
  void read_bert(const JsonView& view);
  static std::string apply(const Step& step, std::string_view text);

  std::vector<Step> steps_;
};

}  // namespace specthink::inline text
