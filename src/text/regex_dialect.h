// Patterns of tokenizer.json are written for Oniguruma (Ruby syntax); PCRE2 reads most of them, some with another
// meaning.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace specthink::inline text {

/// A pattern in PCRE2's syntax that matches what the Oniguruma pattern matches.
struct Pcre2Pattern {
  std::string text;
  std::vector<std::size_t> source;  ///< for every byte of `text`, the byte of the original it came from
};

/// Rewrites what the two read differently: \w, \b, \h, \v, \uHHHH, scripts in \p{}, (?m:), {,n}, {n,m}+ and {n}?.
/// Throws RegexError (text/regex.h) for what has no equivalent or is not used by tokenizers: nested or intersected
/// classes, references, named groups, callouts.
Pcre2Pattern translate_regex(std::string_view pattern);

}  // namespace specthink::inline text
