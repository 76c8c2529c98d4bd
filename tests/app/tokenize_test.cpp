// specthink tokenize, as a user runs it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "app/program.h"
#include "specthink/base/json.h"
#include "text/text_fixtures.h"

namespace specthink {
namespace {

using testing_support::ProgramResult;
using testing_support::run_program;

// A folder with a tokenizer and nothing else.
const std::filesystem::path& tokenizer_folder() {
  static const auto folder = [] {
    auto made = testing_support::fresh_folder("tokenizer");
    Json tokenizer = testing::tokenizer_json("llama_style");
    tokenizer["post_processor"] = nullptr;
    std::ofstream(made / "tokenizer.json") << tokenizer.dump();
    return made;
  }();
  return folder;
}

ProgramResult tokenize(const std::string& arguments, const std::string& input = "") {
  return run_program("tokenize --model '" + tokenizer_folder().string() + "' " + arguments, 0, input);
}

Json ids_of(const std::string& text) { return Tokenizer::load(tokenizer_folder()).encode(text); }

void expect_error(const ProgramResult& result, const std::string& expected) {
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find(expected), std::string::npos) << result.err;
  EXPECT_EQ(testing_support::count_messages(result.err), 1) << result.err;
}

TEST(tokenize, text_from_stdin_argument_and_file) {
  const std::string text = "Wait, the answer is 345.\n\n";
  const auto file = tokenizer_folder() / "text";
  std::ofstream(file) << text;
  const std::string expected = ids_of(text).dump() + "\n";
  EXPECT_EQ(tokenize("", text).out, expected);
  EXPECT_EQ(tokenize("--prompt-file '" + file.string() + "'").out, expected);
  EXPECT_EQ(tokenize("'Wait, the'").out, ids_of("Wait, the").dump() + "\n");
  EXPECT_EQ(tokenize("--format json", text).out, Json({{"ids", ids_of(text)}}).dump() + "\n");
  EXPECT_EQ(tokenize("", "").out, "[]\n");
}

TEST(tokenize, decode_is_the_reverse) {
  const std::string text = " Wait,\tthe 🙂<|im_end|>\n";
  const std::string ids = ids_of(text).dump();
  EXPECT_EQ(tokenize("--decode", ids).out, text);
  EXPECT_EQ(tokenize("--decode", ids.substr(1, ids.size() - 2)).out, text);
  EXPECT_EQ(tokenize("--decode", R"({"ids": )" + ids + "}").out, text);
  EXPECT_EQ(tokenize("--decode --skip-special", ids).out, " Wait,\tthe 🙂\n");
  EXPECT_EQ(tokenize("--decode --format json", ids).out, Json({{"text", text}}).dump() + "\n");
  EXPECT_EQ(tokenize("--decode", "").out, "");
}

TEST(tokenize, a_post_processor_puts_its_tokens_around_the_text) {
  const auto folder = testing_support::fresh_folder("framed");
  const Json tokenizer = testing::tokenizer_json("llama_style");
  std::ofstream(folder / "tokenizer.json") << tokenizer.dump();
  Json expected = ids_of("abc");
  expected.insert(expected.begin(), tokenizer["post_processor"]["special_tokens"]["<|im_start|>"]["ids"][0]);
  EXPECT_EQ(run_program("tokenize --model '" + folder.string() + "' abc").out, expected.dump() + "\n");
}

TEST(tokenize, warnings_are_no_result) {
  const auto folder = testing_support::fresh_folder("misnumbered");
  Json tokenizer = testing::tokenizer_json("llama_style");
  tokenizer["post_processor"] = nullptr;
  tokenizer["added_tokens"][0]["id"] = 5000;
  std::ofstream(folder / "tokenizer.json") << tokenizer.dump();
  const ProgramResult result = run_program("tokenize --model '" + folder.string() + "' abc");
  EXPECT_EQ(result.out, ids_of("abc").dump() + "\n");
  EXPECT_NE(result.err.find("not 5000 as tokenizer.json states"), std::string::npos) << result.err;
}

TEST(tokenize, a_rank_of_a_launcher_that_is_not_there_prints_its_result) {
  for (const char* variables : {"PMIX_RANK=1", "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2",
                                "SLURM_PROCID=3 SLURM_NTASKS=4 SLURM_STEP_NUM_TASKS=4"}) {
    const ProgramResult result = tokenize("abc </dev/null; env " + std::string(variables) + " \"$SPECTHINK_BINARY\"" +
                                          " tokenize --model '" + tokenizer_folder().string() + "' abc");
    EXPECT_EQ(result.out, ids_of("abc").dump() + "\n" + ids_of("abc").dump() + "\n") << variables << result.err;
  }
}

TEST(tokenize, separators_of_ids) {
  const Json ids = ids_of("abc");
  ASSERT_EQ(ids.size(), 3u);
  const auto joined = [&](const std::string& separator) {
    return ids[0].dump() + separator + ids[1].dump() + separator + ids[2].dump();
  };
  for (const char* separator : {" ", ",", ", ", " , ", "\n", "\t\r\n"}) {
    EXPECT_EQ(tokenize("--decode", joined(separator)).out, "abc") << Json(separator);
  }
}

TEST(tokenize, lines) {
  const std::string input =
      Json({{"text", "a\n\nb"}}).dump() + "\n\n" + Json({{"text", ""}, {"id", 7}}).dump() + "\r\n";
  const std::string output = Json({{"ids", ids_of("a\n\nb")}}).dump() + "\n{\"ids\":[]}\n";
  EXPECT_EQ(tokenize("--format jsonl", input).out, output);
  EXPECT_EQ(tokenize("--format jsonl --decode", output).out, "{\"text\":\"a\\n\\nb\"}\n{\"text\":\"\"}\n");
}

TEST(tokenize, invalid_text_is_replaced) {
  EXPECT_EQ(tokenize("--format json", "a\xFF").out, Json({{"ids", ids_of("a\uFFFD")}}).dump() + "\n");
  const Json smile = ids_of("🙂");
  EXPECT_EQ(tokenize("--decode --format json", smile[0].dump()).out, "{\"text\":\"\uFFFD\"}\n");
}

TEST(tokenize, bad_lines_are_named_and_nothing_is_printed) {
  expect_error(tokenize("--format jsonl", "{\"text\":\"a\"}\n{\"text\":5}\n"), "line 2: \"text\" must be a string");
  expect_error(tokenize("--format jsonl", "{\"text\":\"a\"}\n\n[1"), "line 3: not valid JSON");
  expect_error(tokenize("--format jsonl", "[1]"), "line 1: expected an object");
  expect_error(tokenize("--format jsonl", "{\"text\":\"\xFF\"}"), "line 1: not valid JSON");
  expect_error(tokenize("--format jsonl --decode", "{\"text\":\"a\"}"), "line 1: expected an object {\"ids\"");
  expect_error(tokenize("--format jsonl --decode", "{\"ids\":[1,\"a\"]}"), "line 1: expected token ids");
}

TEST(tokenize, bad_ids) {
  for (const char* ids :
       {"5,,3", ",5", "5,", "5 x", "-1", "1.5", "[1.5]", "[-1]", "[[1]]", "99999999999", "[99999999999]", "{}"}) {
    expect_error(tokenize("--decode", ids), "stdin: expected ");
  }
  expect_error(tokenize("--decode", "[5"), "stdin: not valid JSON");
}

TEST(tokenize, tokenizer_that_is_not_there) {
  expect_error(run_program("tokenize x"), "--model");
  expect_error(run_program("tokenize --model '" + testing_support::fresh_folder("no_tokenizer").string() + "' x"),
               "tokenizer.json is missing");
}

}  // namespace
}  // namespace specthink
