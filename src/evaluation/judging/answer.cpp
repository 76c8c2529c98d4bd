#include "specthink/evaluation/answer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "evaluation/blanks.h"
#include "evaluation/judging/boxes.h"
#include "evaluation/judging/statements.h"
#include "evaluation/math/compare.h"
#include "specthink/base/error.h"
#include "specthink/base/log.h"
#include "specthink/base/strings.h"

namespace specthink::inline evaluation {
namespace {

constexpr std::size_t kMaxPattern = 4096;         // bytes
constexpr std::uint32_t kMatchLimit = 1'000'000;  // steps from one place in the text; `[\s\S]*` takes one per character
constexpr std::uint32_t kHeapLimit = 64 * 1024;   // KiB
constexpr std::uint64_t kSearchBudget = 50'000'000;  // pattern items tried in one text: about a second
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

constexpr std::string_view kThinkingEnds = "</think>";

// A box of a task with letters holds its letter, or no answer.
std::optional<std::string> from_box(const std::string& content, int num_choices) {
  if (num_choices == 0) return content;
  const auto letter = leading_choice(content, num_choices);
  return letter ? std::optional(std::string(1, *letter)) : std::nullopt;
}

std::optional<std::string> from_prose(std::string_view text, int num_choices) {
  if (num_choices > 0) {
    const auto letter = last_choice(text, num_choices);
    return letter ? std::optional(std::string(1, *letter)) : std::nullopt;
  }
  auto stated = last_statement(text);
  return stated ? stated : last_number(text);
}

}  // namespace

std::optional<std::string> last_boxed(std::string_view text) { return find_boxes(text).last; }

bool same_answer(std::string_view given, std::string_view expected) {
  return compare_answers(given, expected) == Same::yes;
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

AnswerRule AnswerRule::choice(int num_choices) {
  check(num_choices >= 2 && num_choices <= 26, "a choice is one of 2 to 26 letters");
  AnswerRule rule;
  rule.num_choices_ = num_choices;
  return rule;
}

std::optional<std::string> AnswerRule::find(std::string_view text) const {
  if (pattern_) return find_pattern(text);
  const std::size_t end_of_thinking = text.rfind(kThinkingEnds);
  const std::string_view part =
      end_of_thinking == std::string_view::npos ? text : text.substr(end_of_thinking + kThinkingEnds.size());
  const Boxes boxes = find_boxes(part);
  if (boxes.last) return from_box(*boxes.last, num_choices_);
  if (boxes.has_open) return std::nullopt;
  if (auto stated = from_prose(part, num_choices_)) return stated;
  const Boxes anywhere = find_boxes(text);
  return anywhere.last ? from_box(*anywhere.last, num_choices_) : std::nullopt;
}

std::optional<bool> AnswerRule::compare(std::string_view given, std::string_view expected) const {
  if (num_choices_ > 0) return given == expected;
  const Same same = compare_answers(given, expected);
  return same == Same::unknown ? std::nullopt : std::optional(same == Same::yes);
}

std::optional<std::string> AnswerRule::find_pattern(std::string_view text) const {
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
