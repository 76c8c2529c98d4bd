#include "text/pipeline/pre_tokenizer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "specthink/base/utf8.h"
#include "text/byte_level.h"
#include "text/pipeline/patterns.h"
#include "text/pipeline/unicode_scripts.h"
#include "text/unicode_versions.h"

namespace specthink::inline text {
namespace {

constexpr std::size_t kMaxSteps = 64;

// GPT-2's pattern, which ByteLevel applies unless told not to.
constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// What ASCII and Unicode call punctuation.
constexpr std::string_view kPunctuation = R"([!-/:-@\[-`{-~\p{P}])";

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

struct Part {
  Regex::Match bounds;
  bool is_match;
};

// Pieces of `count` characters; the last one may have fewer.
std::vector<Regex::Match> fixed_pieces(std::string_view text, std::size_t count) {
  std::vector<Regex::Match> pieces;
  std::size_t in_piece = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = next_utf8(text.substr(at)).length;
    if (in_piece == 0) pieces.push_back({at, at});
    at += length;
    pieces.back().end = at;
    in_piece = in_piece + 1 == count ? 0 : in_piece + 1;
  }
  return pieces;
}

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

PreTokenizer::PreTokenizer(const std::optional<JsonView>& view) {
  if (view) read(*view);
}

void PreTokenizer::add_split(std::string_view pattern, SplitBehavior behavior, bool invert) {
  steps_.emplace_back(SplitStep{Regex(pattern), behavior, invert});
}

void PreTokenizer::read(const JsonView& view) {
  const JsonView type = view.at("type");
  const std::string& name = type.string();
  if (name == "Sequence") {
    for (const JsonView& step : view.at("pretokenizers").elements()) read(step);
    return;
  }
  if (steps_.size() == kMaxSteps) view.fail("more than {} steps", kMaxSteps);
  if (name == "Split") {
    steps_.emplace_back(SplitStep{read_pattern(view.at("pattern")), read_behavior(view.at("behavior")),
                                  view.find("invert") && view.at("invert").boolean()});
  } else if (name == "ByteLevel") {
    read_byte_level(view);
  } else if (name == "Metaspace") {
    read_metaspace(view);
  } else if (name == "Digits") {
    const bool individual = view.find("individual_digits") && view.at("individual_digits").boolean();
    add_split(R"(\p{N})", individual ? SplitBehavior::isolated : SplitBehavior::contiguous);
  } else if (name == "Punctuation") {
    const auto behavior = view.find("behavior");
    add_split(kPunctuation, behavior ? read_behavior(*behavior) : SplitBehavior::isolated);
  } else if (name == "Whitespace") {
    add_split(
        R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\s]+)",
        SplitBehavior::removed, /*invert=*/true);
  } else if (name == "WhitespaceSplit") {
    add_split(R"(\s)", SplitBehavior::removed);
  } else if (name == "BertPreTokenizer") {
    add_split(R"(\s)", SplitBehavior::removed);
    add_split(kPunctuation, SplitBehavior::isolated);
  } else if (name == "CharDelimiterSplit") {
    steps_.emplace_back(SplitStep{Regex::literal(view.at("delimiter").string()), SplitBehavior::removed, false});
  } else if (name == "UnicodeScripts") {
    steps_.emplace_back(ScriptsStep{});
  } else if (name == "FixedLength") {
    read_fixed_length(view);
  } else {
    type.fail(
        "expected ByteLevel, Split, Digits, Metaspace, Punctuation, Whitespace, WhitespaceSplit, CharDelimiterSplit, "
        "BertPreTokenizer, UnicodeScripts, FixedLength or Sequence, found '{}', which is not supported",
        name);
  }
}

void PreTokenizer::read_byte_level(const JsonView& view) {
  const auto add_prefix_space = view.find("add_prefix_space");
  const auto use_regex = view.find("use_regex");
  ByteLevelStep step{!add_prefix_space || add_prefix_space->boolean(), std::nullopt};
  if (!use_regex || use_regex->boolean()) step.regex = Regex(kGpt2Pattern);
  steps_.emplace_back(std::move(step));
}

void PreTokenizer::read_metaspace(const JsonView& view) {
  MetaspaceStep step{"\u2581", PrependScheme::always, std::nullopt};
  if (const auto replacement = view.find("replacement")) step.replacement = replacement->string();
  // Older files say it with add_prefix_space.
  const auto old_switch = view.find("add_prefix_space");
  if (old_switch && !old_switch->boolean()) step.prepend = PrependScheme::never;
  if (const auto scheme = view.find("prepend_scheme")) {
    const std::string& name = scheme->string();
    if (name != "always" && name != "first" && name != "never") {
      scheme->fail("expected always, first or never, found '{}'", name);
    }
    step.prepend = name == "always"  ? PrependScheme::always
                   : name == "first" ? PrependScheme::first
                                     : PrependScheme::never;
  }
  const auto splits = view.find("split");
  if (!splits || splits->boolean()) step.regex = Regex::literal(step.replacement);
  steps_.emplace_back(std::move(step));
}

void PreTokenizer::read_fixed_length(const JsonView& view) {
  std::size_t characters = 5;
  if (const auto length = view.find("length")) {
    const Json& value = length->value();
    if (!value.is_number_unsigned() || value == 0) {
      length->fail("expected a number of characters from 1, found {}", value.dump());
    }
    characters = value.get<std::size_t>();
  }
  steps_.emplace_back(FixedLengthStep{characters});
}

void PreTokenizer::split(std::string_view text, bool at_start, const Sink& piece) const {
  std::string storage;
  apply(0, {text, regex_view(text, storage), at_start}, piece);
}

void PreTokenizer::apply(std::size_t index, const Subject& subject, const Sink& piece) const {
  if (subject.text.empty()) return;
  if (index == steps_.size()) return piece(subject.text);
  if (const auto* step = std::get_if<SplitStep>(&steps_[index])) {
    split(index, subject, step->regex, step->behavior, step->invert, piece);
  } else if (std::holds_alternative<ByteLevelStep>(steps_[index])) {
    apply_byte_level(index, subject, piece);
  } else if (std::holds_alternative<MetaspaceStep>(steps_[index])) {
    apply_metaspace(index, subject, piece);
  } else if (std::holds_alternative<ScriptsStep>(steps_[index])) {
    go_on(index + 1, subject, script_pieces(subject.text), piece);
  } else {
    go_on(index + 1, subject, fixed_pieces(subject.text, std::get<FixedLengthStep>(steps_[index]).characters), piece);
  }
}

void PreTokenizer::go_on(std::size_t index, const Subject& subject, const std::vector<Regex::Match>& pieces,
                         const Sink& piece) const {
  for (const auto& bounds : pieces) {
    const std::size_t length = bounds.end - bounds.begin;
    apply(index,
          {subject.text.substr(bounds.begin, length), subject.view.substr(bounds.begin, length),
           subject.at_start && bounds.begin == 0},
          piece);
  }
}

void PreTokenizer::split(std::size_t index, const Subject& subject, const Regex& regex, SplitBehavior behavior,
                         bool invert, const Sink& piece) const {
  go_on(index + 1, subject, split_pieces(regex.find_all(subject.view), subject.text.size(), behavior, invert), piece);
}

void PreTokenizer::apply_byte_level(std::size_t index, Subject subject, const Sink& piece) const {
  const auto& step = std::get<ByteLevelStep>(steps_[index]);
  std::string text;
  std::string view;
  if (step.add_prefix_space && !subject.text.starts_with(' ')) {
    text = " " + std::string(subject.text);
    view = " " + std::string(subject.view);
    subject = {text, view, subject.at_start};
  }
  const auto go_on = [&](const Regex::Match& bounds) {
    const std::string bytes = to_byte_level(subject.text.substr(bounds.begin, bounds.end - bounds.begin));
    apply(index + 1, {bytes, bytes, subject.at_start && bounds.begin == 0}, piece);  // an old alphabet: its own view
  };
  if (!step.regex) return go_on({0, subject.text.size()});
  const auto matches = step.regex->find_all(subject.view);
  for (const auto& bounds : split_pieces(matches, subject.text.size(), SplitBehavior::isolated, false)) go_on(bounds);
}

void PreTokenizer::apply_metaspace(std::size_t index, const Subject& subject, const Sink& piece) const {
  const auto& step = std::get<MetaspaceStep>(steps_[index]);
  std::string text;
  for (const char c : subject.text) c == ' ' ? text.append(step.replacement) : text.append(1, c);
  const bool prepends =
      step.prepend == PrependScheme::always || (step.prepend == PrependScheme::first && subject.at_start);
  if (prepends && !text.starts_with(step.replacement)) text.insert(0, step.replacement);
  std::string storage;
  const Subject changed{text, regex_view(text, storage), subject.at_start};
  if (!step.regex) return apply(index + 1, changed, piece);
  split(index, changed, *step.regex, SplitBehavior::merged_with_next, false, piece);
}

}  // namespace specthink::inline text
