// Prompts from messages: the Jinja template that a model folder ships, rendered as apply_chat_template of Hugging Face
// transformers renders it.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace specthink::inline text {

/// JSON whose objects keep the order of their keys: templates print the arguments of tool calls as they were given.
using OrderedJson = nlohmann::ordered_json;

/// Parses messages (or any JSON) in their order; `source` names the text in errors. Throws UserError as parse_json.
OrderedJson parse_messages(std::string_view text, std::string_view source);

class ChatTemplate {
 public:
  struct Options {
    bool add_generation_prompt = true;
    bool enable_thinking = true;
    /// More variables, which take precedence over all but messages and add_generation_prompt: `enable_thinking`, `tools`
    /// and `documents`, which are none otherwise, special tokens.
    OrderedJson kwargs = OrderedJson::object();
  };

  /// `folder`/chat_template.jinja or additional_chat_templates/default.jinja, else `chat_template` of
  /// tokenizer_config.json (a string, or a list or object of named templates with one named "default"). bos_token,
  /// eos_token and the other tokens that the folder's files name are variables of the template. Throws UserError when
  /// there is no template or it uses something that is not supported (with the line of the template).
  static ChatTemplate load(const std::filesystem::path& folder);

  /// From memory. `variables`, a JSON object, are visible to the template besides messages and the options.
  static ChatTemplate parse(std::string_view source, const OrderedJson& variables, std::string_view name);

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  /// `messages`: a JSON list of {"role", "content"} objects, not empty. Keys that are null count as missing, and
  /// `reasoning_content` is also taken from `thinking` or `reasoning`, as in the reference. Throws UserError when the
  /// template rejects the messages, with its message and line.
  std::string render(const OrderedJson& messages, const Options& options) const;

 private:
  struct Impl;
  explicit ChatTemplate(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace specthink::inline text
