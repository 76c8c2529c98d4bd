// Any text as a chat template, rendered for a conversation that has everything a template may look at.
#include "fuzz/input.h"
#include "specthink/base/strings.h"
#include "specthink/text/chat_template.h"

using namespace specthink;

namespace {

const OrderedJson& messages() {
  static const OrderedJson kMessages = parse_messages(R"([
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is 2+2? \u4e2d\u6587 <think>"},
    {"role": "assistant", "content": "<think>\nWait.\n</think>\n\n4", "reasoning_content": "Wait.",
     "tool_calls": [{"function": {"name": "add", "arguments": {"b": 2, "a": [1.5, true, null]}}}]},
    {"role": "tool", "content": "4"},
    {"role": "user", "content": ["part", {"type": "text", "text": " more "}]}])",
                                                      "messages");
  return kMessages;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::allow_user_error([&] {
    const ChatTemplate chat_template = ChatTemplate::parse(text, {{"bos_token", "<s>"}, {"n", 3}}, "input");
    for (const bool flag : {true, false}) {
      const std::string prompt =
          chat_template.render(messages(), {.add_generation_prompt = flag, .enable_thinking = flag});
      check(valid_utf8_prefix(prompt) == prompt.size(), "a prompt is UTF-8");
    }
  });
  return 0;
}
