#include "text/files/special_tokens.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>

#include "specthink/base/error.h"

namespace specthink::inline text {
namespace {

constexpr std::array<std::string_view, 7> kNames{"bos_token", "eos_token", "unk_token", "sep_token",
                                                 "pad_token", "cls_token", "mask_token"};

bool is_standard(std::string_view name) { return std::ranges::find(kNames, name) != kNames.end(); }

using Named = AddedTokenList::Named;

// A token is written as its text, or as an object with its flags.
std::optional<Named> read_token(const OrderedJson& value, const std::string& file, const std::string& key) {
  if (value.is_string()) {
    Named named;
    named.token.content = value.get<std::string>();
    named.token.special = true;
    named.is_text = true;
    return named;
  }
  if (!value.is_object() || !value.contains("content") || !value["content"].is_string()) return std::nullopt;
  const Json copy = value;
  return Named{read_added_token(JsonView(copy, file, key)), false};
}

// A token of tokenizer.json, which is checked where that file is read.
AddedToken read_checked_elsewhere(const Json& json) {
  const auto flag = [&](const char* name) {
    return json.contains(name) && json[name].is_boolean() && json[name].get<bool>();
  };
  AddedToken token;
  if (json.contains("content") && json["content"].is_string()) token.content = json["content"].get<std::string>();
  token.single_word = flag("single_word");
  token.lstrip = flag("lstrip");
  token.rstrip = flag("rstrip");
  token.normalized = flag("normalized");
  token.special = flag("special");
  return token;
}

class Reader {
 public:
  explicit Reader(const SpecialTokenFiles& files) : files_(files) {}

  SpecialTokens read() {
    read_config();
    if (const auto decoder = files_.config.find("added_tokens_decoder"); decoder != files_.config.end()) {
      read_declared(*decoder);
    } else {
      read_special_tokens_map();
      read_added_tokens();
    }
    SpecialTokens result;
    for (const auto& [id, token] : declared_) result.added.declared.push_back(token);
    for (const std::string_view name : kNames) add_named(std::string(name), result);
    for (const std::string& name : further_names_) add_named(name, result);
    result.added.further = further_;
    return result;
  }

 private:
  std::string file(const char* name) const { return files_.folder + name; }

  void set(const std::string& name, Named token) {
    if (!is_standard(name) && std::ranges::find(further_names_, name) == further_names_.end()) {
      further_names_.push_back(name);
    }
    named_.insert_or_assign(name, std::move(token));
  }

  void add_named(const std::string& name, SpecialTokens& result) const {
    const auto entry = named_.find(name);
    if (entry == named_.end()) return;
    result.named.emplace_back(name, entry->second.token.content);
    result.added.named.push_back(entry->second);
  }

  // A list of further special tokens, or a map that names them.
  void read_further(const OrderedJson& value, const std::string& source, const std::string& key) {
    for (const auto& [name, item] : value.items()) {
      const auto token = read_token(item, source, key);
      if (!token) continue;
      if (value.is_object()) {
        set(name, *token);
      } else if (std::ranges::find(further_, *token) == further_.end()) {
        further_.push_back(*token);
      }
    }
  }

  void read_config() {
    const OrderedJson& config = files_.config;
    const std::string source = file("tokenizer_config.json");
    for (const auto& [name, value] : config.items()) {
      if (!is_standard(name) && !name.ends_with("_token")) continue;
      if (const auto token = read_token(value, source, name)) set(name, *token);
    }
    // A map of names may stand beside the older list, a list replaces it.
    const auto extra = config.find("extra_special_tokens");
    const bool names_more = extra != config.end() && extra->is_object() && !extra->empty();
    const bool lists_more = extra != config.end() && extra->is_array() && !extra->empty();
    if (names_more) read_further(*extra, source, "extra_special_tokens");
    for (const char* key :
         {lists_more ? "extra_special_tokens" : "additional_special_tokens", "model_specific_special_tokens"}) {
      const auto entry = config.find(key);
      if (entry != config.end() && entry->is_structured()) read_further(*entry, source, key);
    }
    has_list_ =
        !names_more && ((extra != config.end() && extra->is_array()) || config.contains("additional_special_tokens"));
    if (!names_more) listed_in_config_ = further_.size();
  }

  void read_declared(const OrderedJson& decoder) {
    const std::string source = file("tokenizer_config.json");
    if (!decoder.is_object()) {
      throw UserError("{}: added_tokens_decoder: expected an object of tokens by id, found {}", source,
                      decoder.type_name());
    }
    for (const auto& [key, value] : decoder.items()) {
      int id = 0;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      const auto token = value.is_object() ? read_token(value, source, "added_tokens_decoder." + key) : std::nullopt;
      if (error != std::errc() || end != key.data() + key.size() || !token) {
        throw UserError(
            "{}: added_tokens_decoder: expected ids, each with an object that has a content, found '{}': {}", source,
            key, excerpt(Json(value)));
      }
      declared_[id] = token->token;
    }
  }

  void read_special_tokens_map() {
    const std::string source = file("special_tokens_map.json");
    std::vector<std::string> newer_names;
    for (const auto& [name, value] : files_.special_tokens_map.items()) {
      if (name == "additional_special_tokens" && has_list_) continue;
      if (name == "additional_special_tokens") further_.clear();
      if (value.is_array() || name == "extra_special_tokens") {
        if (value.is_structured()) read_further(value, source, name);
        continue;
      }
      if (!is_standard(name) && (named_.contains(name) || !name.ends_with("_token"))) continue;
      if (value.is_null()) named_.erase(name);
      auto token = read_token(value, source, name);
      if (!token) continue;
      token->token.special = true;
      set(name, *token);
      if (!is_standard(name)) newer_names.push_back(name);
    }
    // These come before those of tokenizer_config.json.
    std::erase_if(further_names_,
                  [&](const std::string& name) { return std::ranges::find(newer_names, name) != newer_names.end(); });
    further_names_.insert(further_names_.begin(), newer_names.begin(), newer_names.end());
  }

  void read_added_tokens() {
    const std::string source = file("added_tokens.json");
    for (const auto& [content, id] : files_.added_tokens.items()) {
      if (!id.is_number_integer()) {
        throw UserError("{}: expected ids of tokens, found {} for '{}'", source, excerpt(Json(id)), content);
      }
      AddedToken token;
      token.content = content;
      token.special = counts_as_special(content);
      token.normalized = !token.special;
      declared_[id.get<int>()] = std::move(token);
    }
    if (!files_.tokenizer || !files_.tokenizer->is_object()) return;
    const auto list = files_.tokenizer->find("added_tokens");
    if (list == files_.tokenizer->end() || !list->is_array()) return;
    // What tokenizer.json has under the same id counts.
    for (const Json& token : *list) {
      const bool has_id = token.is_object() && token.contains("id") && token["id"].is_number_integer();
      if (has_id) declared_[token["id"].get<int>()] = read_checked_elsewhere(token);
    }
  }

  // Of added_tokens.json: standard names, and what tokenizer_config.json lists.
  bool counts_as_special(const std::string& content) const {
    const auto is_it = [&](const Named& named) { return named.token.content == content; };
    return std::ranges::any_of(named_,
                               [&](const auto& entry) { return is_standard(entry.first) && is_it(entry.second); }) ||
           std::any_of(further_.begin(), further_.begin() + static_cast<std::ptrdiff_t>(listed_in_config_), is_it);
  }

  const SpecialTokenFiles& files_;
  std::map<int, AddedToken> declared_;  // by the id that the file states
  std::map<std::string, Named> named_;
  std::vector<std::string> further_names_;  // of named_, those that are not standard, in order
  std::vector<Named> further_;
  std::size_t listed_in_config_ = 0;  // of further_
  bool has_list_ = false;             // of further tokens, in tokenizer_config.json
};

}  // namespace

SpecialTokens read_special_tokens(const SpecialTokenFiles& files) { return Reader(files).read(); }

}  // namespace specthink::inline text
