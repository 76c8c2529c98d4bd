// Random damage and random text: whatever happens, it is an id list, a text or a UserError.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "specthink/base/strings.h"
#include "text/regex.h"
#include "text/text_fixtures.h"

namespace specthink {
namespace {

// One of the fixtures' tokenizers, in turn.
Json document(std::size_t round) {
  static const Json kDocuments[] = {testing::tokenizer_json("gpt2_style"), testing::tokenizer_json("llama_style"),
                                    testing::tokenizer_json("added_tokens")};
  return kDocuments[round % std::size(kDocuments)];
}

class Fuzzer {
 public:
  explicit Fuzzer(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return random_() % n; }

  std::string bytes(std::size_t longest) {
    std::string result(below(longest + 1), '\0');
    for (char& c : result) c = static_cast<char>(random_());
    return result;
  }

  // Text made of whole and of broken pieces.
  std::string text() {
    static const std::string kPieces[] = {"a",  "'s",      " the",   "\n\n", "\r\n", "   ",   "1234",
                                          "é",  "e\u0301", "한국",   "🙂", "中",   "<|im_", "<|im_start|>",
                                          "|>", "<think>", "\u0334", "\xE2", "\x82", "\xFF"};
    std::string result;
    for (std::size_t n = below(20); n > 0; --n) result += kPieces[below(std::size(kPieces))];
    return result;
  }

  void damage(std::string& text) {
    for (std::size_t n = 1 + below(4); n > 0 && !text.empty(); --n) {
      const std::size_t at = below(text.size());
      switch (below(4)) {
        case 0:
          text[at] = static_cast<char>(random_());
          break;
        case 1:
          text.erase(at, 1 + below(20));
          break;
        case 2:
          text.insert(at, text.substr(below(text.size()), below(40)));
          break;
        default:
          text[at] = "{}[]\",:0-\\ "[below(11)];
      }
    }
  }

  // Puts something else in the place of one value of a document.
  void damage(Json& json) {
    if (json.is_structured() && !json.empty() && below(4) != 0) {
      auto member = json.begin();
      std::advance(member, static_cast<std::ptrdiff_t>(below(json.size())));
      if (below(8) == 0) {
        json.erase(member);
      } else {
        damage(*member);
      }
      return;
    }
    static const Json kValues[] = {
        nullptr,         true,           0,    -1, 1e300, "", "BPE", "\\p{L}+(", "Split", Json::array(), {}, 16'777'215,
        {{"type", "x"}}, Json::object(), "a b"};
    json = kValues[below(std::size(kValues))];
  }

 private:
  std::mt19937 random_;
};

void use(const Tokenizer& tokenizer, Fuzzer& fuzzer) {
  const TokenIds ids = tokenizer.encode(fuzzer.text());
  for (const TokenId id : ids) ASSERT_LT(static_cast<std::size_t>(id), tokenizer.size());
  const std::string text = tokenizer.decode(ids, fuzzer.below(2) == 0);
  ASSERT_EQ(valid_utf8_prefix(text), text.size());
}

TEST(tokenizer_fuzz, damaged_documents) {
  Fuzzer fuzzer(1);
  std::size_t accepted = 0;
  constexpr std::size_t kRounds = 1000;
  for (std::size_t round = 0; round < kRounds; ++round) {
    Json json = document(round);
    for (std::size_t n = 1 + fuzzer.below(2); n > 0; --n) fuzzer.damage(json);
    try {
      const Tokenizer tokenizer = testing::parse_tokenizer(json);
      ++accepted;
      use(tokenizer, fuzzer);
    } catch (const UserError&) {
    }
  }
  fmt::print("{} of {} damaged documents are still valid\n", accepted, kRounds);
  EXPECT_GT(accepted, 0u);
  EXPECT_LT(accepted, kRounds);
}

TEST(tokenizer_fuzz, damaged_text_of_documents) {
  Fuzzer fuzzer(2);
  std::size_t refused = 0;
  for (std::size_t round = 0; round < 400; ++round) {
    std::string text = document(round).dump();
    fuzzer.damage(text);
    try {
      use(Tokenizer::parse(text, "", "tokenizer.json"), fuzzer);
    } catch (const UserError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 0u);
}

// Where the vocabulary has all bytes, nothing is added and NFC is off, decoding gives the text back.
TEST(tokenizer_fuzz, text_round_trips) {
  Fuzzer fuzzer(3);
  const Tokenizer tokenizer = testing::parse_tokenizer(testing::tokenizer_json("llama_style"));
  for (int round = 0; round < 5000; ++round) {
    const std::string text = round % 2 == 0 ? fuzzer.text() : fuzzer.bytes(40);
    ASSERT_EQ(tokenizer.decode(tokenizer.encode(text)), replace_invalid_utf8(text)) << "round " << round;
  }
}

TEST(tokenizer_fuzz, random_patterns) {
  Fuzzer fuzzer(4);
  static const std::string kParts[] = {"\\p{L}", "\\p{N}{1,3}", "[^\\s\\w]", "(?:a|b)",     "(?i:'s)", "(",  ")",
                                       "[",      "]",           "{",         "}",           "*",       "+",  "?",
                                       "|",      "\\",          "^",         "$",           ".",       "a",  "é",
                                       ",",      "2",           "(?=",       "\\s+(?!\\S)", "\\x{e9}", "&&", "-"};
  std::size_t valid = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string pattern;
    for (std::size_t n = 1 + fuzzer.below(7); n > 0; --n) pattern += kParts[fuzzer.below(std::size(kParts))];
    try {
      const Regex regex(pattern);
      ++valid;
      std::size_t end = 0;
      for (const auto& match : regex.find_all("ab 12 é's  \n x")) {
        ASSERT_LE(end, match.begin) << pattern;
        ASSERT_LE(match.begin, match.end) << pattern;
        end = match.end;
      }
    } catch (const RegexError& error) {
      ASSERT_LE(error.offset(), pattern.size()) << pattern;
    }
  }
  fmt::print("{} of 5000 patterns are valid\n", valid);
  EXPECT_GT(valid, 500u);
}

}  // namespace
}  // namespace specthink
