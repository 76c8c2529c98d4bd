#include "text/pipeline/normalizer.h"

#include <utf8proc.h>

#include <array>
#include <utility>

#include "specthink/base/lowercase.h"
#include "specthink/base/utf8.h"
#include "text/byte_level.h"
#include "text/pipeline/patterns.h"
#include "text/unicode_versions.h"
#include "text/white_space.h"

namespace specthink::inline text {
namespace {

constexpr std::array<std::pair<std::string_view, UnicodeForm>, 4> kForms{
    {{"NFC", UnicodeForm::nfc}, {"NFD", UnicodeForm::nfd}, {"NFKC", UnicodeForm::nfkc}, {"NFKD", UnicodeForm::nfkd}}};

// Each character for itself: the reference knows no final sigma.
std::string lowercase_each(std::string_view text) {
  std::string result;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t length = next_utf8(rest).length;
    result += lowercase(rest.substr(0, length));
    rest.remove_prefix(length);
  }
  return result;
}

bool is_in(char32_t code, char32_t first, char32_t last) { return code >= first && code <= last; }

bool is_newer_format_character(char32_t code) {
  return is_in(code, 0x890, 0x891) || code == 0x8E2 || code == 0x110CD || is_in(code, 0x13430, 0x1343F);
}

// Control, format and private characters fall away, white space becomes a blank.
void append_clean(char32_t code, std::string& result) {
  const bool breaks = code == '\t' || code == '\n' || code == '\r';
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(code));
  const bool is_other = category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CO ||
                        (category == UTF8PROC_CATEGORY_CF && !is_newer_format_character(code));
  if (code == 0xFFFD || (is_other && !breaks)) return;
  append_utf8(result, is_white_space(code) ? U' ' : code);
}

void append_spaced_han(char32_t code, std::string& result) {
  const bool is_han = is_in(code, 0x4E00, 0x9FFF) || is_in(code, 0x3400, 0x4DBF) || is_in(code, 0x20000, 0x2A6DF) ||
                      is_in(code, 0x2A700, 0x2B81F) || is_in(code, 0x2B920, 0x2CEAF) || is_in(code, 0xF900, 0xFAFF) ||
                      is_in(code, 0x2F800, 0x2FA1F);
  if (is_han) result += ' ';
  append_utf8(result, code);
  if (is_han) result += ' ';
}

void append_nmt(char32_t code, std::string& result) {
  if (is_in(code, 0x1, 0x8) || code == 0xB || is_in(code, 0xE, 0x1F) || code == 0x7F || code == 0x8F || code == 0x9F) {
    return;
  }
  const bool is_blank = is_in(code, 0x9, 0xD) || code == 0x1680 || is_in(code, 0x200B, 0x200F) ||
                        is_in(code, 0x2028, 0x2029) || code == 0x2581 || code == 0xFEFF || code == 0xFFFD;
  append_utf8(result, is_blank ? U' ' : code);
}

// Marks that Unicode has had since version 9; the reference does not know later ones.
void append_without_marks(char32_t code, bool nonspacing_alone, std::string& result) {
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(code));
  const bool is_other_mark = category == UTF8PROC_CATEGORY_MC || category == UTF8PROC_CATEGORY_ME;
  const bool is_mark = category == UTF8PROC_CATEGORY_MN || (is_other_mark && !nonspacing_alone);
  if (!is_mark || inert_in_reference_nfc(code)) append_utf8(result, code);
}

template <typename Append>
std::string each_character(std::string_view text, Append&& append) {
  std::string result;
  for (std::string_view rest = text; !rest.empty();) {
    const Utf8Char character = next_utf8(rest);
    append(character.code, result);
    rest.remove_prefix(character.length);
  }
  return result;
}

}  // namespace

Normalizer::Normalizer(const std::optional<JsonView>& view) {
  if (view) read(*view);
}

void Normalizer::read(const JsonView& view) {
  const JsonView type = view.at("type");
  const std::string& name = type.string();
  for (const auto& [form_name, form] : kForms) {
    if (name == form_name) return steps_.push_back(form);
  }
  if (name == "Sequence") {
    for (const JsonView& step : view.at("normalizers").elements()) read(step);
  } else if (name == "Lowercase") {
    steps_.emplace_back(Lowercase{});
  } else if (name == "Prepend") {
    steps_.emplace_back(Prepend{view.at("prepend").string()});
  } else if (name == "Replace") {
    steps_.emplace_back(Replace{read_pattern(view.at("pattern")), view.at("content").string()});
  } else if (name == "Strip") {
    steps_.emplace_back(Strip{view.at("strip_left").boolean(), view.at("strip_right").boolean()});
  } else if (name == "StripAccents") {
    steps_.emplace_back(StripAccents{false});
  } else if (name == "BertNormalizer") {
    read_bert(view);
  } else if (name == "Nmt") {
    steps_.emplace_back(Characters{append_nmt});
  } else if (name == "ByteLevel") {
    steps_.emplace_back(ByteLevel{});
  } else {
    type.fail(
        "expected NFC, NFD, NFKC, NFKD, Lowercase, Prepend, Replace, Strip, StripAccents, BertNormalizer, Nmt, ByteLevel "
        "or Sequence, found '{}', which is not supported",
        name);
  }
}

void Normalizer::read_bert(const JsonView& view) {
  const bool lowercases = view.at("lowercase").boolean();
  const auto strips = view.find("strip_accents");
  if (view.at("clean_text").boolean()) steps_.emplace_back(Characters{append_clean});
  if (view.at("handle_chinese_chars").boolean()) steps_.emplace_back(Characters{append_spaced_han});
  if (strips ? strips->boolean() : lowercases) {
    steps_.emplace_back(UnicodeForm::nfd);
    steps_.emplace_back(StripAccents{true});
  }
  if (lowercases) steps_.emplace_back(Lowercase{});
}

std::string Normalizer::apply(std::string_view text) const {
  std::string result(text);
  for (const Step& step : steps_) {
    if (!result.empty()) result = apply(step, result);
  }
  return result;
}

std::string Normalizer::apply(const Step& step, std::string_view text) {
  if (const auto* form = std::get_if<UnicodeForm>(&step)) return normalize(text, *form);
  if (std::holds_alternative<Lowercase>(step)) return lowercase_each(text);
  if (const auto* prepend = std::get_if<Prepend>(&step)) return prepend->content + std::string(text);
  if (const auto* replace = std::get_if<Replace>(&step)) return replace_all(replace->pattern, text, replace->content);
  if (const auto* characters = std::get_if<Characters>(&step)) return each_character(text, characters->append);
  if (std::holds_alternative<ByteLevel>(step)) return to_byte_level(text);
  if (const auto* accents = std::get_if<StripAccents>(&step)) {
    return each_character(
        text, [&](char32_t code, std::string& result) { append_without_marks(code, accents->of_bert, result); });
  }
  const auto& strip = std::get<Strip>(step);
  if (strip.left) text.remove_prefix(leading_space(text));
  if (strip.right) text.remove_suffix(trailing_space(text));
  return std::string(text);
}

}  // namespace specthink::inline text
