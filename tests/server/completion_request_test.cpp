// Bodies of requests; tests/server/malformed_test.py has what is refused.
#include "server/api/completion_request.h"

#include <gtest/gtest.h>

#include <vector>

namespace specthink {
namespace {

const std::vector<ServedModel> kModels{{"pair", std::nullopt}, {"large", Role::target}, {"small", Role::draft}};

CompletionRequest chat(const std::string& fields) {
  const std::string body = R"({"messages": [{"role": "user", "content": "a"}])" + fields + "}";
  return parse_completion(Endpoint::chat, body, kModels, {.temperature = 0.5F, .top_p = 0.9F, .top_k = 7});
}

TEST(completion_request, says_nothing_and_gets_the_defaults) {
  const CompletionRequest request = chat("");
  EXPECT_EQ(request.model, "pair");
  ASSERT_EQ(request.runs.size(), 1U);
  EXPECT_EQ(request.runs[0].alone, std::nullopt);
  EXPECT_EQ(request.runs[0].max_tokens, std::nullopt);
  EXPECT_EQ(request.n, 1);
  EXPECT_EQ(request.seed, std::nullopt);
  EXPECT_FLOAT_EQ(request.sampling.temperature, 0.5F);
  EXPECT_EQ(request.sampling.top_k, 7);
  EXPECT_FALSE(request.stream);
}

TEST(completion_request, has_what_it_says) {
  const CompletionRequest request = chat(
      R"(, "model": "small", "n": 3, "seed": -1, "temperature": 0, "top_p": 1, "top_k": -1, "max_completion_tokens": 5.0,
         "stop": ["a", "b"], "stream": true, "stream_options": {"include_usage": true}, "ignore_eos": true,
         "chat_template_kwargs": {"enable_thinking": false}, "thinking_budget": 9, "user": "me", "tools": null)");
  EXPECT_EQ(request.runs[0].alone, Role::draft);
  EXPECT_EQ(request.runs[0].max_tokens, 5);
  EXPECT_TRUE(request.runs[0].ignore_eos);
  EXPECT_EQ(request.runs[0].chat_template_kwargs["enable_thinking"], false);
  EXPECT_EQ(request.runs[0].schedule["thinking_budget"], 9);
  EXPECT_EQ(request.n, 3);
  EXPECT_EQ(request.seed, ~std::uint64_t{0});
  EXPECT_EQ(request.sampling.temperature, 0);
  EXPECT_EQ(request.sampling.top_p, 1);
  EXPECT_EQ(request.sampling.top_k, 0);
  EXPECT_EQ(request.stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(request.stream && request.include_usage);
}

TEST(completion_request, parts_of_a_message_are_joined) {
  const std::string body =
      R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                       {"role": "assistant", "content": null}]})";
  const CompletionRequest request = parse_completion(Endpoint::chat, body, kModels, {});
  EXPECT_EQ(request.runs[0].messages[0]["content"], "a\nb");
}

TEST(completion_request, prompts_are_texts_or_ids) {
  const auto parse = [](const std::string& prompt) {
    return parse_completion(Endpoint::completions, R"({"prompt": )" + prompt + "}", kModels, {}).runs;
  };
  EXPECT_EQ(parse(R"("a")")[0].text, "a");
  EXPECT_EQ(parse("[1, 2]")[0].ids, (TokenIds{1, 2}));
  EXPECT_EQ(parse(R"(["a", [3]])")[1].ids, (TokenIds{3}));
  EXPECT_EQ(parse(R"("a")")[0].max_tokens, 16);
}

TEST(completion_request, the_first_mistake_is_named) {
  const auto error_of = [](const std::string& fields) {
    try {
      chat(fields);
    } catch (const BadRequest& bad) {
      return bad.error;
    }
    return ApiError{};
  };
  EXPECT_EQ(error_of(R"(, "temperature": "hot")").param, "temperature");
  EXPECT_EQ(error_of(R"(, "temprature": 1)").message.find("did you mean 'temperature'") != std::string::npos, true);
  EXPECT_EQ(error_of(R"(, "model": "other")").status, 404);
  EXPECT_EQ(error_of(R"(, "logprobs": 1)").param, "logprobs");
  EXPECT_EQ(error_of(R"(, "logprobs": true, "top_logprobs": 3)").param, "top_logprobs");
  EXPECT_EQ(error_of(R"(, "thinking_budget": 0)").param, "thinking_budget");
}

}  // namespace
}  // namespace specthink
