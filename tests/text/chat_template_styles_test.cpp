// Whole templates in the style of well-known model families. The prompts are those of the reference.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "specthink/text/chat_template.h"

namespace specthink {
namespace {

constexpr const char* kConversation =
    R"j([{"role": "system", "content": " Answer in verse. "}, {"role": "user", "content": "2 + 2?"},
 {"role": "assistant", "content": "<think>\nfour\n</think>\n\nFour, no more.", "tool_calls": null},
 {"role": "user", "content": "Und 3 × 3? 九\n"}])j";

constexpr const char* kToolConversation = R"j([{"role": "user", "content": "weather?"},
 {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "id": "abcdef123", "function":
   {"name": "weather", "arguments": {"zip": "01069", "city": "Zürich", "days": 3, "at": [1.5, null, true]}}}]},
 {"role": "tool", "content": "{\"sky\": \"clear\"}"}])j";

struct Case {
  const char* messages;
  ChatTemplate::Options options;
  const char* prompt;
};

void expect_prompts(const char* source, const std::vector<Case>& cases) {
  const ChatTemplate chat_template = ChatTemplate::parse(source, {{"bos_token", "<s>"}, {"eos_token", "</s>"}}, "test");
  for (const Case& c : cases) {
    EXPECT_EQ(chat_template.render(parse_messages(c.messages, "test"), c.options), c.prompt) << c.messages;
  }
}

TEST(chat_template, chatml) {
  constexpr const char* kTemplate = R"j(
{%- if messages[0]['role'] != 'system' %}
    {{- '<|im_start|>system\nBe brief.<|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}
    {{- '<|im_start|>' + message['role'] + '\n' + (message['content'] or '') | trim + '<|im_end|>' + '\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
)j";
  expect_prompts(kTemplate, {
                                {kConversation, {true, true}, R"j(<|im_start|>system
Answer in verse.<|im_end|>
<|im_start|>user
2 + 2?<|im_end|>
<|im_start|>assistant
<think>
four
</think>

Four, no more.<|im_end|>
<|im_start|>user
Und 3 × 3? 九<|im_end|>
<|im_start|>assistant
)j"},
                                {kToolConversation, {true, true}, R"j(<|im_start|>system
Be brief.<|im_end|>
<|im_start|>user
weather?<|im_end|>
<|im_start|>assistant
<|im_end|>
<|im_start|>tool
{"sky": "clear"}<|im_end|>
<|im_start|>assistant
)j"},
                            });
}

TEST(chat_template, llama3_style) {
  constexpr const char* kTemplate = R"j(
{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{#- The system message comes out first. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\n" }}
{%- endif %}
{{- "Today: " + date_string + "\n\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("Only one tool call at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
        {{- "<|eot_id|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\n\n" }}
        {%- if message.content is mapping or (message.content is iterable and message.content is not string) %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
)j";
  expect_prompts(kTemplate, {
                                {kConversation, {true, true}, R"j(<s><|start_header_id|>system<|end_header_id|>

Today: 26 Jul 2024

Answer in verse.<|eot_id|><|start_header_id|>user<|end_header_id|>

2 + 2?<|eot_id|><|start_header_id|>assistant<|end_header_id|>

<think>
four
</think>

Four, no more.<|eot_id|><|start_header_id|>user<|end_header_id|>

Und 3 × 3? 九<|eot_id|><|start_header_id|>assistant<|end_header_id|>

)j"},
                                {kToolConversation, {true, true}, R"j(<s><|start_header_id|>system<|end_header_id|>

Today: 26 Jul 2024

<|eot_id|><|start_header_id|>user<|end_header_id|>

weather?<|eot_id|><|start_header_id|>assistant<|end_header_id|>

{"name": "weather", "parameters": {"zip": "01069", "city": "Zürich", "days": 3, "at": [1.5, null, true]}}<|eot_id|><|start_header_id|>ipython<|end_header_id|>

{"sky": "clear"}<|eot_id|><|start_header_id|>assistant<|end_header_id|>

)j"},
                            });
}

TEST(chat_template, r1_distill_style) {
  constexpr const char* kTemplate =
      R"j({% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(is_first=false, is_tool=false, is_output_first=true, system_prompt='') %}{%- for message in messages %}{%- if message['role'] == 'system' %}{% set ns.system_prompt = message['content'] %}{%- endif %}{%- endfor %}{{bos_token}}{{ns.system_prompt}}{%- for message in messages %}{%- if message['role'] == 'user' %}{%- set ns.is_tool = false -%}{{'<|User|>' + message['content']}}{%- endif %}{%- if message['role'] == 'assistant' and message['content'] is none %}{%- set ns.is_tool = false -%}{{'<|none|>'}}{%- endif %}{%- if message['role'] == 'assistant' and message['tool_calls'] is defined %}{%- for tool in message['tool_calls'] %}{%- if not ns.is_first %}{{'<|Assistant|><|calls|><|call|>' + tool['type'] + '<|sep|>' + tool['function']['name'] + '\n' + '```json' + '\n' + (tool['function']['arguments']|tojson) + '\n' + '```'}}{%- set ns.is_first = true -%}{%- else %}{{'\n' + '<|call|>' + tool['function']['name']}}{%- endif %}{%- endfor %}{%- elif message['role'] == 'assistant' and message['content'] is not none %}{%- set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{'<|Assistant|>' + content + '<|end|>'}}{%- endif %}{%- if message['role'] == 'tool' %}{%- set ns.is_tool = true -%}{%- if ns.is_output_first %}{{'<|outputs|>' + message['content']}}{%- set ns.is_output_first = false %}{%- else %}{{'\n' + message['content']}}{%- endif %}{%- endif %}{%- endfor -%}{% if ns.is_tool %}{{'<|outputs_end|>'}}{% endif %}{% if add_generation_prompt and not ns.is_tool %}{{'<|Assistant|><think>\n'}}{% endif %})j";
  expect_prompts(
      kTemplate,
      {
          {kConversation, {true, true}, R"j(<s> Answer in verse. <|User|>2 + 2?<|Assistant|>

Four, no more.<|end|><|User|>Und 3 × 3? 九
<|Assistant|><think>
)j"},
          {kToolConversation, {true, true}, R"j(<s><|User|>weather?<|Assistant|><|calls|><|call|>function<|sep|>weather
```json
{"zip": "01069", "city": "Zürich", "days": 3, "at": [1.5, null, true]}
```<|outputs|>{"sky": "clear"}<|outputs_end|>)j"},
      });
}

TEST(chat_template, phi_style) {
  constexpr const char* kTemplate =
      R"j({% for message in messages %}{% if message['role'] == 'system' and message['content'] %}{{'<|system|>
' + message['content'] + '<|end|>
'}}{% elif message['role'] == 'user' %}{{'<|user|>
' + message['content'] + '<|end|>
'}}{% elif message['role'] == 'assistant' and message.content %}{{'<|assistant|>
' + message['content'] + '<|end|>
'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>
' }}{% else %}{{ eos_token }}{% endif %})j";
  expect_prompts(kTemplate, {
                                {kConversation, {true, true}, R"j(<|system|>
 Answer in verse. <|end|>
<|user|>
2 + 2?<|end|>
<|assistant|>
<think>
four
</think>

Four, no more.<|end|>
<|user|>
Und 3 × 3? 九
<|end|>
<|assistant|>
)j"},
                                {kConversation, {false, false}, R"j(<|system|>
 Answer in verse. <|end|>
<|user|>
2 + 2?<|end|>
<|assistant|>
<think>
four
</think>

Four, no more.<|end|>
<|user|>
Und 3 × 3? 九
<|end|>
</s>)j"},
                                {kToolConversation, {true, true}, R"j(<|user|>
weather?<|end|>
<|assistant|>
)j"},
                                {kToolConversation, {false, false}, R"j(<|user|>
weather?<|end|>
</s>)j"},
                            });
}

TEST(chat_template, mistral_style) {
  constexpr const char* kTemplate = R"j(
{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("Roles must alternate user/assistant/user/assistant/...") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\n\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message.tool_calls is defined and message.tool_calls is not none %}
        {{- "[TOOL_CALLS] [" }}
        {%- for tool_call in message.tool_calls %}
            {%- set out = tool_call.function|tojson %}
            {{- out[:-1] }}
            {%- if not tool_call.id is defined or tool_call.id|length != 9 %}
                {{- raise_exception("Tool call IDs should be alphanumeric strings with length 9!") }}
            {%- endif %}
            {{- ', "id": "' + tool_call.id + '"}' }}
            {%- if not loop.last %}
                {{- ", " }}
            {%- else %}
                {{- "]" + eos_token }}
            {%- endif %}
        {%- endfor %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- elif message["role"] == "tool" %}
        {{- '[TOOL_RESULTS] {"content": ' + message.content|string + "}[/TOOL_RESULTS]" }}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported, not " ~ message.role) }}
    {%- endif %}
{%- endfor %}
)j";
  expect_prompts(
      kTemplate,
      {
          {kConversation, {true, true}, R"j(<s>[INST] 2 + 2?[/INST] <think>
four
</think>

Four, no more.</s>[INST]  Answer in verse. 

Und 3 × 3? 九
[/INST])j"},
          {kToolConversation,
           {true, true},
           R"j(<s>[INST] weather?[/INST][TOOL_CALLS] [{"name": "weather", "arguments": {"zip": "01069", "city": "Zürich", "days": 3, "at": [1.5, null, true]}, "id": "abcdef123"}]</s>[TOOL_RESULTS] {"content": {"sky": "clear"}}[/TOOL_RESULTS])j"},
      });
}

TEST(chat_template, thinking_with_macros) {
  constexpr const char* kTemplate = R"j(
{%- macro header(role) -%}
    {{ '<|im_start|>' ~ role ~ '\n' }}
{%- endmacro %}
{%- macro text(content, joiner='') -%}
    {%- if content is string -%}
        {{ content }}
    {%- elif content is iterable -%}
        {%- for part in content if part.type == 'text' -%}
            {{ part.text }}{{ joiner if not loop.last }}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
{%- set ns = namespace(last_user=-1) %}
{%- for message in messages %}
    {%- if message.role == 'user' %}{% set ns.last_user = loop.index0 %}{% endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {%- set content = text(message.content, ' ') %}
        {%- set thought = message.reasoning_content | default('', true) %}
        {%- if not thought and '</think>' in content %}
            {%- set thought = (content.split('</think>') | first).split('<think>')[-1].strip('\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\n') %}
        {%- endif %}
        {{- header('assistant') }}
        {%- generation %}
            {%- if thought and loop.index0 > ns.last_user %}
                {{- '<think>\n' ~ thought ~ '\n</think>\n\n' }}
            {%- endif %}
            {{- content }}
            {%- for call in message.tool_calls or [] %}
                {%- set call = call.function if call.function is defined else call %}
                {{- '\n<call>' ~ call.name ~ '(' }}
                {%- for key, value in call.arguments.items() %}
                    {{- key ~ '=' ~ (value if value is string else value | tojson) }}
                    {{- ', ' if not loop.last }}
                {%- endfor %}
                {{- ')</call>' }}
            {%- endfor %}
            {{- '<|im_end|>\n' }}
        {%- endgeneration %}
    {%- else %}
        {{- header(message.role) ~ text(message.content, ' ') ~ '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- header('assistant') }}
    {%- if enable_thinking is defined and not enable_thinking %}
        {{- '<think>\n\n</think>\n\n' }}
    {%- endif %}
{%- endif %}
)j";
  expect_prompts(kTemplate, {
                                {kConversation, {true, true}, R"j(<|im_start|>system
 Answer in verse. <|im_end|>
<|im_start|>user
2 + 2?<|im_end|>
<|im_start|>assistant
Four, no more.<|im_end|>
<|im_start|>user
Und 3 × 3? 九
<|im_end|>
<|im_start|>assistant
)j"},
                                {kConversation, {false, false}, R"j(<|im_start|>system
 Answer in verse. <|im_end|>
<|im_start|>user
2 + 2?<|im_end|>
<|im_start|>assistant
Four, no more.<|im_end|>
<|im_start|>user
Und 3 × 3? 九
<|im_end|>
)j"},
                                {kToolConversation, {true, true}, R"j(<|im_start|>user
weather?<|im_end|>
<|im_start|>assistant

<call>weather(zip=01069, city=Zürich, days=3, at=[1.5, null, true])</call><|im_end|>
<|im_start|>tool
{"sky": "clear"}<|im_end|>
<|im_start|>assistant
)j"},
                                {kToolConversation, {false, false}, R"j(<|im_start|>user
weather?<|im_end|>
<|im_start|>assistant

<call>weather(zip=01069, city=Zürich, days=3, at=[1.5, null, true])</call><|im_end|>
<|im_start|>tool
{"sky": "clear"}<|im_end|>
)j"},
                            });
}

}  // namespace
}  // namespace specthink
