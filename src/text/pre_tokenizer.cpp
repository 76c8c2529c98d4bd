#include "text/pre_tokenizer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "text/unicode_versions.h"

namespace specthink::inline text {
namespace {

constexpr std::size_t kMaxSteps = 64;

// GPT-2's pattern, which ByteLevel applies unless told not to.
constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

SplitBehavior read_behavior(const JsonView& view) {
  static constexpr std::array<std::pair<std::string_view, SplitBehavior>, 5> kBehaviors{{
      {"Removed", SplitBehavior::removed},
      {"Isolated", SplitBehavior::isolated},
      {"MergedWithPrevious", SplitBehavior::merged_with_previous},
      {"MergedWithNext", SplitBehavior::merged_with_next},
      {"Contiguous", SplitBehavior::contiguous},
  }};
  const auto* known =
      std::ranges::find(kBehaviors, std::string_view(view.string()), &decltype(kBehaviors)::value_type::first);
  if (known == kBehaviors.end()) {
    view.fail("expected Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous, found '{}'",
              view.string());
  }
  return known->second;
}

Regex read_regex(const JsonView& pattern) {
  if (const auto text = pattern.find("String")) return Regex::literal(text->string());
  const JsonView regex = pattern.at("Regex");
  try {
    return Regex(regex.string());
  } catch (const RegexError& error) {
    regex.fail("cannot use the pattern '{}': {} at byte {}", regex.string(), error.what(), error.offset());
  }
}

struct Part {
  Regex::Match bounds;
  bool is_match;
};

// Matches and what lies between them, together the whole text.
std::vector<Part> cover(const std::vector<Regex::Match>& matches, std::size_t size, bool invert) {
  std::vector<Part> parts;
  parts.reserve(2 * matches.size() + 1);
  std::size_t end = 0;
  for (const Regex::Match& match : matches) {
    if (end != match.begin) parts.push_back({{end, match.begin}, invert});
    parts.push_back({match, !invert});
    end = match.end;
  }
  if (end != size) parts.push_back({{end, size}, invert});
  return parts;
}

}  // namespace

std::vector<Regex::Match> split_pieces(const std::vector<Regex::Match>& matches, std::size_t size,
                                       SplitBehavior behavior, bool invert) {
  std::vector<Part> parts = cover(matches, size, invert);
  const bool backwards = behavior == SplitBehavior::merged_with_next;
  if (backwards) std::ranges::reverse(parts);

  std::vector<Regex::Match> pieces;
  pieces.reserve(parts.size());
  bool after_match = false;
  for (const Part& part : parts) {
    const bool joins = behavior == SplitBehavior::contiguous                          ? part.is_match == after_match
                       : behavior == SplitBehavior::merged_with_previous || backwards ? part.is_match && !after_match
                                                                                      : false;
    if (behavior == SplitBehavior::removed && part.is_match) continue;
    if (joins && !pieces.empty()) {
      (backwards ? pieces.back().begin : pieces.back().end) = backwards ? part.bounds.begin : part.bounds.end;
    } else {
      pieces.push_back(part.bounds);
    }
    after_match = part.is_match;
  }
  if (backwards) std::ranges::reverse(pieces);
  return pieces;
}

PreTokenizer::PreTokenizer(const JsonView& view) {
  read(view);
  const bool ends_in_bytes = !steps_.empty() && std::holds_alternative<ByteLevelStep>(steps_.back());
  if (!ends_in_bytes) view.fail("expected a ByteLevel step at the end: only byte-level BPE tokenizers are supported");
}

void PreTokenizer::read(const JsonView& view) {
  const JsonView type = view.at("type");
  if (type.string() == "Sequence") {
    for (const JsonView& step : view.at("pretokenizers").elements()) read(step);
    return;
  }
  // Behind ByteLevel, patterns would see its alphabet instead of the text.
  if (!steps_.empty() && std::holds_alternative<ByteLevelStep>(steps_.back())) {
    view.fail("a step behind ByteLevel is not supported");
  }
  if (steps_.size() == kMaxSteps) view.fail("more than {} steps", kMaxSteps);
  if (type.string() == "Split") {
    read_split(view);
  } else if (type.string() == "ByteLevel") {
    read_byte_level(view);
  } else {
    type.fail("expected Split, ByteLevel or Sequence, found '{}', which is not supported", type.string());
  }
}

void PreTokenizer::read_split(const JsonView& view) {
  steps_.emplace_back(
      SplitStep{read_regex(view.at("pattern")), read_behavior(view.at("behavior")), view.at("invert").boolean()});
}

void PreTokenizer::read_byte_level(const JsonView& view) {
  const auto use_regex = view.find("use_regex");
  ByteLevelStep step{view.at("add_prefix_space").boolean(), std::nullopt};
  if (!use_regex || use_regex->boolean()) step.regex = Regex(kGpt2Pattern);
  steps_.emplace_back(std::move(step));
}

void PreTokenizer::split(std::string_view text, const std::function<void(std::string_view)>& piece) const {
  std::string storage;
  apply(0, {text, regex_view(text, storage)}, piece);
}

void PreTokenizer::apply(std::size_t index, Subject subject, const std::function<void(std::string_view)>& piece) const {
  if (subject.text.empty()) return;
  const auto sub = [&](const Regex::Match& bounds) {
    const std::size_t length = bounds.end - bounds.begin;
    return Subject{subject.text.substr(bounds.begin, length), subject.view.substr(bounds.begin, length)};
  };
  if (const auto* step = std::get_if<SplitStep>(&steps_[index])) {
    const auto matches = step->regex.find_all(subject.view);
    for (const auto& bounds : split_pieces(matches, subject.text.size(), step->behavior, step->invert)) {
      apply(index + 1, sub(bounds), piece);
    }
    return;
  }
  const auto& step = std::get<ByteLevelStep>(steps_[index]);
  std::string text;
  std::string view;
  if (step.add_prefix_space && !subject.text.starts_with(' ')) {
    text = " " + std::string(subject.text);
    view = " " + std::string(subject.view);
    subject = {text, view};
  }
  if (!step.regex) return piece(subject.text);
  const auto matches = step.regex->find_all(subject.view);
  for (const auto& bounds : split_pieces(matches, subject.text.size(), SplitBehavior::isolated, false)) {
    if (bounds.begin != bounds.end) piece(subject.text.substr(bounds.begin, bounds.end - bounds.begin));
  }
}

}  // namespace specthink::inline text
