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
#include "text/files/tokenizer_files.h"

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

// Where a template comes from.
struct Source {
  std::string text;
  std::string name;  // for errors
};

[[noreturn]] void no_default(const std::string& place) {
  throw UserError("{}: there are several chat templates, and none of them is named 'default'", place);
}

// The template in tokenizer_config.json: a string, the one named "default" of a list, or the "default" of an object.
Source template_of_config(const OrderedJson& config, const std::string& path) {
  const auto entry = config.find("chat_template");
  if (entry == config.end() || entry->is_null()) {
    throw UserError("{}: no chat_template, and no chat_template.jinja beside it; add one, or use a model that has one",
                    path);
  }
  if (entry->is_string()) return {entry->get<std::string>(), path};
  const std::string place = path + ": chat_template";
  if (entry->is_object()) {
    const auto named = entry->find("default");
    if (named == entry->end()) no_default(place);
    if (!named->is_string()) throw UserError("{}: the entry 'default' is no string", place);
    return {named->get<std::string>(), path};
  }
  if (!entry->is_array()) {
    throw UserError("{}: expected a string, a list or an object, found {}", place, entry->type_name());
  }
  const OrderedJson* found = nullptr;
  for (const OrderedJson& named : *entry) {
    if (named.is_object() && named.contains("name") && named["name"] == "default") found = &named;
  }
  if (!found) no_default(place);
  if (!found->contains("template") || !(*found)["template"].is_string()) {
    throw UserError("{}: the entry named 'default' has no string 'template'", place);
  }
  return {(*found)["template"].get<std::string>(), path};
}

bool path_exists(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

Source read_template(const std::filesystem::path& path) { return {read_file(path, kMaxTemplateBytes), path.string()}; }

// chat_template.jinja is the one named "default"; additional_chat_templates holds others, or that one. Files come
// before tokenizer_config.json.
std::optional<Source> template_of_files(const std::filesystem::path& folder) {
  const std::filesystem::path more = folder / "additional_chat_templates";
  if (path_exists(more / "default.jinja")) return read_template(more / "default.jinja");
  if (path_exists(folder / "chat_template.jinja")) return read_template(folder / "chat_template.jinja");
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(more, ignored)) {
    if (entry.path().extension() == ".jinja") no_default(more.string());
  }
  return std::nullopt;
}

}  // namespace

OrderedJson parse_messages(std::string_view text, std::string_view source) {
  parse_json(text, source);  // the checks, and the error that names the place
  OrderedJson json = OrderedJson::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_discarded()) return json;
  const std::string strict = strict_json(text);
  return OrderedJson::parse(strict.begin(), strict.end());
}

struct ChatTemplate::Impl {
  std::string name;
  jinja::Template parsed;
  jinja::Variables variables;
};

ChatTemplate ChatTemplate::load(const std::filesystem::path& folder) {
  std::optional<Source> source = template_of_files(folder);
  const std::filesystem::path config_path = folder / "tokenizer_config.json";
  if (!source && !path_exists(config_path)) {
    throw UserError("{}: no chat template: neither chat_template.jinja nor tokenizer_config.json is there",
                    folder.string());
  }
  if (!source) source = template_of_config(read_tokenizer_config(folder), config_path.string());
  OrderedJson variables = OrderedJson::object();
  for (const auto& [name, content] : read_named_tokens(folder)) variables[name] = content;
  return parse(source->text, variables, source->name);
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
    const auto set = [&](std::string_view key, Value value) { jinja::set_variable(variables, key, std::move(value)); };
    set("tools", Value());  // none, but defined, as in the reference
    set("documents", Value());
    set("enable_thinking", options.enable_thinking);
    for (const auto& [key, value] : options.kwargs.items()) set(key, to_value(value));
    set("messages", to_value(normalized));
    set("add_generation_prompt", options.add_generation_prompt);
    return impl_->parsed.render(variables);
  } catch (const jinja::TemplateError& error) {
    throw user_error(impl_->name, error);
  }
}

}  // namespace specthink::inline text
