#include "text/bpe_model.h"

#include <algorithm>
#include <mutex>
#include <unordered_set>
#include <utility>

#include "specthink/base/utf8.h"

namespace specthink::inline text {
namespace {

bool flag(const JsonView& model, std::string_view key) {
  const auto member = model.find(key);
  return member && member->boolean();
}

std::string affix(const JsonView& model, std::string_view key) {
  const auto member = model.find(key);
  return member ? member->string() : "";
}

// `model` itself, when nothing in it asks for another kind of tokenizer.
const JsonView& checked(const JsonView& model) {
  if (const auto type = model.find("type"); type && type->string() != "BPE") {
    type->fail("expected BPE, found {}: only BPE tokenizers are supported", type->string());
  }
  if (const auto dropout = model.find("dropout"); dropout && dropout->value() != 0) {
    dropout->fail("expected null or 0, found {}: random tokenization is not supported", dropout->value().dump());
  }
  return model;
}

Vocabulary read_vocabulary(const JsonView& view) {
  Vocabulary vocabulary;
  vocabulary.reserve(view.object().size());
  std::vector<const std::string*> token_of_id;
  for (const auto& [token, id] : view.object().items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > static_cast<std::uint64_t>(BpeModel::kMaxId)) {
      view.fail("the id of '{}' must be a whole number from 0 to {}, found {}", token, BpeModel::kMaxId, id.dump());
    }
    const auto index = id.get<std::size_t>();
    if (index >= token_of_id.size()) token_of_id.resize(index + 1, nullptr);
    const auto entry = vocabulary.emplace(token, static_cast<TokenId>(index)).first;
    if (token_of_id[index]) view.fail("id {} belongs to '{}' and '{}'", index, *token_of_id[index], token);
    token_of_id[index] = &entry->first;
  }
  return vocabulary;
}

// "a b" or ["a", "b"]
std::pair<std::string, std::string> read_pair(const Json& merge, const JsonView& view, std::size_t index) {
  if (merge.is_string()) {
    const auto& text = merge.get_ref<const std::string&>();
    const std::size_t space = text.find(' ');
    if (space != std::string::npos && text.find(' ', space + 1) == std::string::npos) {
      return {text.substr(0, space), text.substr(space + 1)};
    }
  } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  }
  view.fail("merge {} must be a pair such as \"a b\" or [\"a\", \"b\"], found {}", index, merge.dump().substr(0, 80));
}

// `prefix` stands before tokens inside a word, and falls away when they are joined to what is before them.
std::vector<MergeRule> read_merges(const JsonView& view, const Vocabulary& vocabulary, const std::string& prefix) {
  std::vector<MergeRule> rules;
  rules.reserve(view.list().size());
  std::size_t index = 0;
  for (const Json& merge : view.list()) {
    const bool is_version = merge.is_string() && merge.get_ref<const std::string&>().starts_with("#version");
    if (!is_version) {
      const auto pair = read_pair(merge, view, index);
      const std::string& left = pair.first;
      const std::string& right = pair.second;
      const auto id = [&](const std::string& token) {
        const auto entry = vocabulary.find(token);
        if (entry == vocabulary.end()) {
          view.fail("merge {} ('{}' and '{}') needs '{}', which is not in the vocabulary", index, left, right, token);
        }
        return entry->second;
      };
      rules.push_back({id(left), id(right), id(left + right.substr(std::min(prefix.size(), right.size())))});
    }
    ++index;
  }
  return rules;
}

}  // namespace

// Text repeats its words; a hit saves the merging.
class BpeModel::WordCache {
 public:
  bool get(std::string_view word, TokenIds& ids) {
    const std::lock_guard lock(mutex_);
    const auto entry = words_.find(word);
    if (entry == words_.end()) return false;
    ids.insert(ids.end(), entry->second.begin(), entry->second.end());
    return true;
  }

  void put(std::string_view word, const TokenIds& ids) {
    if (word.size() > kMaxWordBytes) return;
    const std::lock_guard lock(mutex_);
    if (words_.size() >= kMaxWords) words_.clear();
    words_.emplace(word, ids);
  }

 private:
  static constexpr std::size_t kMaxWords = 1 << 15;
  static constexpr std::size_t kMaxWordBytes = 256;

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view word) const { return std::hash<std::string_view>()(word); }
  };

  std::mutex mutex_;
  std::unordered_map<std::string, TokenIds, Hash, std::equal_to<>> words_;
};

BpeModel::BpeModel(const JsonView& model)
    : continuing_prefix_(affix(checked(model), "continuing_subword_prefix")),
      word_suffix_(affix(model, "end_of_word_suffix")),
      vocabulary_(read_vocabulary(model.at("vocab"))),
      merges_(read_merges(model.at("merges"), vocabulary_, continuing_prefix_)),
      table_(merges_),
      fuse_unknown_(flag(model, "fuse_unk")),
      byte_fallback_(flag(model, "byte_fallback")),
      ignore_merges_(flag(model, "ignore_merges")),
      cache_(std::make_unique<WordCache>()) {
  for (const auto& [token, id] : vocabulary_) ids_.insert(id);
  if (const auto token = model.find("unk_token")) unknown_ = token->string();
  for (std::size_t code = 0; code < kCommonCharacters; ++code) {
    std::string character;
    append_utf8(character, static_cast<char32_t>(code));
    character_tokens_[code] = find(character);
  }
}

BpeModel::BpeModel(BpeModel&&) noexcept = default;
BpeModel& BpeModel::operator=(BpeModel&&) noexcept = default;
BpeModel::~BpeModel() = default;

std::optional<TokenId> BpeModel::find(const std::string& token) const {
  const auto entry = vocabulary_.find(token);
  if (entry == vocabulary_.end()) return std::nullopt;
  return entry->second;
}

void BpeModel::encode(std::string_view piece, TokenIds& ids) const {
  if (piece.empty() || cache_->get(piece, ids)) return;
  TokenIds word;
  const auto whole = ignore_merges_ ? find(std::string(piece)) : std::nullopt;
  if (whole) {
    word = {*whole};
  } else {
    word = merge(piece);
  }
  ids.insert(ids.end(), word.begin(), word.end());
  cache_->put(piece, word);
}

std::string BpeModel::with_affixes(std::string_view character, bool is_first, bool is_last) const {
  std::string token = is_first ? "" : continuing_prefix_;
  token += character;
  if (is_last) token += word_suffix_;
  return token;
}

// Appends the tokens of the character's bytes, if there is one for each.
bool BpeModel::append_bytes(std::string_view character, TokenIds& symbols) const {
  TokenIds tokens;
  for (const char byte : character) {
    const auto token = find(fmt::format("<0x{:02X}>", static_cast<std::uint8_t>(byte)));
    if (!token) return false;
    tokens.push_back(*token);
  }
  symbols.insert(symbols.end(), tokens.begin(), tokens.end());
  return true;
}

TokenId BpeModel::unknown_token() const {
  if (const auto id = find(*unknown_)) return *id;
  throw UserError(
      "the text has a character that the tokenizer does not know, and its unk_token '{}' is not in the vocabulary",
      *unknown_);
}

TokenIds BpeModel::first_symbols(std::string_view piece) const {
  TokenIds symbols;
  symbols.reserve(piece.size());
  std::optional<TokenId> pending;  // an unknown token, written when the next known one comes: so does the reference
  for (std::size_t at = 0; at < piece.size();) {
    const Utf8Char next = next_utf8(piece.substr(at));
    const std::string_view character = piece.substr(at, next.length);
    const bool is_first = at == 0;
    at += next.length;
    const bool is_plain = continuing_prefix_.empty() && word_suffix_.empty();
    std::optional<TokenId> token;
    if (is_plain && next.code < kCommonCharacters) {
      token = character_tokens_[next.code];
    } else {
      token = find(with_affixes(character, is_first, at == piece.size()));
    }
    if (token) {
      if (pending) symbols.push_back(*std::exchange(pending, std::nullopt));
      symbols.push_back(*token);
    } else if (byte_fallback_ && append_bytes(with_affixes(character, is_first, at == piece.size()), symbols)) {
      continue;
    } else if (unknown_) {
      if (pending && !fuse_unknown_) symbols.push_back(*pending);
      pending = unknown_token();
    }
  }
  if (pending) symbols.push_back(*pending);
  return symbols;
}

// The reference's algorithm, with its order of events: candidates are taken by rank, then position, and one that has
// been overtaken still counts when the pair now at its place has the same result.
TokenIds BpeModel::merge(std::string_view piece) const {
  constexpr std::size_t kNone = SIZE_MAX;
  struct Symbol {
    TokenId id;
    bool merged_away;
    std::size_t previous;
    std::size_t next;
  };
  struct Candidate {
    std::uint32_t rank;
    TokenId result;
    std::size_t position;  // of the left symbol
  };
  const auto later = [](const Candidate& a, const Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
  };

  TokenIds ids = first_symbols(piece);
  std::vector<Symbol> symbols(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    symbols[i] = {ids[i], false, i == 0 ? kNone : i - 1, i + 1 == ids.size() ? kNone : i + 1};
  }

  std::vector<Candidate> heap;
  heap.reserve(symbols.size());
  const auto add = [&](std::size_t left) {
    const std::size_t right = left == kNone ? kNone : symbols[left].next;
    if (right == kNone) return false;
    const MergeTable::Entry* rule = table_.find(symbols[left].id, symbols[right].id);
    if (rule) heap.push_back({rule->rank, rule->result, left});
    return rule != nullptr;
  };
  for (std::size_t i = 0; i < symbols.size(); ++i) add(i);
  std::ranges::make_heap(heap, later);

  while (!heap.empty()) {
    std::ranges::pop_heap(heap, later);
    const Candidate top = heap.back();
    heap.pop_back();
    Symbol& left = symbols[top.position];
    if (left.merged_away || left.next == kNone) continue;
    Symbol& right = symbols[left.next];
    const MergeTable::Entry* rule = table_.find(left.id, right.id);
    if (!rule || rule->result != top.result) continue;

    left.id = top.result;
    left.next = right.next;
    right.merged_away = true;
    if (left.next != kNone) symbols[left.next].previous = top.position;
    if (add(left.previous)) std::ranges::push_heap(heap, later);
    if (add(top.position)) std::ranges::push_heap(heap, later);
  }

  ids.clear();
  for (const Symbol& symbol : symbols) {
    if (!symbol.merged_away) ids.push_back(symbol.id);
  }
  return ids;
}

}  // namespace specthink::inline text
