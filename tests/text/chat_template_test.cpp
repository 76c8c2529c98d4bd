#include "specthink/text/chat_template.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "shared_data.h"
#include "specthink/base/error.h"

namespace specthink {
namespace {

namespace fs = std::filesystem;

using testing_support::own_data;
using testing_support::shared_data;

OrderedJson user(const char* content) { return {{{"role", "user"}, {"content", content}}}; }

std::string render(const char* source, const OrderedJson& messages, ChatTemplate::Options options = {}) {
  return ChatTemplate::parse(source, OrderedJson::object(), "test").render(messages, options);
}

// The message of the UserError that `action` must throw.
template <typename Action>
std::string template_error(Action action) {
  try {
    action();
  } catch (const UserError& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "expected a UserError, got: " << error.what();
    return "";
  }
  ADD_FAILURE() << "expected a UserError";
  return "";
}

class chat_template_folder : public testing::Test {
 protected:
  void SetUp() override {
    const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / (std::string("chat_template_") + test.name() + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const char* name, const std::string& content) {
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }

  std::string rendered() { return ChatTemplate::load(folder_).render(user("hi"), {}); }
  std::string load_error() {
    return template_error([&] { ChatTemplate::load(folder_); });
  }

  fs::path folder_;
};

// Conversations and the prompts that the reference makes of them.
void check_template_cases(const fs::path& tokenizer_folder, const fs::path& folder) {
  const ChatTemplate chat_template = ChatTemplate::load(tokenizer_folder);
  int checked = 0;
  for (const auto& file : fs::directory_iterator(folder)) {
    if (file.path().extension() != ".jsonl") continue;
    std::ifstream lines(file.path());
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
      const std::string place = file.path().string() + ":" + std::to_string(++number);
      const OrderedJson golden = parse_messages(line, place);
      if (!golden.contains("messages")) continue;
      ChatTemplate::Options options;
      options.enable_thinking = golden.value("enable_thinking", true);
      options.add_generation_prompt = golden.value("add_generation_prompt", true);
      EXPECT_EQ(chat_template.render(golden["messages"], options), golden["prompt"].get<std::string>()) << place;
      ++checked;
    }
  }
  std::cout << "checked " << checked << " chat template cases\n";
  EXPECT_GT(checked, 0);
}

TEST(chat_template, own_cases) { check_template_cases(own_data() / "small-tokenizer", own_data() / "tokenizer_cases"); }

TEST(chat_template, golden_cases) {
  const fs::path folder = shared_data() / "tokenizer_cases";
  if (!fs::is_directory(folder)) GTEST_SKIP() << "no folder " << folder << "; set SPECTHINK_DATA";
  check_template_cases(shared_data() / "qwen3-tokenizer", folder);
}

TEST(chat_template, variables) {
  const char* source =
      "{{ add_generation_prompt }} {{ enable_thinking }} {{ tools is none }} {{ documents is none }} "
      "{{ bos_token is defined }}";
  EXPECT_EQ(render(source, user("hi"), {.add_generation_prompt = true, .enable_thinking = false}),
            "True False True True False");
  EXPECT_EQ(render(source, user("hi"), {.kwargs = {{"enable_thinking", false}, {"bos_token", "b"}}}),
            "True False True True True");
  const ChatTemplate with_token =
      ChatTemplate::parse("{{ bos_token }}{{ n + 1 }}", {{"bos_token", "<s>"}, {"n", 2}}, "t");
  EXPECT_EQ(with_token.render(user("hi"), {}), "<s>3");
  EXPECT_EQ(with_token.render(user("hi"), {}), "<s>3") << "a template can be rendered again";
}

TEST(chat_template, variables_of_the_user_replace_all_but_the_messages_and_the_prompt) {
  const char* source =
      "{{ bos_token }}{{ tools[0].name }} {{ documents | length }} {{ messages[0].content }} {{ add_generation_prompt }}";
  const ChatTemplate with_token = ChatTemplate::parse(source, {{"bos_token", "<s>"}}, "t");
  const OrderedJson kwargs = {{"tools", OrderedJson::array({{{"name", "f"}}})},
                              {"documents", OrderedJson::array({1, 2})},
                              {"bos_token", "<b>"},
                              {"messages", "none"},
                              {"add_generation_prompt", false}};
  EXPECT_EQ(with_token.render(user("hi"), {.kwargs = kwargs}), "<b>f 2 hi True");
}

TEST(chat_template, null_keys_count_as_missing) {
  const OrderedJson messages =
      parse_messages(R"([{"role": "assistant", "content": null, "tool_calls": [{"id": null}]}])", "test");
  EXPECT_EQ(render("{{ messages[0].content is defined }} {{ messages[0].tool_calls[0].id is none }}", messages),
            "False True");
}

TEST(chat_template, reasoning_goes_by_several_names) {
  EXPECT_EQ(render("{{ messages[0] | tojson }}", parse_messages(R"([{"role": "a", "thinking": "t"}])", "test")),
            R"({"thinking": "t", "role": "a", "reasoning_content": "t"})");
  EXPECT_EQ(render("{{ messages[0] | tojson }}", parse_messages(R"([{"reasoning": "r", "role": "a"}])", "test")),
            R"({"thinking": "r", "reasoning": "r", "role": "a", "reasoning_content": "r"})");
  EXPECT_EQ(render("{{ messages[0].reasoning_content }}",
                   parse_messages(R"([{"reasoning_content": "x", "thinking": "y"}])", "test")),
            "x");
}

TEST(chat_template, objects_keep_the_order_of_their_keys) {
  const OrderedJson messages =
      parse_messages(R"([{"role": "user", "zeta": {"b": 1, "a": [2.0, -1, 1e20, "ü"]}}])", "test");
  EXPECT_EQ(render("{{ messages[0] | tojson }}|{{ messages[0] }}", messages),
            R"({"role": "user", "zeta": {"b": 1, "a": [2.0, -1, 1e+20, "ü"]}}|)"
            R"({'role': 'user', 'zeta': {'b': 1, 'a': [2.0, -1, 1e+20, 'ü']}})");
}

TEST(chat_template, the_last_of_equal_keys_counts) {
  const OrderedJson messages = parse_messages(R"([{"role": "user", "x": 2, "role": "tool"}])", "test");
  EXPECT_EQ(render("{{ messages[0] | tojson }}", messages), R"({"role": "tool", "x": 2})");
}

TEST(chat_template, invalid_utf8_in_messages_is_replaced) {
  EXPECT_EQ(render("{{ messages[0].content }}|{{ messages[0].content[1:] }}", user("a\xFF\xC3")),
            "a\uFFFD\uFFFD|\uFFFD\uFFFD");
}

TEST(chat_template, messages_of_the_wrong_shape) {
  const auto error = [](const char* json) {
    return template_error([&] { render("x", parse_messages(json, "request.json")); });
  };
  EXPECT_EQ(error("[]"), "messages: expected at least one message, found an empty list");
  EXPECT_EQ(error("{}"), "messages: expected a JSON list of messages, found object");
  EXPECT_EQ(error("3"), "messages: expected a JSON list of messages, found number");
  EXPECT_EQ(error(R"([{"role": "user"}, "hi"])"),
            "messages[1]: expected an object with role and content, found string");
  EXPECT_NE(error(R"([{"role": 18446744073709551615}])").find("too large for a 64-bit integer"), std::string::npos);
  EXPECT_NE(error("[{]").find("request.json: not valid JSON at byte 3"), std::string::npos);
  EXPECT_NE(error((std::string(300, '[') + std::string(300, ']')).c_str()).find("nested deeper"), std::string::npos);

  OrderedJson deep = 1;
  for (int i = 0; i < 1000; ++i) deep = OrderedJson::array({std::move(deep)});
  const OrderedJson messages = {{{"role", "user"}, {"content", deep}}};
  EXPECT_NE(template_error([&] { render("x", messages); }).find("nested deeper"), std::string::npos);
}

TEST(chat_template, errors_name_template_and_line) {
  const auto error = [](const char* source) { return template_error([&] { render(source, user("hi")); }); };
  EXPECT_EQ(error("a\n\n{{ raise_exception('Roles must\nalternate') }}"),
            "chat template test, line 3: Roles must alternate");
  EXPECT_EQ(error("{{ 1 }}\n{% if %}"), "chat template test, line 2: expected an expression, found '%}'");
  EXPECT_EQ(error("{{ messages[0].a.b }}"), "chat template test, line 1: 'dict object' has no attribute 'a'");
  EXPECT_EQ(error("\xC3"), "chat template test: not valid UTF-8 at byte 0");
}

TEST_F(chat_template_folder, jinja_file_comes_first) {
  write("tokenizer_config.json", R"({"chat_template": "config", "eos_token": "<e>"})");
  EXPECT_EQ(rendered(), "config");
  write("chat_template.jinja", "file {{ eos_token }}\n");
  EXPECT_EQ(rendered(), "file <e>");
  fs::remove(folder_ / "tokenizer_config.json");
  EXPECT_EQ(rendered(), "file ");
}

TEST_F(chat_template_folder, named_templates) {
  write("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "tools"},
                                                       {"name": "default", "template": "plain"}]})");
  EXPECT_EQ(rendered(), "plain");
  write("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "tools"}, 3]})");
  EXPECT_NE(load_error().find("none of them is named 'default'"), std::string::npos);
  write("tokenizer_config.json", R"({"chat_template": [{"name": "default", "template": 3}]})");
  EXPECT_NE(load_error().find("'default' has no string 'template'"), std::string::npos);
}

TEST_F(chat_template_folder, an_object_of_templates) {
  write("tokenizer_config.json", R"({"chat_template": {"tool_use": "tools", "default": "plain"}})");
  EXPECT_EQ(rendered(), "plain");
  write("tokenizer_config.json", R"({"chat_template": {"tool_use": "tools"}})");
  EXPECT_NE(load_error().find("none of them is named 'default'"), std::string::npos);
}

TEST_F(chat_template_folder, a_folder_of_templates_comes_first) {
  write("tokenizer_config.json", R"({"chat_template": "of the configuration"})");
  std::filesystem::create_directories(folder_ / "additional_chat_templates");
  write("additional_chat_templates/rag.jinja", "rag");
  EXPECT_NE(load_error().find("none of them is named 'default'"), std::string::npos);
  write("chat_template.jinja", "of the file");
  EXPECT_EQ(rendered(), "of the file");
  write("additional_chat_templates/default.jinja", "of the folder");
  EXPECT_EQ(rendered(), "of the folder");
}

TEST_F(chat_template_folder, tokens_that_only_the_older_file_names) {
  write("tokenizer_config.json", R"({"bos_token": null, "chat_template": "{{ bos_token }}{{ eos_token }}"})");
  write("special_tokens_map.json", R"({"bos_token": "<b>", "eos_token": {"content": "<e>", "lstrip": false}})");
  EXPECT_EQ(rendered(), "<b><e>");
  write("tokenizer_config.json",
        R"({"added_tokens_decoder": {}, "eos_token": "<x>", "chat_template": "{{ bos_token }}{{ eos_token }}"})");
  EXPECT_EQ(rendered(), "<x>") << "beside added_tokens_decoder the older file is not read";
}

TEST_F(chat_template_folder, tokens_are_variables) {
  write("tokenizer_config.json", R"({
    "bos_token": {"__type": "AddedToken", "content": "<b>", "lstrip": false}, "eos_token": "<e>", "pad_token": null,
    "unk_token": {"id": 3}, "add_bos_token": true, "image_token": "<i>", "extra_special_tokens": {"call": "<c>"},
    "chat_template": "{{ bos_token }}{{ eos_token }}{{ image_token }}{{ call }} {{ pad_token is defined }} {{ unk_token is defined }} {{ add_bos_token is defined }}"})");
  EXPECT_EQ(rendered(), "<b><e><i><c> False False False");
}

TEST_F(chat_template_folder, broken_folders) {
  EXPECT_NE(load_error().find("neither chat_template.jinja nor tokenizer_config.json"), std::string::npos);
  write("tokenizer_config.json", "{}");
  EXPECT_NE(load_error().find("no chat_template, and no chat_template.jinja beside it"), std::string::npos);
  write("tokenizer_config.json", R"({"chat_template": 5})");
  EXPECT_NE(load_error().find("chat_template: expected a string, a list or an object, found number"),
            std::string::npos);
  write("tokenizer_config.json", "[]");
  EXPECT_NE(load_error().find("expected a JSON object"), std::string::npos);
  write("tokenizer_config.json", "{\"chat_template\": \"x\"");
  EXPECT_NE(load_error().find("tokenizer_config.json: not valid JSON at byte"), std::string::npos);
  write("tokenizer_config.json", R"({"chat_template": "a\n{% for %}"})");
  EXPECT_NE(load_error().find("tokenizer_config.json, line 2: expected a name to assign to"), std::string::npos);
  fs::create_directories(folder_ / "chat_template.jinja");
  EXPECT_NE(load_error().find("chat_template.jinja"), std::string::npos);
}

}  // namespace
}  // namespace specthink
