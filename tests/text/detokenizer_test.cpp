#include "specthink/text/detokenizer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "specthink/base/strings.h"
#include "text/text_fixtures.h"

namespace specthink {
namespace {

// Streams the ids, checks that every part is whole characters, and returns all of it.
std::string stream(const Tokenizer& tokenizer, const TokenIds& ids) {
  IncrementalDetokenizer detokenizer(tokenizer);
  std::string text;
  for (const TokenId id : ids) {
    const std::string part = detokenizer.push(id);
    EXPECT_EQ(valid_utf8_prefix(part), part.size()) << "half a character after token " << id;
    text += part;
  }
  return text + detokenizer.flush();
}

void check_detokenizer_cases(const std::filesystem::path& tokenizer_folder, const std::filesystem::path& folder) {
  const Tokenizer tokenizer = Tokenizer::load(tokenizer_folder);
  std::size_t checked = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    for (const Json& item : testing::read_lines(file.path())) {
      if (!item.contains("ids")) continue;
      EXPECT_EQ(stream(tokenizer, item["ids"].get<TokenIds>()), item["decoded_skip_special"].get<std::string>())
          << item;
      ++checked;
    }
  }
  fmt::print("checked {} cases\n", checked);
  EXPECT_GT(checked, 0u);
}

TEST(detokenizer, own_cases) {
  check_detokenizer_cases(testing::own_data() / "small-tokenizer", testing::own_data() / "tokenizer_cases");
}

// Runs of bytes that are no text are replaced one by one when all of them are known, which a stream cannot wait for;
// and the last word of word_style loses its space.
TEST(detokenizer, families) {
  std::map<std::string, Tokenizer> tokenizers;
  std::size_t checked = 0;
  for (const Json& item : testing::read_lines(testing::fixtures() / "families.jsonl")) {
    const auto name = item.at("tokenizer").get<std::string>();
    const auto expected = item["decoded_skip_special"].get<std::string>();
    if (name == "word_style" || expected.find("\uFFFD") != expected.npos) continue;
    if (!tokenizers.contains(name)) tokenizers.emplace(name, testing::parse_tokenizer(testing::tokenizer_json(name)));
    EXPECT_EQ(stream(tokenizers.at(name), item["ids"].get<TokenIds>()), expected) << item;
    ++checked;
  }
  EXPECT_GT(checked, 100u);
}

TEST(detokenizer, golden_cases) {
  const auto folder = testing::shared_data() / "tokenizer_cases";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is absent";
  check_detokenizer_cases(testing::shared_data() / "qwen3-tokenizer", folder);
}

TEST(detokenizer, random_ids_decode_like_the_whole) {
  std::mt19937 random(1);
  for (const char* name : {"gpt2_style", "llama_style", "added_tokens"}) {
    const Tokenizer tokenizer = testing::parse_tokenizer(testing::tokenizer_json(name));
    for (int round = 0; round < 2000; ++round) {
      TokenIds ids(random() % 30);
      for (TokenId& id : ids) id = static_cast<TokenId>(random() % (tokenizer.size() + 3)) - 1;
      ASSERT_EQ(stream(tokenizer, ids), tokenizer.decode(ids, /*skip_special_tokens=*/true)) << Json(ids);
    }
  }
}

TEST(detokenizer, a_character_comes_out_when_it_is_complete) {
  const Tokenizer tokenizer = testing::parse_tokenizer(testing::tokenizer_json("llama_style"));
  const TokenIds ids = tokenizer.encode("🙂");
  ASSERT_EQ(ids.size(), 4u);
  IncrementalDetokenizer detokenizer(tokenizer);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(detokenizer.push(ids[i]), "");
  EXPECT_EQ(detokenizer.push(ids[3]), "🙂");
  EXPECT_EQ(detokenizer.flush(), "");
}

TEST(detokenizer, a_special_token_does_not_end_a_character) {
  const Tokenizer tokenizer = testing::parse_tokenizer(testing::tokenizer_json("llama_style"));
  const TokenIds ids = tokenizer.encode("🙂");
  IncrementalDetokenizer detokenizer(tokenizer);
  EXPECT_EQ(detokenizer.push(ids[0]), "");
  EXPECT_EQ(detokenizer.push(tokenizer.token_id("<|im_end|>").value()), "");
  EXPECT_EQ(detokenizer.push(ids[1]), "");
  EXPECT_EQ(detokenizer.push(ids[2]), "");
  EXPECT_EQ(detokenizer.push(ids[3]), "🙂");
}

TEST(detokenizer, bytes_that_cannot_become_a_character_come_out_at_once) {
  const Tokenizer tokenizer = testing::parse_tokenizer(testing::tokenizer_json("llama_style"));
  const TokenIds smile = tokenizer.encode("🙂");
  const TokenId letter = tokenizer.encode("x").front();
  IncrementalDetokenizer detokenizer(tokenizer);
  EXPECT_EQ(detokenizer.push(smile[0]), "");
  EXPECT_EQ(detokenizer.push(letter), "\uFFFDx");
  EXPECT_EQ(detokenizer.push(smile[3]), "\uFFFD");  // a continuation of nothing
  EXPECT_EQ(detokenizer.push(smile[0]), "");
  EXPECT_EQ(detokenizer.push(smile[1]), "");
  EXPECT_EQ(detokenizer.flush(), "\uFFFD");
  EXPECT_EQ(detokenizer.flush(), "");
}

}  // namespace
}  // namespace specthink
