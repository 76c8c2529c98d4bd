#include "specthink/text/chat_template.h"

#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/json.h"
#include "specthink/base/strings.h"
#include "specthink/jinja/template.h"

namespace specthink::inline text {
namespace {

using jinja::Value;

constexpr std::uint64_t kMaxTemplateBytes = std::uint64_t{4} << 20;
constexpr int kMaxDepth = 256;

std::string on_one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

UserError user_error(std::string_view name, const jinja::TemplateError& error) {
  return UserError("chat template {}, line {}: {}", name, error.line(), on_one_line(error.what()));
}

Value to_value(const OrderedJson& json, int depth = 0) {
  if (depth > kMaxDepth) jinja::fail("the messages are nested deeper than {} levels", kMaxDepth);
  switch (json.type()) {
    case OrderedJson::value_t::boolean:
      return json.get<bool>();
    case OrderedJson::value_t::number_integer:
      return json.get<std::int64_t>();
    case OrderedJson::value_t::number_unsigned:
      if (json.get<std::uint64_t>() > INT64_MAX) {
        jinja::fail("the number {} in the messages is too large for a 64-bit integer", json.get<std::uint64_t>());
      }
      return json.get<std::int64_t>();
    case OrderedJson::value_t::number_float:
      return json.get<double>();
    case OrderedJson::value_t::string:
      return replace_invalid_utf8(json.get_ref<const std::string&>());
    case OrderedJson::value_t::array: {
      jinja::Values items;
      for (const OrderedJson& item : json) items.push_back(to_value(item, depth + 1));
      return Value::list(std::move(items));
    }
    case OrderedJson::value_t::object: {
      jinja::Entries entries;
      for (const auto& [key, item] : json.items()) {
        entries.emplace_back(Value(replace_invalid_utf8(key)), to_value(item, depth + 1));
      }
      return Value::dict_of_unique_keys(std::move(entries));
    }
    default:
      return Value();
  }
}

// What apply_chat_template does to each message before the template sees it.
OrderedJson normalized_message(const OrderedJson& message) {
  OrderedJson present = OrderedJson::object();
  for (const auto& [key, value] : message.items()) {
    if (!value.is_null()) present[key] = value;
  }
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    const auto reasoning = present.find(name);
    if (reasoning == present.end()) continue;
    OrderedJson aliased = {{"thinking", *reasoning}};
    for (const auto& [key, value] : present.items()) aliased[key] = value;
    aliased["reasoning_content"] = *reasoning;
    return aliased;
  }
  return present;
}

OrderedJson normalized_messages(const OrderedJson& messages) {
  if (!messages.is_array())
    throw UserError("messages: expected a JSON list of messages, found {}", messages.type_name());
  if (messages.empty()) throw UserError("messages: expected at least one message, found an empty list");
  OrderedJson result = OrderedJson::array();
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (!messages[i].is_object()) {
      throw UserError("messages[{}]: expected an object with role and content, found {}", i, messages[i].type_name());
    }
    result.push_back(normalized_message(messages[i]));
  }
  return result;
}

// Tokens are written as strings, or as objects with their properties.
std::optional<std::string> token_content(const OrderedJson& token) {
  if (token.is_string()) return token.get<std::string>();
  if (!token.is_object()) return std::nullopt;
  const auto content = token.find("content");
  if (content == token.end() || !content->is_string()) return std::nullopt;
  return content->get<std::string>();
}

void add_tokens(const OrderedJson& tokens, bool only_named_so, OrderedJson& variables) {
  if (!tokens.is_object()) return;
  for (const auto& [name, token] : tokens.items()) {
    if (only_named_so && !name.ends_with("_token")) continue;
    if (const auto content = token_content(token)) variables[name] = *content;
  }
}

OrderedJson token_variables(const OrderedJson& config) {
  OrderedJson variables = OrderedJson::object();
  add_tokens(config, true, variables);
  for (const char* extra : {"extra_special_tokens", "model_specific_special_tokens"}) {
    if (config.contains(extra)) add_tokens(config[extra], false, variables);
  }
  return variables;
}

// The template in tokenizer_config.json: a string, or the one named "default" of a list.
std::string template_of_config(const OrderedJson& config, const std::filesystem::path& path) {
  const auto entry = config.find("chat_template");
  if (entry == config.end() || entry->is_null()) {
    throw UserError("{}: no chat_template, and no chat_template.jinja beside it; add one, or use a model that has one",
                    path.string());
  }
  if (entry->is_string()) return entry->get<std::string>();
  if (!entry->is_array()) {
    throw UserError("{}: chat_template: expected a string or a list, found {}", path.string(), entry->type_name());
  }
  for (const OrderedJson& named : *entry) {
    if (!named.is_object() || !named.contains("name") || named["name"] != "default") continue;
    if (!named.contains("template") || !named["template"].is_string()) {
      throw UserError("{}: chat_template: the entry named 'default' has no string 'template'", path.string());
    }
    return named["template"].get<std::string>();
  }
  throw UserError("{}: chat_template: none of the list's templates is named 'default'", path.string());
}

}  // namespace

OrderedJson parse_messages(std::string_view text, std::string_view source) {
  parse_json(text, source);  // the checks, and the error that names the place
  return OrderedJson::parse(text.begin(), text.end());
}

struct ChatTemplate::Impl {
  std::string name;
  jinja::Template parsed;
  jinja::Variables variables;
};

ChatTemplate ChatTemplate::load(const std::filesystem::path& folder) {
  const std::filesystem::path config_path = folder / "tokenizer_config.json";
  const std::filesystem::path template_path = folder / "chat_template.jinja";
  std::error_code ignored;
  const bool has_template = std::filesystem::exists(template_path, ignored);
  const bool has_config = std::filesystem::exists(config_path, ignored);
  if (!has_template && !has_config) {
    throw UserError("{}: no chat template: neither chat_template.jinja nor tokenizer_config.json is there",
                    folder.string());
  }
  OrderedJson config = OrderedJson::object();
  if (has_config) config = parse_messages(read_file(config_path), config_path.string());
  if (!config.is_object()) throw UserError("{}: expected a JSON object", config_path.string());
  const OrderedJson variables = token_variables(config);
  if (has_template) return parse(read_file(template_path, kMaxTemplateBytes), variables, template_path.string());
  return parse(template_of_config(config, config_path), variables, config_path.string());
}

ChatTemplate ChatTemplate::parse(std::string_view source, const OrderedJson& variables, std::string_view name) {
  if (valid_utf8_prefix(source) != source.size()) {
    throw UserError("chat template {}: not valid UTF-8 at byte {}", name, valid_utf8_prefix(source));
  }
  try {
    Impl impl{std::string(name), jinja::Template(source), {}};
    for (const auto& [key, value] : variables.items()) impl.variables.emplace_back(key, to_value(value));
    return ChatTemplate(std::make_unique<Impl>(std::move(impl)));
  } catch (const jinja::TemplateError& error) {
    throw user_error(name, error);
  }
}

ChatTemplate::ChatTemplate(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

std::string ChatTemplate::render(const OrderedJson& messages, const Options& options) const {
  const OrderedJson normalized = normalized_messages(messages);
  try {
    jinja::Variables variables = impl_->variables;
    variables.emplace_back("messages", to_value(normalized));
    variables.emplace_back("tools", Value());  // none, but defined, as in the reference
    variables.emplace_back("documents", Value());
    variables.emplace_back("add_generation_prompt", options.add_generation_prompt);
    if (!options.kwargs.contains("enable_thinking")) {
      variables.emplace_back("enable_thinking", options.enable_thinking);
    }
    for (const auto& [name, value] : options.kwargs.items()) variables.emplace_back(name, to_value(value));
    return impl_->parsed.render(variables);
  } catch (const jinja::TemplateError& error) {
    throw user_error(impl_->name, error);
  }
}

}  // namespace specthink::inline text
