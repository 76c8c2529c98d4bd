#include "text/special_tokens.h"

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

AddedToken special(std::string content) {
  AddedToken token;
  token.content = std::move(content);
  token.special = true;
  return token;
}

// A token is written as its text, or as an object with its flags.
std::optional<AddedToken> read_token(const OrderedJson& value, const std::string& file, const std::string& key) {
  if (value.is_string()) return special(value.get<std::string>());
  if (!value.is_object() || !value.contains("content") || !value["content"].is_string()) return std::nullopt;
  const Json copy = value;
  return read_added_token(JsonView(copy, file, key));
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
    for (const AddedToken& token : further_) result.added.named.push_back(token);
    return result;
  }

 private:
  std::string file(const char* name) const { return files_.folder + name; }

  void set(const std::string& name, AddedToken token) {
    if (!is_standard(name) && std::ranges::find(further_names_, name) == further_names_.end()) {
      further_names_.push_back(name);
    }
    named_.insert_or_assign(name, std::move(token));
  }

  void add_named(const std::string& name, SpecialTokens& result) const {
    const auto entry = named_.find(name);
    if (entry == named_.end()) return;
    // A declared token keeps its flags.
    AddedToken token = entry->second;
    for (const auto& [id, declared] : declared_) {
      if (declared.content == token.content) token = declared;
    }
    result.named.emplace_back(name, token.content);
    result.added.named.push_back(std::move(token));
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
    const auto extra = config.find("extra_special_tokens");
    const bool has_extra = extra != config.end() && !extra->empty();
    for (const char* key :
         {has_extra ? "extra_special_tokens" : "additional_special_tokens", "model_specific_special_tokens"}) {
      const auto entry = config.find(key);
      if (entry != config.end() && entry->is_structured()) read_further(*entry, source, key);
    }
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
      declared_[id] = *token;
    }
  }

  void read_special_tokens_map() {
    const std::string source = file("special_tokens_map.json");
    for (const auto& [name, value] : files_.special_tokens_map.items()) {
      if (value.is_array() || name == "extra_special_tokens") {
        if (value.is_structured()) read_further(value, source, name);
        continue;
      }
      if (value.is_null()) named_.erase(name);
      auto token = read_token(value, source, name);
      if (!token) continue;
      token->special = true;
      if (is_standard(name) || name.ends_with("_token")) set(name, *token);
    }
  }

  void read_added_tokens() {
    const std::string source = file("added_tokens.json");
    for (const auto& [content, id] : files_.added_tokens.items()) {
      if (!id.is_number_integer()) {
        throw UserError("{}: expected ids of tokens, found {} for '{}'", source, excerpt(Json(id)), content);
      }
      AddedToken token;
      token.content = content;
      const auto has_content = [&](const auto& entry) { return entry.second.content == content; };
      token.special = std::ranges::any_of(named_, has_content) ||
                      std::ranges::any_of(further_, [&](const AddedToken& other) { return other.content == content; });
      token.normalized = !token.special;
      declared_[id.get<int>()] = std::move(token);
    }
    if (!files_.tokenizer || !files_.tokenizer->is_object()) return;
    const auto list = files_.tokenizer->find("added_tokens");
    if (list == files_.tokenizer->end() || !list->is_array()) return;
    // What tokenizer.json has under the same id counts.
    for (const Json& token : *list) {
      if (token.is_object() && token.contains("id") && token["id"].is_number_integer()) {
        declared_.erase(token["id"].get<int>());
      }
    }
  }

  const SpecialTokenFiles& files_;
  std::map<int, AddedToken> declared_;  // by the id that the file states
  std::map<std::string, AddedToken> named_;
  std::vector<std::string> further_names_;  // of named_, those that are not standard, in order
  std::vector<AddedToken> further_;
};

}  // namespace

SpecialTokens read_special_tokens(const SpecialTokenFiles& files) { return Reader(files).read(); }

}  // namespace specthink::inline text
