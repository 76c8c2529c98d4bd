// Regular expressions of pre-tokenizers: Oniguruma's semantics on PCRE2.
#pragma once

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace specthink::inline text {

/// A pattern that is not valid or not supported. `offset` is the byte of the pattern.
class RegexError : public std::runtime_error {
 public:
  RegexError(const std::string& message, std::size_t offset) : std::runtime_error(message), offset_(offset) {}
  std::size_t offset() const { return offset_; }

 private:
  std::size_t offset_;
};

class Regex {
 public:
  struct Match {
    std::size_t begin;
    std::size_t end;
  };

  /// Throws RegexError.
  explicit Regex(std::string_view pattern);

  /// Matches `text` itself.
  static Regex literal(std::string_view text);

  /// True when PCRE2 accepts `pattern` as it stands.
  static bool compiles(std::string_view pattern);

  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  /// All matches from left to right. They do not overlap; an empty one directly behind another is left out.
  /// `text` must be valid UTF-8, seen through regex_view (text/unicode_versions.h). Throws UserError when a match takes
  /// more steps or memory than any sensible pattern needs.
  std::vector<Match> find_all(std::string_view text) const;

 private:
  struct Code;
  Regex(std::string_view pattern, std::unique_ptr<Code> code);

  std::string pattern_;
  std::unique_ptr<Code> code_;
};

}  // namespace specthink::inline text
