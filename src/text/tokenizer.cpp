#include "specthink/text/tokenizer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "specthink/base/error.h"
#include "specthink/base/json.h"
#include "specthink/base/strings.h"
#include "text/added_vocabulary.h"
#include "text/bpe_model.h"
#include "text/files/tokenizer_files.h"
#include "text/json_view.h"
#include "text/pipeline/decoder.h"
#include "text/pipeline/normalizer.h"
#include "text/pipeline/post_processor.h"
#include "text/pipeline/pre_tokenizer.h"
#include "text/token_texts.h"

namespace specthink::inline text {
namespace {

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
  explicit Impl(const TokenizerFiles& files) : Impl(files, JsonView(files.tokenizer, files.source)) {}

  Impl(const TokenizerFiles& files, const JsonView& json)
      : normalizer(json.find("normalizer")),
        pre_tokenizer(json.find("pre_tokenizer")),
        model(json.at("model")),
        added(json.find("added_tokens"), files.added, model,
              [this](std::string_view content) { return normalizer.apply(content); }),
        decoder(json.find("decoder")),
        texts(model, added, decoder),
        frame(read_post_processor(json.find("post_processor"))) {
    for (const auto& [name, content] : files.named) {
      if (name == "eos_token") eos = token_id(content);
    }
  }

  std::optional<TokenId> token_id(const std::string& content) const {
    if (const auto id = added.id(content)) return id;
    const auto entry = model.vocabulary().find(content);
    if (entry == model.vocabulary().end()) return std::nullopt;
    return entry->second;
  }

  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  BpeModel model;
  AddedVocabulary added;
  Decoder decoder;
  TokenTexts texts;
  SpecialFrame frame;
  std::optional<TokenId> eos;
};

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

bool Tokenizer::is_in(const std::filesystem::path& folder) {
  std::error_code ignored;
  const auto has = [&](const char* name) { return std::filesystem::exists(folder / name, ignored); };
  return has("tokenizer.json") || (has("vocab.json") && has("merges.txt"));
}

Tokenizer Tokenizer::load(const std::filesystem::path& folder) {
  return Tokenizer(std::make_unique<Impl>(TokenizerFiles::read(folder)));
}

Tokenizer Tokenizer::parse(std::string_view tokenizer_json, std::string_view config_json, std::string_view source) {
  return Tokenizer(std::make_unique<Impl>(TokenizerFiles::parse(tokenizer_json, config_json, source)));
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
    const std::string normalized = impl_->normalizer.apply(section.text);
    const bool at_start = section.text.data() == text.data();
    for (const auto& part : impl_->added.split(normalized, /*normalized=*/true)) {
      if (part.id) {
        ids.push_back(*part.id);
      } else {
        impl_->pre_tokenizer.split(part.text, at_start && part.text.data() == normalized.data(), encode_piece);
      }
    }
  }
  return ids;
}

TokenIds Tokenizer::encode_framed(std::string_view text) const {
  TokenIds ids = impl_->frame.before;
  const TokenIds inner = encode(text);
  ids.insert(ids.end(), inner.begin(), inner.end());
  ids.insert(ids.end(), impl_->frame.after.begin(), impl_->frame.after.end());
  return ids;
}

TokenIds Tokenizer::encode_with_start(std::string_view text) const {
  TokenIds ids = encode(text);
  const TokenIds& before = impl_->frame.before;
  const bool is_there = ids.size() >= before.size() && std::equal(before.begin(), before.end(), ids.begin());
  if (!is_there) ids.insert(ids.begin(), before.begin(), before.end());
  return ids;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special_tokens) const {
  const bool joins_bytes = impl_->decoder.joins_bytes();
  std::string bytes;
  std::vector<std::string> tokens;
  for (const TokenId id : ids) {
    if (skip_special_tokens && is_special(id)) continue;
    if (joins_bytes) {
      bytes += impl_->texts.bytes(id);
    } else if (const auto token = impl_->texts.token(id)) {
      tokens.emplace_back(*token);
    }
  }
  return joins_bytes ? replace_invalid_utf8(bytes) : impl_->decoder.decode(std::move(tokens));
}

int Tokenizer::leading_strip() const { return impl_->decoder.leading_strip(); }

std::string_view Tokenizer::stripped() const { return impl_->decoder.stripped(); }

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
