#include "text/added_vocabulary.h"

#include <algorithm>
#include <utility>

#include "specthink/base/error.h"
#include "specthink/base/log.h"
#include "specthink/base/utf8.h"
#include "text/regex.h"
#include "text/unicode_versions.h"
#include "text/white_space.h"

namespace specthink::inline text {
namespace {

bool is_word(char32_t code) {
  static const Regex kWord(R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}])");
  std::string character;
  append_utf8(character, code);
  std::string storage;
  return !kWord.find_all(regex_view(character, storage)).empty();
}

bool ends_in_word(std::string_view text) { return !text.empty() && is_word(last_utf8(text).code); }
bool begins_in_word(std::string_view text) { return !text.empty() && is_word(next_utf8(text).code); }

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

AddedToken read_added_token(const JsonView& view) {
  const auto flag = [&](const char* name, bool otherwise) {
    const auto member = view.find(name);
    return member ? member->boolean() : otherwise;
  };
  AddedToken token;
  token.content = view.at("content").string();
  token.single_word = flag("single_word", false);
  token.lstrip = flag("lstrip", false);
  token.rstrip = flag("rstrip", false);
  token.special = flag("special", false);
  token.normalized = flag("normalized", !token.special);
  return token;
}

AddedVocabulary::AddedVocabulary(const std::optional<JsonView>& list, const AddedTokenList& more, const BpeModel& model,
                                 const Normalize& normalize)
    : splits_special_(more.splits_special) {
  std::size_t misnumbered = 0;
  const std::vector<JsonView> views = list ? list->elements() : std::vector<JsonView>();
  for (const JsonView& view : views) {
    AddedToken token = read_added_token(view);
    const TokenId stated_id = read_id(view.at("id"));
    const std::string content = token.content;
    if (content.empty()) continue;
    const TokenId id = add(std::move(token), model, normalize, &view);
    if (id != stated_id && misnumbered++ == 0) {
      spdlog::warn("the added token '{}' has id {}, not {} as tokenizer.json states: ids follow the vocabulary's size",
                   content, id, stated_id);
    }
  }

  add_more(more, model, normalize);
  for (const auto& [id, token] : tokens_) (token.normalized ? normalized_ : original_).insert(token.matched, id);
}

void AddedVocabulary::add_more(const AddedTokenList& more, const BpeModel& model, const Normalize& normalize) {
  using Named = AddedTokenList::Named;
  const auto is_declared = [&](const std::string& content) {
    return ids_.contains(content) ||
           std::ranges::find(more.declared, content, &AddedToken::content) != more.declared.end();
  };
  // One that is written twice with other flags is added twice, and the later counts.
  std::vector<Named> missing;
  for (const std::vector<Named>* list : {&more.named, &more.further}) {
    for (const Named& named : *list) {
      const bool is_there = is_declared(named.token.content) || std::ranges::find(missing, named) != missing.end();
      if (!is_there) missing.push_back(named);
    }
  }
  std::vector<AddedToken> wanted = more.declared;
  for (const Named& named : missing) wanted.push_back(named.token);
  for (AddedToken& token : wanted) {
    token.special |=
        std::ranges::any_of(more.named, [&](const Named& named) { return named.token.content == token.content; });
    if (!token.content.empty()) add(std::move(token), model, normalize);
  }
}

TokenId AddedVocabulary::next_id(const BpeModel& model) const {
  auto next = static_cast<TokenId>(model.vocabulary().size());
  for (const auto& [content, id] : ids_) next = std::max(next, id + 1);
  return next;
}

TokenId AddedVocabulary::add(AddedToken token, const BpeModel& model, const Normalize& normalize,
                             const JsonView* place) {
  token.matched = token.normalized ? normalize(token.content) : token.content;
  TokenId id = 0;
  const auto in_model = model.vocabulary().find(token.content);
  if (const auto known = this->id(token.content)) {
    id = *known;
  } else if (in_model != model.vocabulary().end()) {
    id = in_model->second;
  } else {
    id = next_id(model);
    std::string problem;
    if (id > BpeModel::kMaxId) problem = fmt::format("more than {} tokens", BpeModel::kMaxId);
    if (model.has_id(id)) {
      problem = fmt::format(
          "added tokens are numbered from {} on (the size of the vocabulary), but id {} is in the vocabulary",
          model.vocabulary().size(), id);
    }
    if (!problem.empty() && place) place->fail("{}", problem);
    if (!problem.empty()) throw UserError("the added token '{}': {}", token.content, problem);
  }
  ids_[token.content] = id;
  if (token.special) special_.insert(token.content);
  tokens_[id] = std::move(token);
  return id;
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
    if (splits_special_ && is_special(token.content)) continue;
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
