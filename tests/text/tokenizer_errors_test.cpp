// Malformed tokenizer files: each is a UserError that names the file, the key and what is wrong.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "specthink/base/file.h"
#include "text/text_fixtures.h"

namespace specthink {
namespace {

using testing::parse_tokenizer;
using testing::tokenizer_json;
using testing::user_error;

struct BadFile {
  const char* name;
  std::function<void(Json&)> damage;
  std::vector<std::string> expected;  // in the message
};

Json step_of(Json pattern) {
  return {{"type", "Split"}, {"pattern", std::move(pattern)}, {"behavior", "Isolated"}, {"invert", false}};
}

Json& first_step(Json& json) { return json["pre_tokenizer"]["pretokenizers"][0]; }

const std::vector<BadFile>& bad_files() {
  static const std::vector<BadFile> files{
      {"not_an_object", [](Json& j) { j = Json::array(); }, {"expected an object"}},
      {"no_model", [](Json& j) { j.erase("model"); }, {"'model' is missing"}},
      {"model_is_a_list", [](Json& j) { j["model"] = Json::array({1}); }, {"model", "expected an object", "array"}},
      {"word_piece", [](Json& j) { j["model"]["type"] = "WordPiece"; }, {"model.type", "BPE", "WordPiece"}},
      {"unigram",
       [](Json& j) {
         j["model"] = {{"type", "Unigram"}, {"vocab", Json::array()}};
       },
       {"model.type", "Unigram"}},
      {"no_vocabulary", [](Json& j) { j["model"].erase("vocab"); }, {"model", "'vocab' is missing"}},
      {"vocabulary_is_a_list", [](Json& j) { j["model"]["vocab"] = Json::array({"a"}); }, {"model.vocab", "object"}},
      {"negative_id", [](Json& j) { j["model"]["vocab"]["a"] = -1; }, {"model.vocab", "'a'", "-1"}},
      {"huge_id", [](Json& j) { j["model"]["vocab"]["a"] = 1 << 24; }, {"model.vocab", "'a'", "16777216"}},
      {"id_beyond_64_bits", [](Json& j) { j["model"]["vocab"]["a"] = 1e30; }, {"model.vocab", "'a'"}},
      {"id_is_a_fraction", [](Json& j) { j["model"]["vocab"]["a"] = 1.5; }, {"model.vocab", "'a'", "1.5"}},
      {"id_is_text", [](Json& j) { j["model"]["vocab"]["a"] = "7"; }, {"model.vocab", "'a'", "\"7\""}},
      {"id_twice", [](Json& j) { j["model"]["vocab"]["a"] = j["model"]["vocab"]["b"]; }, {"model.vocab", "'a'", "'b'"}},
      {"no_merges", [](Json& j) { j["model"].erase("merges"); }, {"model", "'merges' is missing"}},
      {"merges_are_no_list", [](Json& j) { j["model"]["merges"] = "a b"; }, {"model.merges", "expected a list"}},
      {"merge_of_one", [](Json& j) { j["model"]["merges"][5] = "ab"; }, {"model.merges", "merge 5", "pair", "ab"}},
      {"merge_of_three", [](Json& j) { j["model"]["merges"][5] = "a b c"; }, {"model.merges", "merge 5"}},
      {"merge_list_of_three",
       [](Json& j) {
         j["model"]["merges"][0] = Json::array({"a", "b", "c"});
       },
       {"model.merges", "merge 0"}},
      {"merge_of_numbers",
       [](Json& j) {
         j["model"]["merges"][0] = Json::array({1, 2});
       },
       {"model.merges", "merge 0"}},
      {"merge_of_unknown_part",
       [](Json& j) { j["model"]["merges"][1] = "a nosuch"; },
       {"model.merges", "merge 1", "'nosuch'", "not in the vocabulary"}},
      {"merge_with_unknown_result",
       [](Json& j) { j["model"]["merges"][1] = "Q Q"; },
       {"model.merges", "merge 1", "'QQ'", "not in the vocabulary"}},
      {"byte_fallback_is_text",
       [](Json& j) { j["model"]["byte_fallback"] = "no"; },
       {"model.byte_fallback", "true or false"}},
      {"dropout", [](Json& j) { j["model"]["dropout"] = 0.1; }, {"model.dropout", "0.1"}},
      {"added_tokens_are_no_list", [](Json& j) { j["added_tokens"] = "x"; }, {"added_tokens", "expected a list"}},
      {"added_token_is_text", [](Json& j) { j["added_tokens"][1] = "x"; }, {"added_tokens[1]", "expected an object"}},
      {"added_token_without_content",
       [](Json& j) { j["added_tokens"][0].erase("content"); },
       {"added_tokens[0]", "'content' is missing"}},
      {"added_token_with_a_number", [](Json& j) { j["added_tokens"][0]["content"] = 5; }, {"added_tokens[0].content"}},
      {"added_token_with_a_text_flag",
       [](Json& j) { j["added_tokens"][1]["lstrip"] = "yes"; },
       {"added_tokens[1].lstrip", "true or false"}},
      {"added_token_without_id",
       [](Json& j) { j["added_tokens"][1].erase("id"); },
       {"added_tokens[1]", "'id' is missing"}},
      {"added_token_with_negative_id", [](Json& j) { j["added_tokens"][1]["id"] = -4; }, {"added_tokens[1].id", "-4"}},
      {"added_token_on_a_used_id",
       [](Json& j) { j["model"]["vocab"]["a"] = j["model"]["vocab"].size(); },
       {"added_tokens[0]", "is in the vocabulary"}},
      {"normalizer_inside_a_sequence",
       [](Json& j) {
         j["normalizer"] = {{"type", "Sequence"},
                            {"normalizers", Json::array({{{"type", "NFC"}}, {{"type", "Precompiled"}}})}};
       },
       {"normalizer.normalizers[1].type", "Precompiled"}},
      {"other_pre_tokenizer",
       [](Json& j) {
         first_step(j) = {{"type", "CodePoints"}};
       },
       {"pre_tokenizer.pretokenizers[0].type", "CodePoints"}},
      {"unknown_behavior", [](Json& j) { first_step(j)["behavior"] = "Merged"; }, {"behavior", "Merged"}},
      {"no_pattern", [](Json& j) { first_step(j).erase("pattern"); }, {"pretokenizers[0]", "'pattern' is missing"}},
      {"open_group",
       [](Json& j) {
         first_step(j) = step_of({{"Regex", "\\p{L}+|(a"}});
       },
       {"pattern.Regex", "'\\p{L}+|(a'", "missing )", "at byte 9"}},
      {"open_class",
       [](Json& j) {
         first_step(j) = step_of({{"Regex", "a[b"}});
       },
       {"'a[b'", "missing ]", "at byte 1"}},
      {"unknown_property",
       [](Json& j) {
         first_step(j) = step_of({{"Regex", "a\\p{Nonsense}"}});
       },
       {"'a\\p{Nonsense}'", "property"}},
      {"nothing_to_repeat",
       [](Json& j) {
         first_step(j) = step_of({{"Regex", "a|*"}});
       },
       {"'a|*'", "at byte 2"}},
      {"backreference",
       [](Json& j) {
         first_step(j) = step_of({{"Regex", "(a)\\1"}});
       },
       {"\\1", "at byte 3"}},
      {"nested_class",
       [](Json& j) {
         first_step(j) = step_of({{"Regex", "[a[b]]"}});
       },
       {"[ inside a class", "byte 2"}},
      {"options_in_the_middle",
       [](Json& j) {
         first_step(j) = step_of({{"Regex", "a(?i)b"}});
       },
       {"(?i)", "at byte 1"}},
      {"backslash_at_the_end",
       [](Json& j) {
         first_step(j) = step_of({{"Regex", "ab\\"}});
       },
       {"'ab\\'", "at byte 3"}},
      {"other_post_processor",
       [](Json& j) {
         j["post_processor"] = {{"type", "Nonsense"}};
       },
       {"post_processor.type", "Nonsense"}},
      {"template_with_an_unknown_token",
       [](Json& j) {
         j["post_processor"] = {{"type", "TemplateProcessing"},
                                {"single", Json::array({{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}}})},
                                {"special_tokens", Json::object()}};
       },
       {"post_processor.special_tokens", "'<s>' is missing"}},
      {"other_decoder",
       [](Json& j) {
         j["decoder"] = {{"type", "CTC"}};
       },
       {"decoder.type", "CTC"}},
  };
  return files;
}

TEST(tokenizer_errors, name_file_and_key) {
  const Json good = tokenizer_json("llama_style");
  parse_tokenizer(good);
  for (const BadFile& file : bad_files()) {
    Json json = good;
    file.damage(json);
    std::string message;
    ASSERT_NO_THROW(message = user_error([&] { parse_tokenizer(json); })) << file.name;
    EXPECT_TRUE(message.starts_with("tokenizer.json: ")) << file.name << ": " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << file.name;
    for (const std::string& expected : file.expected) {
      EXPECT_NE(message.find(expected), std::string::npos) << file.name << ": " << message << " has no " << expected;
    }
  }
  fmt::print("checked {} malformed files\n", bad_files().size());
}

TEST(tokenizer_errors, text_that_is_no_json) {
  const auto message_of = [](const std::string& text) {
    return user_error([&] { Tokenizer::parse(text, "", "tokenizer.json"); });
  };
  const std::string good = tokenizer_json("llama_style").dump();
  EXPECT_NE(message_of(good.substr(0, good.size() / 2)).find("tokenizer.json: not valid JSON at byte"),
            std::string::npos);
  EXPECT_NE(message_of("").find("not valid JSON"), std::string::npos);
  EXPECT_NE(message_of(std::string(100'000, '[')).find("nested deeper"), std::string::npos);
  EXPECT_NE(message_of("{\"model\": \"\xFF\"}").find("not valid JSON"), std::string::npos);
  EXPECT_NE(message_of(R"({"model": "\ud800"})").find("model: expected an object"), std::string::npos)
      << "Python's JSON";
}

TEST(tokenizer_errors, too_many_steps) {
  Json json = tokenizer_json("llama_style");
  Json& steps = json["pre_tokenizer"]["pretokenizers"];
  const Json byte_level = steps[1];
  steps = Json::array();
  for (int i = 0; i < 1000; ++i) steps.push_back(step_of({{"String", "x"}}));
  steps.push_back(byte_level);
  EXPECT_NE(user_error([&] { parse_tokenizer(json); }).find("more than 64 steps"), std::string::npos);
}

TEST(tokenizer_errors, configurations_that_are_none) {
  const Json json = tokenizer_json("llama_style");
  const auto message_of = [&](const char* config) { return user_error([&] { parse_tokenizer(json, config); }); };
  EXPECT_NE(message_of("[]").find("expected a JSON object"), std::string::npos);
  EXPECT_NE(message_of(R"({"added_tokens_decoder": [1]})").find("added_tokens_decoder: expected an object"),
            std::string::npos);
  EXPECT_NE(message_of(R"({"added_tokens_decoder": {"x": {"content": "a"}}})").find("found 'x'"), std::string::npos);
  EXPECT_NE(message_of(R"({"added_tokens_decoder": {"5": {"special": true}}})").find("found '5'"), std::string::npos);
}

TEST(tokenizer_errors, an_unknown_token_that_is_needed) {
  Json json = tokenizer_json("llama_style");
  json["model"]["unk_token"] = "<unk>";
  json["pre_tokenizer"] = nullptr;  // so that the model sees characters that it does not know
  const Tokenizer tokenizer = parse_tokenizer(json);
  EXPECT_NE(user_error([&] { tokenizer.encode("\u4e2d"); }).find("unk_token '<unk>'"), std::string::npos);
}

TEST(tokenizer_errors, folder_without_a_tokenizer) {
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("specthink_tokenizer_{}", ::getpid());
  std::filesystem::create_directories(folder);
  EXPECT_NE(user_error([&] { Tokenizer::load(folder); }).find("tokenizer.json is missing"), std::string::npos);

  write_file_atomically(folder / "tokenizer.json", tokenizer_json("llama_style").dump());
  EXPECT_FALSE(Tokenizer::load(folder).eos_token_id().has_value());

  write_file_atomically(folder / "tokenizer_config.json", "{\"eos_token\": ");
  EXPECT_NE(user_error([&] { Tokenizer::load(folder); }).find("tokenizer_config.json"), std::string::npos);
  std::filesystem::remove_all(folder);
}

// A pattern that backtracks without end stops with a message instead.
TEST(tokenizer_errors, pattern_that_takes_too_long) {
  Json json = tokenizer_json("llama_style");
  first_step(json) = step_of({{"Regex", "(?:a+)+[bc]"}});
  const Tokenizer tokenizer = parse_tokenizer(json);
  const std::string message = user_error([&] { tokenizer.encode(std::string(40, 'a')); });
  EXPECT_NE(message.find("'(?:a+)+[bc]'"), std::string::npos) << message;
}

}  // namespace
}  // namespace specthink
