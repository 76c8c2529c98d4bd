#include "text/bpe_model.h"

#include <algorithm>
#include <mutex>
#include <unordered_set>
#include <utility>

#include "text/byte_level.h"

namespace specthink::inline text {
namespace {

bool flag(const JsonView& model, std::string_view key) {
  const auto member = model.find(key);
  return member && member->boolean();
}

// `model` itself, when nothing in it asks for another kind of tokenizer.
const JsonView& checked(const JsonView& model) {
  if (const auto type = model.find("type"); type && type->string() != "BPE") {
    type->fail("expected BPE, found {}: only byte-level BPE tokenizers are supported", type->string());
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (const auto affix = model.find(key); affix && !affix->string().empty()) {
      affix->fail("expected none, found '{}': affixes are not supported", affix->string());
    }
  }
  if (flag(model, "byte_fallback")) {
    model.find("byte_fallback")->fail("expected false, found true: only byte-level BPE tokenizers are supported");
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

std::vector<MergeRule> read_merges(const JsonView& view, const Vocabulary& vocabulary) {
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
      rules.push_back({id(left), id(right), id(left + right)});
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
    : vocabulary_(read_vocabulary(checked(model).at("vocab"))),
      merges_(read_merges(model.at("merges"), vocabulary_)),
      table_(merges_),
      ignore_merges_(flag(model, "ignore_merges")),
      cache_(std::make_unique<WordCache>()) {
  for (std::size_t byte = 0; byte < byte_tokens_.size(); ++byte) {
    const char c = static_cast<char>(byte);
    const auto entry = vocabulary_.find(to_byte_level(std::string_view(&c, 1)));
    if (entry != vocabulary_.end()) byte_tokens_[byte] = entry->second;
  }
  read_unknown_token(model);
}

BpeModel::BpeModel(BpeModel&&) noexcept = default;
BpeModel& BpeModel::operator=(BpeModel&&) noexcept = default;
BpeModel::~BpeModel() = default;

void BpeModel::read_unknown_token(const JsonView& model) {
  fuse_unknown_ = flag(model, "fuse_unk");
  const auto token = model.find("unk_token");
  if (!token) return;
  const auto entry = vocabulary_.find(token->string());
  if (entry == vocabulary_.end()) token->fail("'{}' is not in the vocabulary", token->string());
  unknown_ = entry->second;
}

void BpeModel::encode(std::string_view bytes, TokenIds& ids) const {
  if (bytes.empty() || cache_->get(bytes, ids)) return;
  TokenIds word;
  const auto whole = ignore_merges_ ? vocabulary_.find(to_byte_level(bytes)) : vocabulary_.end();
  if (whole != vocabulary_.end()) {
    word = {whole->second};
  } else {
    word = merge(bytes);
  }
  ids.insert(ids.end(), word.begin(), word.end());
  cache_->put(bytes, word);
}

TokenIds BpeModel::first_symbols(std::string_view bytes) const {
  TokenIds symbols;
  symbols.reserve(bytes.size());
  bool after_unknown = false;
  for (const char byte : bytes) {
    const auto token = byte_tokens_[static_cast<std::uint8_t>(byte)];
    if (token) {
      symbols.push_back(*token);
    } else if (unknown_ && !(after_unknown && fuse_unknown_)) {
      symbols.push_back(*unknown_);
    }
    after_unknown = !token;
  }
  return symbols;
}

// The reference's algorithm, with its order of events: candidates are taken by rank, then position, and one that has
// been overtaken still counts when the pair now at its place has the same result.
TokenIds BpeModel::merge(std::string_view bytes) const {
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

  TokenIds ids = first_symbols(bytes);
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
