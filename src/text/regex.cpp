#include "text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <utility>

#include "specthink/base/error.h"
#include "text/regex_dialect.h"

namespace specthink::inline text {
namespace {

// Backtracking over one long run takes a step a byte; only patterns that backtrack exponentially take more.
constexpr std::uint64_t kBaseSteps = 10'000'000;
constexpr std::uint64_t kStepsPerByte = 64;
constexpr std::uint32_t kHeapLimitKiB = 1 << 20;

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};

using CodePtr = std::unique_ptr<pcre2_code, Deleter<pcre2_code_free>>;
using MatchDataPtr = std::unique_ptr<pcre2_match_data, Deleter<pcre2_match_data_free>>;
using MatchContextPtr = std::unique_ptr<pcre2_match_context, Deleter<pcre2_match_context_free>>;
using CompileContextPtr = std::unique_ptr<pcre2_compile_context, Deleter<pcre2_compile_context_free>>;

std::string error_text(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

// Throws RegexError with the offset in `pattern`.
CodePtr compile(std::string_view pattern, std::uint32_t options) {
  const CompileContextPtr context(pcre2_compile_context_create(nullptr));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE offset = 0;
  CodePtr code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options | PCRE2_UTF, &error,
                             &offset, context.get()));
  if (!code) throw RegexError(error_text(error), offset);
  // Without JIT (not built in, or not allowed by the system) the interpreter does the same.
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
  return code;
}

constexpr std::uint32_t kRubyOptions = PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;

std::size_t char_length(std::string_view text, std::size_t at) {
  std::size_t length = 1;
  while (at + length < text.size() && (static_cast<std::uint8_t>(text[at + length]) & 0xC0) == 0x80) ++length;
  return length;
}

}  // namespace

struct Regex::Code {
  CodePtr pointer;
};

Regex::Regex(std::string_view pattern, std::unique_ptr<Code> code) : pattern_(pattern), code_(std::move(code)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Regex::Regex(std::string_view pattern) : pattern_(pattern) {
  const Pcre2Pattern translated = translate_regex(pattern);
  try {
    code_ = std::make_unique<Code>(Code{compile(translated.text, kRubyOptions)});
  } catch (const RegexError& error) {
    const bool inside = error.offset() < translated.source.size();
    throw RegexError(error.what(), inside ? translated.source[error.offset()] : pattern.size());
  }
}

Regex Regex::literal(std::string_view text) {
  return Regex(text, std::make_unique<Code>(Code{compile(text, PCRE2_LITERAL)}));
}

bool Regex::compiles(std::string_view pattern) {
  try {
    compile(pattern, kRubyOptions);
    return true;
  } catch (const RegexError&) {
    return false;
  }
}

std::vector<Regex::Match> Regex::find_all(std::string_view text) const {
  const pcre2_code* code = code_->pointer.get();
  const MatchContextPtr context(pcre2_match_context_create(nullptr));
  const std::uint64_t steps = kBaseSteps + kStepsPerByte * text.size();
  pcre2_set_match_limit(context.get(), static_cast<std::uint32_t>(
                                           std::min<std::uint64_t>(steps, std::numeric_limits<std::uint32_t>::max())));
  pcre2_set_heap_limit(context.get(), kHeapLimitKiB);
  const MatchDataPtr data(pcre2_match_data_create(1, nullptr));
  if (!context || !data) throw EnvironmentError("out of memory while matching a regular expression");

  std::vector<Match> matches;
  std::size_t from = 0;
  while (from <= text.size()) {
    const auto search = [&](std::uint32_t options) {
      return pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                         options | PCRE2_NO_UTF_CHECK, data.get(), context.get());
    };
    int result = search(0);
    // JIT code has a small stack of its own; the interpreter uses the heap.
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = search(PCRE2_NO_JIT);
    if (result == PCRE2_ERROR_NOMATCH) break;
    if (result < 0) {
      throw UserError("the tokenizer's pattern '{}' cannot be matched at byte {} of the text: {}", pattern_, from,
                      error_text(result));
    }
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data.get());
    const Match match{bounds[0], bounds[1]};
    if (match.begin == match.end && !matches.empty() && matches.back().end == match.end) {
      from += char_length(text, from);
      continue;
    }
    matches.push_back(match);
    from = match.end;
  }
  return matches;
}

}  // namespace specthink::inline text
