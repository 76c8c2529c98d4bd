#include "text/pipeline/decoder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <numeric>
#include <utility>

#include "specthink/base/strings.h"
#include "text/byte_level.h"
#include "text/pipeline/patterns.h"

namespace specthink::inline text {
namespace {

constexpr std::string_view kReplacementCharacter = "\uFFFD";

using Tokens = std::vector<std::string>;

std::string joined(const Tokens& tokens) { return std::accumulate(tokens.begin(), tokens.end(), std::string()); }

void replace_text(std::string& text, std::string_view old, std::string_view content) {
  if (old.empty()) return;
  for (std::size_t at = text.find(old); at != text.npos; at = text.find(old, at + content.size())) {
    text.replace(at, old.size(), content);
  }
}

// The byte that <0x0A> stands for.
std::optional<char> byte_of(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
  std::uint8_t byte = 0;
  const auto [end, error] = std::from_chars(token.data() + 3, token.data() + 5, byte, 16);
  if (error != std::errc() || end != token.data() + 5) return std::nullopt;
  return static_cast<char>(byte);
}

// Bytes in a row are text together, or each of them is none.
Tokens with_bytes_joined(Tokens tokens) {
  Tokens result;
  std::string bytes;
  const auto flush = [&] {
    if (valid_utf8_prefix(bytes) == bytes.size()) {
      if (!bytes.empty()) result.push_back(bytes);
    } else {
      for (std::size_t i = 0; i < bytes.size(); ++i) result.emplace_back(kReplacementCharacter);
    }
    bytes.clear();
  };
  for (std::string& token : tokens) {
    if (const auto byte = byte_of(token)) {
      bytes.push_back(*byte);
      continue;
    }
    flush();
    result.push_back(std::move(token));
  }
  flush();
  return result;
}

// English as it is written, each token for itself.
std::string cleaned(std::string text) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kReplacements{{
      {" .", "."},
      {" ?", "?"},
      {" !", "!"},
      {" ,", ","},
      {" ' ", "'"},
      {" n't", "n't"},
      {" 'm", "'m"},
      {" do not", " don't"},
      {" 's", "'s"},
      {" 've", "'ve"},
      {" 're", "'re"},
  }};
  for (const auto& [old, content] : kReplacements) replace_text(text, old, content);
  return text;
}

std::string stripped_text(std::string_view text, std::string_view character, int start, int stop) {
  for (int i = 0; i < start && text.starts_with(character); ++i) text.remove_prefix(character.size());
  for (int i = 0; i < stop && text.ends_with(character); ++i) text.remove_suffix(character.size());
  return std::string(text);
}

int read_count(const JsonView& view) {
  const Json& count = view.value();
  if (!count.is_number_unsigned() || count.get<std::uint64_t>() > 1000) {
    view.fail("expected a number from 0 to 1000, found {}", count.dump());
  }
  return count.get<int>();
}

}  // namespace

Decoder::Decoder(const std::optional<JsonView>& view) : joins_with_spaces_(!view) {
  if (view) read(*view);
  find_leading_strip();
}

void Decoder::read(const JsonView& view) {
  const JsonView type = view.at("type");
  const std::string& name = type.string();
  if (name == "Sequence") {
    for (const JsonView& step : view.at("decoders").elements()) read(step);
  } else if (name == "ByteLevel") {
    steps_.emplace_back(ByteLevel{});
  } else if (name == "ByteFallback") {
    steps_.emplace_back(ByteFallback{});
  } else if (name == "Fuse") {
    steps_.emplace_back(Fuse{});
  } else if (name == "BPEDecoder") {
    const auto suffix = view.find("suffix");
    steps_.emplace_back(Suffix{suffix ? suffix->string() : "</w>"});
  } else if (name == "Metaspace") {
    const auto replacement = view.find("replacement");
    const auto scheme = view.find("prepend_scheme");
    const auto old_switch = view.find("add_prefix_space");
    const bool never = scheme ? scheme->string() == "never" : old_switch && !old_switch->boolean();
    steps_.emplace_back(Metaspace{replacement ? replacement->string() : "\u2581", !never});
  } else if (name == "WordPiece") {
    const auto prefix = view.find("prefix");
    const auto cleanup = view.find("cleanup");
    steps_.emplace_back(WordPiece{prefix ? prefix->string() : "##", !cleanup || cleanup->boolean()});
  } else if (name == "Replace") {
    steps_.emplace_back(Replace{read_pattern(view.at("pattern")), view.at("content").string()});
  } else if (name == "Strip") {
    steps_.emplace_back(Strip{view.at("content").string(), read_count(view.at("start")), read_count(view.at("stop"))});
  } else {
    type.fail(
        "expected ByteLevel, BPEDecoder, ByteFallback, Fuse, Metaspace, Replace, Strip, WordPiece or Sequence, found "
        "'{}', which is not supported",
        name);
  }
}

void Decoder::find_leading_strip() {
  bool fused = false;
  for (const Step& step : steps_) {
    fused |= std::holds_alternative<Fuse>(step) || std::holds_alternative<ByteLevel>(step);
    const auto* metaspace = std::get_if<Metaspace>(&step);
    const auto* strip = std::get_if<Strip>(&step);
    const bool puts_blanks = std::holds_alternative<WordPiece>(step) || (metaspace && metaspace->drops_first);
    if (puts_blanks && !fused) {
      leading_strip_ = 1;
      stripped_ = " ";
    } else if (strip && fused && strip->start > 0) {
      leading_strip_ = strip->start;
      stripped_ = strip->character;
    }
  }
}

// What a token that is not the first one adds.
std::string Decoder::WordPiece::text(std::string_view token) const {
  std::string text = token.starts_with(prefix) ? std::string(token.substr(prefix.size())) : " " + std::string(token);
  return cleanup ? cleaned(std::move(text)) : text;
}

bool Decoder::joins_bytes() const { return steps_.size() == 1 && std::holds_alternative<ByteLevel>(steps_.front()); }

std::vector<std::string> Decoder::apply(const Step& step, std::vector<std::string> tokens) {
  if (std::holds_alternative<ByteFallback>(step)) return with_bytes_joined(std::move(tokens));
  if (std::holds_alternative<Fuse>(step)) return {joined(tokens)};
  if (std::holds_alternative<ByteLevel>(step)) {
    for (std::string& token : tokens) token = from_byte_level(token).value_or(token);
    return {replace_invalid_utf8(joined(tokens))};
  }
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    std::string& token = tokens[i];
    if (const auto* suffix = std::get_if<Suffix>(&step)) {
      replace_text(token, suffix->text, i + 1 == tokens.size() ? "" : " ");
    } else if (const auto* metaspace = std::get_if<Metaspace>(&step)) {
      replace_text(token, metaspace->replacement, i == 0 && metaspace->drops_first ? "" : " ");
    } else if (const auto* word_piece = std::get_if<WordPiece>(&step)) {
      token = i > 0 ? word_piece->text(token) : word_piece->cleanup ? cleaned(token) : token;
    } else if (const auto* replace = std::get_if<Replace>(&step)) {
      token = replace_all(replace->pattern, token, replace->content);
    } else if (const auto* strip = std::get_if<Strip>(&step)) {
      token = stripped_text(token, strip->character, strip->start, strip->stop);
    }
  }
  return tokens;
}

std::string Decoder::decode(std::vector<std::string> tokens) const {
  if (joins_with_spaces_) return fmt::format("{}", fmt::join(tokens, " "));
  for (const Step& step : steps_) tokens = apply(step, std::move(tokens));
  return joined(tokens);
}

std::string Decoder::token_bytes(std::string_view token) const {
  std::string text(token);
  for (const Step& step : steps_) {
    if (std::holds_alternative<Fuse>(step)) break;  // what follows is about the whole text
    if (std::holds_alternative<ByteLevel>(step)) return from_byte_level(text).value_or(text);
    if (std::holds_alternative<ByteFallback>(step)) {
      if (const auto byte = byte_of(text)) return std::string(1, *byte);
    } else if (const auto* suffix = std::get_if<Suffix>(&step)) {
      replace_text(text, suffix->text, " ");
    } else if (const auto* metaspace = std::get_if<Metaspace>(&step)) {
      replace_text(text, metaspace->replacement, " ");
    } else if (const auto* word_piece = std::get_if<WordPiece>(&step)) {
      text = word_piece->text(text);
    } else {
      text = joined(apply(step, {text}));
    }
  }
  return text;
}

}  // namespace specthink::inline text
