#include "specthink/evaluation/answer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "specthink/base/error.h"
#include "specthink/base/log.h"
#include "specthink/base/strings.h"

namespace specthink::inline evaluation {
namespace {

constexpr std::size_t kMaxPattern = 4096;         // bytes
constexpr std::uint32_t kMatchLimit = 1'000'000;  // steps from one place in the text; `[\s\S]*` takes one per character
constexpr std::uint32_t kHeapLimit = 64 * 1024;   // KiB
constexpr std::uint64_t kSearchBudget = 50'000'000;  // pattern items tried in one text: about a second
constexpr std::string_view kBlank = " \t\r\n";

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// Length of a box command that begins `text`, its brace included; 0 when there is none.
std::size_t box_command(std::string_view text) {
  for (const std::string_view command : {"\\boxed", "\\fbox"}) {
    if (!text.starts_with(command)) continue;
    const std::size_t brace = text.find_first_not_of(kBlank, command.size());
    if (brace != std::string_view::npos && text[brace] == '{') return brace + 1;
  }
  return 0;
}

std::string pcre_message(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

// Called for each pattern item that is tried. The library's own limit counts from one starting place only.
int spend_budget(pcre2_callout_block*, void* budget) {
  auto& left = *static_cast<std::uint64_t*>(budget);
  if (left == 0) return PCRE2_ERROR_MATCHLIMIT;
  --left;
  return 0;
}

std::size_t next_character(std::string_view text, std::size_t at) {
  do {
    ++at;
  } while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  return at;
}

PCRE2_SPTR as_pcre(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

}  // namespace

std::optional<std::string> last_boxed(std::string_view text) {
  struct Brace {
    std::size_t content;  // where it begins
    bool boxed;
  };
  std::vector<Brace> open;
  std::string_view best;
  std::size_t best_begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      if (const std::size_t length = box_command(text.substr(i))) {
        i += length - 1;
        open.push_back({i + 1, true});
      } else {
        ++i;  // an escaped brace is none
      }
    } else if (text[i] == '{') {
      open.push_back({i + 1, false});
    } else if (text[i] == '}' && !open.empty()) {
      const Brace brace = open.back();
      open.pop_back();
      const std::string_view content = trim(text.substr(brace.content, i - brace.content));
      // The inner one of two nested boxes began last.
      if (brace.boxed && !content.empty() && brace.content > best_begin) {
        best = content;
        best_begin = brace.content;
      }
    }
  }
  if (best.empty()) return std::nullopt;
  return std::string(best);
}

struct AnswerRule::Pattern {
  std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code{nullptr, pcre2_code_free};
  mutable bool warned = false;
};

AnswerRule::AnswerRule(std::string_view pattern, std::string_view source) {
  if (pattern.size() > kMaxPattern) {
    throw UserError("{}: the pattern has {} bytes, expected at most {}", source, pattern.size(), kMaxPattern);
  }
  auto compiled = std::make_shared<Pattern>();
  int error = 0;
  PCRE2_SIZE offset = 0;
  constexpr std::uint32_t kOptions = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_AUTO_CALLOUT;
  compiled->code.reset(pcre2_compile(as_pcre(pattern), pattern.size(), kOptions, &error, &offset, nullptr));
  if (!compiled->code) {
    throw UserError("{}: not a regular expression: {} at byte {} of '{}'", source, pcre_message(error), offset,
                    pattern);
  }
  std::uint32_t groups = 0;
  pcre2_pattern_info(compiled->code.get(), PCRE2_INFO_CAPTURECOUNT, &groups);
  if (groups != 1) {
    throw UserError("{}: expected a regular expression with one group around the answer, found {} groups in '{}'",
                    source, groups, pattern);
  }
  pattern_ = std::move(compiled);
}

std::optional<std::string> AnswerRule::find(std::string_view text) const {
  if (!pattern_) return last_boxed(text);
  const std::string valid = replace_invalid_utf8(text);
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match(
      pcre2_match_data_create_from_pattern(pattern_->code.get(), nullptr), pcre2_match_data_free);
  const std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> context(
      pcre2_match_context_create(nullptr), pcre2_match_context_free);
  check(match != nullptr && context != nullptr, "PCRE2 makes its match data");
  std::uint64_t budget = kSearchBudget;
  pcre2_set_callout(context.get(), spend_budget, &budget);
  pcre2_set_match_limit(context.get(), kMatchLimit);
  pcre2_set_heap_limit(context.get(), kHeapLimit);

  std::optional<std::string> last;
  const PCRE2_SIZE* span = pcre2_get_ovector_pointer(match.get());
  for (PCRE2_SIZE begin = 0; begin <= valid.size();) {
    const int code = pcre2_match(pattern_->code.get(), as_pcre(valid), valid.size(), begin, PCRE2_NO_UTF_CHECK,
                                 match.get(), context.get());
    if (code == PCRE2_ERROR_NOMATCH) break;
    if (code < 0) {
      if (!pattern_->warned) spdlog::warn("answer_pattern: the search in a text was given up: {}", pcre_message(code));
      pattern_->warned = true;
      return std::nullopt;
    }
    if (code > 1 && span[3] > span[2]) {
      const std::string_view group = trim(std::string_view(valid).substr(span[2], span[3] - span[2]));
      if (!group.empty()) last = group;
    }
    begin = span[1] > begin ? span[1] : next_character(valid, begin);  // an empty match must not be found again
  }
  return last;
}

}  // namespace specthink::inline evaluation
