#include "specthink/text/tokenizer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/json.h"
#include "specthink/base/strings.h"
#include "text/added_vocabulary.h"
#include "text/bpe_model.h"
#include "text/json_view.h"
#include "text/nfc.h"
#include "text/pre_tokenizer.h"
#include "text/token_texts.h"

namespace specthink::inline text {
namespace {

// Whether the normalizer is NFC; none is false. The JSON parser bounds the depth.
bool read_normalizer(const std::optional<JsonView>& view) {
  if (!view) return false;
  const JsonView type = view->at("type");
  if (type.string() == "NFC") return true;
  if (type.string() != "Sequence") type.fail("expected NFC, found '{}', which is not supported", type.string());
  const auto steps = view->at("normalizers").elements();
  return std::ranges::count_if(steps, [](const JsonView& step) { return read_normalizer(step); }) > 0;
}

void check_decoder(const JsonView& view) {
  const JsonView type = view.at("type");
  if (type.string() != "ByteLevel") {
    type.fail("expected ByteLevel, found '{}': only byte-level BPE tokenizers are supported", type.string());
  }
}

// eos_token: a string, or an object with the string as `content`.
std::optional<std::string> read_eos_token(std::string_view config_json, std::string_view source) {
  if (config_json.empty()) return std::nullopt;
  const Json config = parse_json(config_json, source);
  const auto eos = JsonView(config, source).find("eos_token");
  if (!eos) return std::nullopt;
  return eos->value().is_object() ? eos->at("content").string() : eos->string();
}

std::string quoted(const BpeModel& model, TokenId id) {
  for (const auto& [token, token_id] : model.vocabulary()) {
    if (token_id == id) return fmt::format("'{}'", token);
  }
  return fmt::format("id {}", id);
}

std::string first_vocabulary_difference(const Vocabulary& mine, const Vocabulary& other) {
  std::vector<std::pair<TokenId, std::string_view>> tokens;
  for (const auto& [token, id] : mine) tokens.emplace_back(id, token);
  std::ranges::sort(tokens);
  for (const auto& [id, token] : tokens) {
    const auto entry = other.find(std::string(token));
    if (entry == other.end()) return fmt::format("token '{}' (id {}) is only in one vocabulary", token, id);
    if (entry->second != id) return fmt::format("token '{}' has id {} and id {}", token, id, entry->second);
  }
  if (mine.size() != other.size())
    return fmt::format("the vocabularies have {} and {} tokens", mine.size(), other.size());
  return {};
}

}  // namespace

struct Tokenizer::Impl {
  Impl(const JsonView& json, std::string_view config_json, std::string_view config_source)
      : normalize(read_normalizer(json.find("normalizer"))),
        pre_tokenizer(json.at("pre_tokenizer")),
        model(json.at("model")),
        added(json.find("added_tokens"), model, normalize),
        texts(model, added) {
    check_decoder(json.at("decoder"));
    if (const auto eos_token = read_eos_token(config_json, config_source)) {
      eos = token_id(*eos_token);
      if (!eos) {
        throw UserError("{}: eos_token: '{}' is neither in the vocabulary nor among the added tokens", config_source,
                        *eos_token);
      }
    }
  }

  std::optional<TokenId> token_id(const std::string& content) const {
    if (const auto id = added.id(content)) return id;
    const auto entry = model.vocabulary().find(content);
    if (entry == model.vocabulary().end()) return std::nullopt;
    return entry->second;
  }

  bool normalize;
  PreTokenizer pre_tokenizer;
  BpeModel model;
  AddedVocabulary added;
  TokenTexts texts;
  std::optional<TokenId> eos;
};

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::load(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "tokenizer.json";
  const std::filesystem::path config_path = folder / "tokenizer_config.json";
  if (!std::filesystem::exists(path)) {
    throw UserError("{} is missing: the model folder must hold a Hugging Face tokenizer", path.string());
  }
  const Json json = read_json(path);
  const std::string config = std::filesystem::exists(config_path) ? read_file(config_path) : "";
  return Tokenizer(std::make_unique<Impl>(JsonView(json, path.native()), config, config_path.native()));
}

Tokenizer Tokenizer::parse(std::string_view tokenizer_json, std::string_view config_json, std::string_view source) {
  const Json json = parse_json(tokenizer_json, source);
  return Tokenizer(std::make_unique<Impl>(JsonView(json, source), config_json, source));
}

TokenIds Tokenizer::encode(std::string_view text) const {
  std::string repaired;
  if (valid_utf8_prefix(text) != text.size()) {
    repaired = replace_invalid_utf8(text);
    text = repaired;
  }
  TokenIds ids;
  const auto encode_piece = [&](std::string_view piece) { impl_->model.encode(piece, ids); };
  for (const auto& section : impl_->added.split(text, /*normalized=*/false)) {
    if (section.id) {
      ids.push_back(*section.id);
      continue;
    }
    const std::string normalized = impl_->normalize ? normalize_nfc(section.text) : std::string(section.text);
    for (const auto& part : impl_->added.split(normalized, /*normalized=*/true)) {
      if (part.id) {
        ids.push_back(*part.id);
      } else {
        impl_->pre_tokenizer.split(part.text, encode_piece);
      }
    }
  }
  return ids;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special_tokens) const {
  std::string bytes;
  for (const TokenId id : ids) {
    if (!skip_special_tokens || !is_special(id)) bytes += impl_->texts.bytes(id);
  }
  return replace_invalid_utf8(bytes);
}

std::string_view Tokenizer::bytes(TokenId id) const {
  return is_special(id) ? std::string_view() : impl_->texts.bytes(id);
}

bool Tokenizer::is_special(TokenId id) const { return impl_->texts.is_special(id); }

std::optional<TokenId> Tokenizer::token_id(std::string_view content) const {
  return impl_->token_id(std::string(content));
}

std::size_t Tokenizer::size() const { return impl_->texts.size(); }

std::optional<TokenId> Tokenizer::eos_token_id() const { return impl_->eos; }

std::string Tokenizer::base_difference(const Tokenizer& other) const {
  const BpeModel& mine = impl_->model;
  const BpeModel& theirs = other.impl_->model;
  std::string difference = first_vocabulary_difference(mine.vocabulary(), theirs.vocabulary());
  if (!difference.empty()) return difference;
  const auto [a, b] = std::ranges::mismatch(mine.merges(), theirs.merges());
  if (a != mine.merges().end() && b != theirs.merges().end()) {
    return fmt::format("merge {} joins {} and {} in one, {} and {} in the other", a - mine.merges().begin(),
                       quoted(mine, a->left), quoted(mine, a->right), quoted(mine, b->left), quoted(mine, b->right));
  }
  if (mine.merges().size() != theirs.merges().size()) {
    return fmt::format("the tokenizers have {} and {} merges", mine.merges().size(), theirs.merges().size());
  }
  return {};
}

bool Tokenizer::same_added_tokens(const Tokenizer& other) const {
  return impl_->added.tokens() == other.impl_->added.tokens();
}

}  // namespace specthink::inline text
