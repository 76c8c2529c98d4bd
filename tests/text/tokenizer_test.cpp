// Ids and texts against those of the reference library.
#include "specthink/text/tokenizer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "text/text_fixtures.h"

namespace specthink {
namespace {

using testing::fixtures;
using testing::own_data;
using testing::parse_tokenizer;
using testing::read_lines;
using testing::shared_data;
using testing::tokenizer_json;

void expect_case(const Tokenizer& tokenizer, const Json& item, const std::string& place) {
  const auto ids = item.at("ids").get<TokenIds>();
  EXPECT_EQ(tokenizer.encode(item.at("text").get<std::string>()), ids) << place;
  EXPECT_EQ(tokenizer.decode(ids), item.at("decoded").get<std::string>()) << place;
  EXPECT_EQ(tokenizer.decode(ids, /*skip_special_tokens=*/true), item.at("decoded_skip_special").get<std::string>())
      << place;
}

void check_tokenizer_cases(const std::filesystem::path& tokenizer_folder, const std::filesystem::path& folder) {
  const Tokenizer tokenizer = Tokenizer::load(tokenizer_folder);
  std::size_t checked = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".jsonl") continue;
    std::size_t line = 0;
    for (const Json& item : read_lines(file.path())) {
      ++line;
      if (!item.contains("text")) continue;  // chat templates have their own test
      expect_case(tokenizer, item, fmt::format("{}:{}", file.path().string(), line));
      ++checked;
    }
  }
  fmt::print("checked {} cases\n", checked);
  EXPECT_GT(checked, 0u);
}

TEST(tokenizer, own_cases) { check_tokenizer_cases(own_data() / "small-tokenizer", own_data() / "tokenizer_cases"); }

TEST(tokenizer, golden_cases) {
  const auto folder = shared_data() / "tokenizer_cases";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is absent";
  check_tokenizer_cases(shared_data() / "qwen3-tokenizer", folder);
}

TEST(tokenizer, fixtures_of_the_reference_library) {
  std::map<std::string, Tokenizer> tokenizers;
  std::size_t line = 0;
  for (const Json& item : read_lines(fixtures() / "encodings.jsonl")) {
    const auto name = item.at("tokenizer").get<std::string>();
    if (!tokenizers.contains(name)) tokenizers.emplace(name, parse_tokenizer(tokenizer_json(name)));
    expect_case(tokenizers.at(name), item, fmt::format("encodings.jsonl:{} ({})", ++line, name));
  }
  fmt::print("checked {} cases\n", line);
  EXPECT_EQ(tokenizers.size(), 3u);
}

TEST(tokenizer, families_of_the_reference_library) {
  std::map<std::string, Tokenizer> tokenizers;
  std::size_t line = 0;
  for (const Json& item : read_lines(fixtures() / "families.jsonl")) {
    const auto name = item.at("tokenizer").get<std::string>();
    if (!tokenizers.contains(name)) tokenizers.emplace(name, parse_tokenizer(tokenizer_json(name)));
    const Tokenizer& tokenizer = tokenizers.at(name);
    const std::string place = fmt::format("families.jsonl:{} ({})", ++line, name);
    expect_case(tokenizer, item, place);
    EXPECT_EQ(tokenizer.encode_framed(item.at("text").get<std::string>()), item.at("framed").get<TokenIds>()) << place;
  }
  fmt::print("checked {} cases\n", line);
  EXPECT_EQ(tokenizers.size(), 5u);
}

TEST(tokenizer, a_text_that_goes_on_begins_once) {
  const Tokenizer tokenizer = parse_tokenizer(tokenizer_json("phi3_style"));
  const TokenIds begun = tokenizer.encode_with_start("Wait");
  EXPECT_EQ(begun, tokenizer.encode_framed("Wait"));
  EXPECT_EQ(tokenizer.encode_with_start("<s>Wait"), tokenizer.encode("<s>Wait"));
  EXPECT_EQ(tokenizer.encode("<s>Wait").front(), begun.front());
}

TEST(tokenizer, invalid_utf8_is_replaced_before_encoding) {
  const Tokenizer tokenizer = parse_tokenizer(tokenizer_json("llama_style"));
  EXPECT_EQ(tokenizer.encode("a\xF0\x9F z\xFF"), tokenizer.encode("a\uFFFD z\uFFFD"));
}

TEST(tokenizer, decode_skips_unknown_ids_and_replaces_partial_characters) {
  const Tokenizer tokenizer = parse_tokenizer(tokenizer_json("llama_style"));
  const TokenIds ids = tokenizer.encode("a🙂");
  ASSERT_GT(ids.size(), 2u);
  TokenIds cut(ids.begin(), ids.end() - 1);
  EXPECT_EQ(tokenizer.decode(cut), "a\uFFFD");
  cut.insert(cut.begin() + 1, {-1, 1'000'000, static_cast<TokenId>(tokenizer.size())});
  EXPECT_EQ(tokenizer.decode(cut), "a\uFFFD");
}

TEST(tokenizer, bytes_of_tokens) {
  const Tokenizer tokenizer = parse_tokenizer(tokenizer_json("added_tokens"));
  const TokenId special = tokenizer.token_id("<|im_start|>").value();
  const TokenId added = tokenizer.token_id("<think>").value();
  EXPECT_TRUE(tokenizer.is_special(special));
  EXPECT_EQ(tokenizer.bytes(special), "");
  EXPECT_FALSE(tokenizer.is_special(added));
  EXPECT_EQ(tokenizer.bytes(added), "<think>");
  EXPECT_EQ(tokenizer.bytes(tokenizer.token_id("Ġ").value()), " ");
  const Tokenizer pieces = parse_tokenizer(tokenizer_json("phi3_style"));
  EXPECT_EQ(pieces.bytes(pieces.token_id("\u2581").value()), " ");
  EXPECT_EQ(pieces.bytes(pieces.token_id("<0xE4>").value()), "\xE4");
  EXPECT_EQ(pieces.bytes(pieces.token_id("<s>").value()), "");
  EXPECT_EQ(tokenizer.bytes(-1), "");
  EXPECT_EQ(tokenizer.bytes(static_cast<TokenId>(tokenizer.size())), "");
  EXPECT_FALSE(tokenizer.is_special(-1));
  EXPECT_FALSE(tokenizer.token_id("no such token").has_value());
}

TEST(tokenizer, eos_token_as_string_and_as_object) {
  const Json json = tokenizer_json("llama_style");
  const TokenId end = parse_tokenizer(json).token_id("<|im_end|>").value();
  EXPECT_EQ(parse_tokenizer(json, R"({"eos_token": "<|im_end|>"})").eos_token_id(), end);
  EXPECT_EQ(parse_tokenizer(json, R"({"eos_token": {"content": "<|im_end|>", "special": true}})").eos_token_id(), end);
  EXPECT_EQ(parse_tokenizer(json, R"({"eos_token": null})").eos_token_id(), std::nullopt);
  EXPECT_EQ(parse_tokenizer(json).eos_token_id(), std::nullopt);
}

TEST(tokenizer, merges_as_strings_and_as_pairs_are_the_same) {
  Json pairs = tokenizer_json("added_tokens");
  Json strings = pairs;
  strings["model"]["merges"] = Json::array({"#version: 0.2"});
  for (const Json& pair : pairs["model"]["merges"]) {
    strings["model"]["merges"].push_back(pair[0].get<std::string>() + " " + pair[1].get<std::string>());
  }
  EXPECT_EQ(parse_tokenizer(pairs).base_difference(parse_tokenizer(strings)), "");
}

TEST(tokenizer, base_difference_names_the_first_difference) {
  const Json json = tokenizer_json("llama_style");
  const Tokenizer tokenizer = parse_tokenizer(json);
  EXPECT_EQ(tokenizer.base_difference(parse_tokenizer(json)), "");

  Json more = json;
  more["model"]["vocab"]["brandnew"] = 900;
  EXPECT_EQ(tokenizer.base_difference(parse_tokenizer(more)),
            fmt::format("the vocabularies have {} and {} tokens", json["model"]["vocab"].size(),
                        more["model"]["vocab"].size()));
  EXPECT_NE(parse_tokenizer(more).base_difference(tokenizer).find("'brandnew' (id 900)"), std::string::npos);

  Json swapped = json;
  std::swap(swapped["model"]["vocab"]["a"], swapped["model"]["vocab"]["b"]);
  EXPECT_NE(tokenizer.base_difference(parse_tokenizer(swapped)).find("token 'a' has id"), std::string::npos);

  Json reordered = json;
  std::swap(reordered["model"]["merges"][3], reordered["model"]["merges"][4]);
  EXPECT_NE(tokenizer.base_difference(parse_tokenizer(reordered)).find("merge 3 joins"), std::string::npos);

  Json shorter = json;
  shorter["model"]["merges"].erase(shorter["model"]["merges"].size() - 1);
  EXPECT_NE(tokenizer.base_difference(parse_tokenizer(shorter)).find("merges"), std::string::npos);
}

TEST(tokenizer, added_tokens_are_no_base_difference) {
  const Json json = tokenizer_json("added_tokens");
  Json fewer = json;
  fewer["added_tokens"].erase(fewer["added_tokens"].size() - 1);
  Json other_flag = json;
  other_flag["added_tokens"].back()["lstrip"] = !other_flag["added_tokens"].back()["lstrip"].get<bool>();
  const Tokenizer tokenizer = parse_tokenizer(json);
  for (const Json& other : {fewer, other_flag}) {
    EXPECT_EQ(tokenizer.base_difference(parse_tokenizer(other)), "");
    EXPECT_FALSE(tokenizer.same_added_tokens(parse_tokenizer(other)));
  }
  EXPECT_TRUE(tokenizer.same_added_tokens(parse_tokenizer(json)));
}

// The reference numbers added tokens itself, whatever the file states.
TEST(tokenizer, added_tokens_are_numbered_from_the_vocabulary_size_on) {
  Json json = tokenizer_json("llama_style");
  const auto size = static_cast<TokenId>(json["model"]["vocab"].size());
  json["added_tokens"][0]["id"] = 5000;
  const Tokenizer tokenizer = parse_tokenizer(json);
  EXPECT_EQ(tokenizer.token_id("<|im_start|>"), size);
  EXPECT_EQ(tokenizer.token_id("<|im_end|>"), size + 1);
  EXPECT_EQ(tokenizer.size(), static_cast<std::size_t>(size) + 2);
}

// Long runs must take linear time and no deep stack. (A quadratic step would run into the test's time limit.)
TEST(tokenizer, long_runs_round_trip) {
  const Tokenizer tokenizer = parse_tokenizer(tokenizer_json("llama_style"));
  constexpr int kRepeats = 400'000;
  for (const std::string unit :
       {"a", " ", "\n", "1", "🙂", "\u0301\u0334", " \t", "\r\n", "'s", "<|im_", "<|im_start|>"}) {
    std::string text;
    for (int i = 0; i < kRepeats; ++i) text += unit;
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text) << unit;
  }
}

TEST(tokenizer, tokens_of_white_space_that_take_white_space_along) {
  Json json = tokenizer_json("added_tokens");
  for (Json& token : json["added_tokens"]) {
    if (token["content"] != "\n\n") continue;
    token["content"] = " ";
    token["lstrip"] = token["rstrip"] = true;
  }
  const Tokenizer tokenizer = parse_tokenizer(json);
  const std::string spaces(500'000, ' ');
  EXPECT_EQ(tokenizer.encode(spaces), TokenIds{tokenizer.token_id(" ").value()});
}

TEST(tokenizer, words_are_the_same_from_the_cache) {
  const Tokenizer tokenizer = parse_tokenizer(tokenizer_json("added_tokens"));
  const std::string text = "Wait, the answer is not 12. Wait, the answer is not 12.";
  const TokenIds first = tokenizer.encode(text);
  for (int i = 0; i < 40'000; ++i) tokenizer.encode(fmt::format("word{}", i));  // more words than the cache holds
  EXPECT_EQ(tokenizer.encode(text), first);
}

}  // namespace
}  // namespace specthink
