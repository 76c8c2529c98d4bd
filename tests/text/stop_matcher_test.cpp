#include "specthink/text/stop_matcher.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "text/text_fixtures.h"

namespace specthink {
namespace {

using Strings = std::vector<std::string>;
using testing::user_error;

bool same(StopAutomaton::Step a, StopAutomaton::Step b) { return a.state == b.state && a.matched == b.matched; }

// Where matches end, by the definition: what has been read since the last match ends in one of the strings.
std::vector<std::size_t> naive_matches(const Strings& strings, std::string_view text) {
  std::vector<std::size_t> ends;
  std::size_t start = 0;
  for (std::size_t end = 1; end <= text.size(); ++end) {
    const std::string_view read = text.substr(start, end - start);
    for (const std::string& string : strings) {
      if (!read.ends_with(string)) continue;
      ends.push_back(end);
      start = end;
      break;
    }
  }
  return ends;
}

std::vector<std::size_t> matches(const StopAutomaton& automaton, std::string_view text) {
  std::vector<std::size_t> ends;
  StopAutomaton::State state = StopAutomaton::kStart;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto step = automaton.step(state, static_cast<std::uint8_t>(text[i]));
    state = step.state;
    if (step.matched) ends.push_back(i + 1);
  }
  return ends;
}

class RandomStrings {
 public:
  explicit RandomStrings(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return random_() % n; }

  std::string string(std::size_t longest) {
    static constexpr std::string_view kLetters("ab\n\xE2", 4);
    std::string result(1 + below(longest), '\0');
    for (char& c : result) c = kLetters[below(kLetters.size())];
    return result;
  }

  Strings strings(std::size_t most, std::size_t longest) {
    Strings result(1 + below(most));
    for (std::string& s : result) s = string(longest);
    return result;
  }

 private:
  std::mt19937 random_;
};

TEST(stop_matcher, agrees_with_the_definition_on_random_strings) {
  RandomStrings random(1);
  for (int round = 0; round < 2000; ++round) {
    const Strings strings = random.strings(5, 6);
    const StopAutomaton automaton(strings);
    const std::string text = random.string(60);
    ASSERT_EQ(matches(automaton, text), naive_matches(strings, text))
        << Json(text).dump(-1, ' ', true, Json::error_handler_t::replace) << " round " << round;
  }
}

TEST(stop_matcher, feed_is_the_same_as_stepping) {
  RandomStrings random(2);
  for (int round = 0; round < 500; ++round) {
    const StopAutomaton automaton(random.strings(4, 5));
    const std::string text = random.string(20);
    const auto from = static_cast<StopAutomaton::State>(random.below(automaton.num_states()));
    StopAutomaton::Step expected{from, false};
    for (const char byte : text) {
      const auto step = automaton.step(expected.state, static_cast<std::uint8_t>(byte));
      expected = {step.state, expected.matched || step.matched};
    }
    EXPECT_TRUE(same(automaton.feed(from, text), expected));
  }
}

TEST(stop_matcher, matches_do_not_overlap) {
  const StopAutomaton automaton(Strings{"\n\n"});
  EXPECT_EQ(automaton.num_states(), 2u);
  EXPECT_EQ(matches(automaton, "\n\n\n"), (std::vector<std::size_t>{2}));
  EXPECT_EQ(matches(automaton, "\n\n\n\n"), (std::vector<std::size_t>{2, 4}));
  EXPECT_EQ(matches(automaton, "a\n b\n\nc"), (std::vector<std::size_t>{6}));
}

TEST(stop_matcher, suffixes_of_longer_strings_match) {
  const StopAutomaton automaton(Strings{"abcd", "bc"});
  EXPECT_EQ(matches(automaton, "abcd"), (std::vector<std::size_t>{3}));
  EXPECT_EQ(matches(automaton, "ababcbc"), (std::vector<std::size_t>{5, 7}));
}

TEST(stop_matcher, matches_across_feeds) {
  const StopAutomaton automaton(Strings{"</think>"});
  auto step = automaton.feed(StopAutomaton::kStart, "so </thi");
  EXPECT_FALSE(step.matched);
  step = automaton.feed(step.state, "nk> and more");
  EXPECT_TRUE(step.matched);
  EXPECT_EQ(step.state, StopAutomaton::kStart);
}

TEST(stop_matcher, no_strings_never_match) {
  const StopAutomaton automaton(Strings{});
  EXPECT_EQ(automaton.num_states(), 1u);
  EXPECT_FALSE(automaton.feed(StopAutomaton::kStart, "anything\n\n").matched);
}

TEST(stop_matcher, refuses_empty_and_too_many_strings) {
  EXPECT_NE(user_error([] { StopAutomaton(Strings{"a", ""}); }).find("empty"), std::string::npos);
  EXPECT_NE(user_error([] { StopAutomaton(Strings{std::string(600, 'x')}); }).find("512 states"), std::string::npos);
  EXPECT_NE(user_error([] { StopAutomaton(Strings{std::string(100'000, 'x')}); }).find("512 states"),
            std::string::npos);
  EXPECT_EQ(StopAutomaton(Strings{std::string(512, 'x')}).num_states(), 512u);
}

void expect_table(const StopAutomaton& automaton, const Tokenizer& tokenizer) {
  const StopTable table(automaton, tokenizer);
  ASSERT_EQ(table.num_states(), automaton.num_states());
  ASSERT_EQ(table.vocab_size(), tokenizer.size());
  ASSERT_EQ(table.entries().size(), table.num_states() * table.vocab_size());
  for (std::size_t s = 0; s < table.num_states(); ++s) {
    const auto state = static_cast<StopAutomaton::State>(s);
    for (std::size_t t = 0; t < table.vocab_size(); ++t) {
      const auto token = static_cast<TokenId>(t);
      const auto expected = automaton.feed(state, tokenizer.bytes(token));
      ASSERT_TRUE(same(table.step(state, token), expected)) << "state " << s << ", token " << t;
      const std::uint16_t entry = table.entries()[s * table.vocab_size() + t];
      ASSERT_EQ(entry, expected.state | (expected.matched ? 0x8000 : 0)) << "state " << s << ", token " << t;
    }
  }
}

TEST(stop_table, is_the_automaton_over_the_bytes_of_tokens) {
  RandomStrings random(3);
  const Tokenizer tokenizer = testing::parse_tokenizer(testing::tokenizer_json("added_tokens"));
  for (int round = 0; round < 20; ++round) expect_table(StopAutomaton(random.strings(4, 4)), tokenizer);
  expect_table(StopAutomaton(Strings{"\n\n", ".\n", " the", "Wait", "<think>", "ink>"}), tokenizer);
}

TEST(stop_table, special_and_unknown_tokens_keep_the_state) {
  const Tokenizer tokenizer = testing::parse_tokenizer(testing::tokenizer_json("added_tokens"));
  const StopAutomaton automaton(Strings{"<|im_start|>", "\n\n"});
  const StopTable table(automaton, tokenizer);
  const auto state = automaton.feed(StopAutomaton::kStart, "\n").state;
  ASSERT_NE(state, StopAutomaton::kStart);
  for (const TokenId token : {tokenizer.token_id("<|im_start|>").value(), TokenId{-1}, TokenId{1'000'000}}) {
    EXPECT_TRUE(same(table.step(state, token), {state, false}));
  }
  EXPECT_TRUE(table.step(state, tokenizer.token_id("Ċ").value()).matched);
}

void check_vocabulary(const std::filesystem::path& folder) {
  const Tokenizer tokenizer = Tokenizer::load(folder);
  const StopAutomaton automaton(Strings{"\n\n", ".\n\n", "Wait,"});
  expect_table(automaton, tokenizer);
  fmt::print("checked {} entries\n", automaton.num_states() * tokenizer.size());
}

TEST(stop_table, small_vocabulary) { check_vocabulary(testing::own_data() / "small-tokenizer"); }

TEST(stop_table, real_vocabulary) {
  const auto folder = testing::shared_data() / "qwen3-tokenizer";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is absent";
  check_vocabulary(folder);
}

}  // namespace
}  // namespace specthink
