#include "text/added_vocabulary.h"

#include <algorithm>
#include <utility>

#include "specthink/base/log.h"
#include "specthink/base/utf8.h"
#include "text/nfc.h"
#include "text/regex.h"
#include "text/unicode_versions.h"

namespace specthink::inline text {
namespace {

// Unicode's White_Space.
bool is_space(char32_t code) {
  return (code >= 0x09 && code <= 0x0D) || code == 0x20 || code == 0x85 || code == 0xA0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F ||
         code == 0x3000;
}

bool is_word(char32_t code) {
  static const Regex kWord(R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}])");
  std::string character;
  append_utf8(character, code);
  std::string storage;
  return !kWord.find_all(regex_view(character, storage)).empty();
}

bool ends_in_word(std::string_view text) { return !text.empty() && is_word(last_utf8(text).code); }
bool begins_in_word(std::string_view text) { return !text.empty() && is_word(next_utf8(text).code); }

std::size_t trailing_space(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size()) {
    const Utf8Char last = last_utf8(text.substr(0, text.size() - length));
    if (!is_space(last.code)) break;
    length += last.length;
  }
  return length;
}

std::size_t leading_space(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size()) {
    const Utf8Char next = next_utf8(text.substr(length));
    if (!is_space(next.code)) break;
    length += next.length;
  }
  return length;
}

AddedToken read_token(const JsonView& view) {
  AddedToken token;
  token.content = view.at("content").string();
  token.single_word = view.at("single_word").boolean();
  token.lstrip = view.at("lstrip").boolean();
  token.rstrip = view.at("rstrip").boolean();
  token.normalized = view.at("normalized").boolean();
  token.special = view.at("special").boolean();
  return token;
}

TokenId read_id(const JsonView& view) {
  const Json& id = view.value();
  if (!id.is_number_unsigned() || id.get<std::uint64_t>() > static_cast<std::uint64_t>(BpeModel::kMaxId)) {
    view.fail("expected a whole number from 0 to {}, found {}", BpeModel::kMaxId, id.dump());
  }
  return id.get<TokenId>();
}

}  // namespace

void StringTrie::insert(std::string_view text, TokenId id) {
  if (text.empty()) return;
  first_bytes_[static_cast<std::uint8_t>(text.front())] = true;
  std::uint32_t node = 0;
  for (const char byte : text) {
    const auto [child, is_new] = children_.try_emplace(edge(node, byte), static_cast<std::uint32_t>(ids_.size()));
    if (is_new) ids_.emplace_back();
    node = child->second;
  }
  ids_[node] = id;
}

std::optional<StringTrie::Match> StringTrie::longest_at(std::string_view text) const {
  std::optional<Match> best;
  if (text.empty() || !first_bytes_[static_cast<std::uint8_t>(text.front())]) return best;
  std::uint32_t node = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto child = children_.find(edge(node, text[i]));
    if (child == children_.end()) break;
    node = child->second;
    if (ids_[node]) best = Match{*ids_[node], i + 1};
  }
  return best;
}

AddedVocabulary::AddedVocabulary(const std::optional<JsonView>& list, const BpeModel& model, bool normalize) {
  if (!list) return;
  std::vector<bool> in_vocabulary(static_cast<std::size_t>(BpeModel::kMaxId) + 1);
  for (const auto& [content, base_id] : model.vocabulary()) in_vocabulary[static_cast<std::size_t>(base_id)] = true;

  auto next_id = static_cast<TokenId>(model.vocabulary().size());
  std::size_t misnumbered = 0;
  for (const JsonView& view : list->elements()) {
    AddedToken token = read_token(view);
    const TokenId stated_id = read_id(view.at("id"));
    if (token.content.empty()) continue;
    token.matched = normalize && token.normalized ? normalize_nfc(token.content) : token.content;

    TokenId id = 0;
    const auto in_model = model.vocabulary().find(token.content);
    if (const auto known = this->id(token.content)) {
      id = *known;
    } else if (in_model != model.vocabulary().end()) {
      id = in_model->second;
    } else {
      id = next_id++;
      if (id > BpeModel::kMaxId) view.fail("more than {} tokens", BpeModel::kMaxId);
      if (in_vocabulary[static_cast<std::size_t>(id)]) {
        view.fail("added tokens are numbered from {} on (the size of the vocabulary), but id {} is in the vocabulary",
                  model.vocabulary().size(), id);
      }
    }
    if (id != stated_id && misnumbered++ == 0) {
      spdlog::warn("the added token '{}' has id {}, not {} as tokenizer.json states: ids follow the vocabulary's size",
                   token.content, id, stated_id);
    }
    add(std::move(token), id);
  }
  for (const auto& [id, token] : tokens_) (token.normalized ? normalized_ : original_).insert(token.matched, id);
}

void AddedVocabulary::add(AddedToken token, TokenId id) {
  ids_[token.content] = id;
  if (token.special) special_.insert(token.content);
  tokens_[id] = std::move(token);
}

std::optional<TokenId> AddedVocabulary::id(const std::string& content) const {
  const auto entry = ids_.find(content);
  if (entry == ids_.end()) return std::nullopt;
  return entry->second;
}

std::vector<AddedVocabulary::Section> AddedVocabulary::split(std::string_view text, bool normalized) const {
  const StringTrie& trie = normalized ? normalized_ : original_;
  std::vector<Section> sections;
  std::size_t done = 0;       // everything before is in `sections`
  std::size_t space_end = 0;  // of the white space that a token took along last
  for (std::size_t at = 0; at < text.size();) {
    const auto match = trie.longest_at(text.substr(at));
    if (!match) {
      ++at;
      continue;
    }
    std::size_t begin = at;
    std::size_t end = at + match->length;
    at = end;
    const AddedToken& token = tokens_.at(match->id);
    if (token.single_word && (ends_in_word(text.substr(0, begin)) || begins_in_word(text.substr(end)))) continue;
    if (token.rstrip) {
      // Where tokens are white space themselves, each run of it is measured once.
      if (end > space_end) space_end = end + leading_space(text.substr(end));
      end = std::max(end, space_end);
    }
    // White space that the token before took along belongs to that one; a token that is nothing else disappears.
    // Without lstrip a token inside it is found all the same, and what follows is text again: so does the reference.
    if (token.lstrip) begin = begin > done ? begin - trailing_space(text.substr(done, begin - done)) : done;
    if (begin > end) continue;
    if (done < begin) sections.push_back({text.substr(done, begin - done), std::nullopt});
    if (begin < end) sections.push_back({text.substr(begin, end - begin), match->id});
    done = end;
  }
  if (done < text.size()) sections.push_back({text.substr(done), std::nullopt});
  return sections;
}

}  // namespace specthink::inline text
