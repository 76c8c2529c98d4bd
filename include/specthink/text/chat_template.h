// Prompts from messages: the Jinja template that a model folder ships.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "specthink/base/json.h"

namespace specthink {

class ChatTemplate {
 public:
  struct Options {
    bool add_generation_prompt = true;
    bool enable_thinking = true;
  };

  /// `folder`/chat_template.jinja, else `chat_template` of tokenizer_config.json. bos_token, eos_token and the other
  /// named tokens of tokenizer_config.json are variables of the template. Throws UserError when there is no template
  /// or it uses something that is not supported (with the line of the template).
  static ChatTemplate load(const std::filesystem::path& folder);

  /// From memory. `variables` are visible to the template besides messages and the options.
  static ChatTemplate parse(std::string_view source, Json variables, std::string_view name);

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  /// `messages`: a JSON list of {"role", "content"} objects. Throws UserError when the template rejects them.
  std::string render(const Json& messages, const Options& options) const;

 private:
  struct Impl;
  explicit ChatTemplate(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace specthink
