#include "text/pipeline/normalizer.h"

#include <array>
#include <utility>

#include "specthink/base/lowercase.h"
#include "specthink/base/utf8.h"
#include "text/pipeline/patterns.h"
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
    steps_.emplace_back(Replace{Regex(R"(\p{M})"), ""});
  } else {
    type.fail(
        "expected NFC, NFD, NFKC, NFKD, Lowercase, Prepend, Replace, Strip, StripAccents or Sequence, found '{}', "
        "which is not supported",
        name);
  }
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
  const auto& strip = std::get<Strip>(step);
  if (strip.left) text.remove_prefix(leading_space(text));
  if (strip.right) text.remove_suffix(trailing_space(text));
  return std::string(text);
}

}  // namespace specthink::inline text
