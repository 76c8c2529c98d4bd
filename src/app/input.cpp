#include "app/input.h"

#include <unistd.h>

#include <iostream>
#include <iterator>

#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/strings.h"

namespace specthink::inline app {
namespace {

void check_message(const OrderedJson& message, std::size_t index) {
  if (!message.is_object())
    throw UserError("--messages: item {} is no object, expected {{\"role\": …, \"content\": …}}", index);
  if (!message.contains("role") || !message["role"].is_string()) {
    throw UserError("--messages: item {} has no \"role\" (a string such as user, assistant or system)", index);
  }
}

}  // namespace

std::string read_text_input(const GenerateSettings& settings) {
  std::string text;
  if (settings.prompt) {
    text = *settings.prompt;
  } else if (settings.prompt_file) {
    text = read_file(*settings.prompt_file);
  } else {
    if (::isatty(STDIN_FILENO)) throw UserError("no prompt: give one as an argument, with --prompt-file, or on stdin");
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  }
  if (text.empty()) throw UserError("the prompt is empty: give one as an argument, with --prompt-file, or on stdin");
  return replace_invalid_utf8(text);
}

OrderedJson read_messages(const GenerateSettings& settings) {
  if (!settings.messages) return OrderedJson::array({{{"role", "user"}, {"content", read_text_input(settings)}}});
  const bool from_file = settings.messages->starts_with('@');
  const std::string path = from_file ? settings.messages->substr(1) : "";
  const OrderedJson messages =
      from_file ? parse_messages(read_file(path), path) : parse_messages(*settings.messages, "--messages");
  if (!messages.is_array() || messages.empty())
    throw UserError("--messages: expected a JSON list of messages that is not empty");
  for (std::size_t i = 0; i < messages.size(); ++i) check_message(messages[i], i);
  return messages;
}

}  // namespace specthink::inline app
