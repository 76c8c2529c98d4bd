// Makes rows of the option table from the members of Settings.
#pragma once

#include <cctype>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "config/option_table.h"
#include "config/types/value_types.h"
#include "specthink/config/settings.h"

namespace specthink::inline config {

/// What a row says about a setting besides its type and default.
struct Row {
  const char* key;
  const char* help;
  const char* unit = "";
  const char* flag = "";  // empty: the key with dashes
  const char* alias = "";
  const char* environment = "";  // empty: SPECTHINK_ and the key in capitals
  char letter = 0;               // of a short flag
};

/// The same name in other spellings: max_tokens, max-tokens, SPECTHINK_MAX_TOKENS.
inline std::string key_spelling(std::string name) {
  for (char& c : name) c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}
inline std::string flag_spelling(std::string name) {
  for (char& c : name) c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}
inline std::string variable_spelling(std::string name) {
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return "SPECTHINK_" + name;
}

/// Settings hold text that may be missing as plain strings, too: empty when it is.
template <class Type, class Member>
typename Type::Value value_of(const Type& type, const Member& member) {
  if constexpr (std::is_same_v<Type, Text> && std::is_same_v<Member, std::string>) {
    if (type.null_allowed && member.empty()) return std::nullopt;
  }
  return member;
}

template <class Value, class Member>
void store(Value value, Member& member) {
  if constexpr (std::is_same_v<Value, Text::Value> && std::is_same_v<Member, std::string>) {
    member = value.value_or("");
  } else {
    member = std::move(value);
  }
}

/// A default for the help: words as they are, text and lists in quotes.
template <class Type>
std::string default_text(const Type& type, const typename Type::Value& value) {
  if constexpr (std::is_same_v<Type, Text>) {
    if (!value) return "";
    return type.form == Text::Form::text ? quote(*value) : *value;
  } else {
    const Json json = type.write(value);
    if (json.is_null()) return "";
    return json.is_string() ? json.get<std::string>() : to_flow_yaml(json);
  }
}

class TableBuilder;

/// The rows of evaluation_options.cpp.
void add_judging(TableBuilder& table);

/// Those of policy_options.cpp.
void add_policies(TableBuilder& table);
void add_comparison(TableBuilder& table);

void add_prompts(TableBuilder& table);
void add_eval(TableBuilder& table);
void add_report(TableBuilder& table);

/// That of replay_options.cpp.
void add_replay(TableBuilder& table);

/// Those of server_options.cpp.
void add_batching(TableBuilder& table);
void add_server(TableBuilder& table);

class TableBuilder {
 public:
  void begin(Group group) { group_ = group; }

  /// A setting that `get` and `set` translate.
  template <class Type, class Get, class Set>
  void add(unsigned commands, Affects affects, const Row& row, Type type, typename Type::Value default_value, Get get,
           Set set) {
    Option option;
    option.key = row.key;
    option.flag = *row.flag ? row.flag : flag_spelling(row.key);
    option.alias = row.alias;
    option.letter = row.letter;
    option.takes_more = requires { Type::kTakesMore; };
    option.environment = *row.environment ? row.environment : variable_spelling(row.key);
    option.group = group_;
    option.commands = commands;
    option.affects = affects;
    option.help = row.help;
    option.unit = row.unit;
    option.range = type.range();
    option.metavar = type.metavar();
    option.default_text = config::default_text(type, default_value);
    option.set_default = [set, default_value](Settings& settings) { set(settings, default_value); };
    option.read = [set, type](Settings& settings, const YamlValue& value, const Location& location) {
      set(settings, type.read(value, location));
    };
    option.write = [get, type](const Settings& settings) { return type.write(get(settings)); };
    if constexpr (requires { type.current_word(std::string()); }) {
      option.current_word = [type](const std::string& word) { return type.current_word(word); };
    }
    table_.push_back(std::move(option));
  }

  /// A setting that is a member of a part of Settings.
  template <class Type, class Part, class Member>
  void add(unsigned commands, Affects affects, const Row& row, Type type, typename Type::Value default_value,
           Part Settings::*part, Member Part::*member) {
    add(
        commands, affects, row, type, std::move(default_value),
        [=](const Settings& settings) { return value_of(type, settings.*part.*member); },
        [=](Settings& settings, typename Type::Value value) { store(std::move(value), settings.*part.*member); });
  }

  /// A setting that is a member of Settings itself.
  template <class Type, class Member>
  void add(unsigned commands, Affects affects, const Row& row, Type type, typename Type::Value default_value,
           Member Settings::*member) {
    add(
        commands, affects, row, type, std::move(default_value),
        [=](const Settings& settings) { return value_of(type, settings.*member); },
        [=](Settings& settings, typename Type::Value value) { store(std::move(value), settings.*member); });
  }

  std::vector<Option> take() { return std::move(table_); }

 private:
  Group group_ = Group::models;
  std::vector<Option> table_;
};

}  // namespace specthink::inline config
