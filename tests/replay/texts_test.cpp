#include "specthink/replay/texts.h"

#include "fixtures.h"

namespace specthink {
namespace {

const std::filesystem::path kResultFile = "tests/data/result_files/speculative_thinking.json";

Trace made_trace(int problem, int run) {
  Trace trace;
  trace.problem = problem;
  trace.run = run;
  return trace;
}

TEST(replay_texts, are_those_of_the_problem_and_the_run) {
  const Tokenizer tokenizer = Tokenizer::load("tests/data/small-tokenizer");
  const std::vector<TokenIds> texts = read_texts(kResultFile, {made_trace(2, 1), made_trace(0, 0)}, tokenizer);
  ASSERT_EQ(texts.size(), 2u);
  const Json document = parse_json(slurp(kResultFile), "");
  const Json& problems = document.at("results").at("problems");
  EXPECT_EQ(tokenizer.decode(texts[0]), problems[2].at("runs")[1].at("generated_text").get<std::string>());
  EXPECT_EQ(tokenizer.decode(texts[1]), problems[0].at("runs")[0].at("generated_text").get<std::string>());
}

TEST(replay_texts, a_run_that_is_missing_is_named) {
  const Tokenizer tokenizer = Tokenizer::load("tests/data/small-tokenizer");
  expect_contains(message_of<UserError>([&] { read_texts(kResultFile, {made_trace(7, 0)}, tokenizer); }),
                  "no run 0 of problem 7");
  expect_contains(message_of<UserError>([&] { read_texts(kResultFile, {made_trace(0, 9)}, tokenizer); }),
                  "no run 9 of problem 0");
}

TEST(replay_texts, other_files_are_refused) {
  const Tokenizer tokenizer = Tokenizer::load("tests/data/small-tokenizer");
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "file.json";
  for (const char* content : {"{}", "[]", "{\"results\": 3}", "{\"results\": {\"problems\": [4]}}", "not json"}) {
    std::ofstream(file) << content;
    message_of<UserError>([&] { read_texts(file, {made_trace(0, 0)}, tokenizer); });
  }
}

}  // namespace
}  // namespace specthink
