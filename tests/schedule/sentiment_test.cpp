#include "schedule/sentiment.h"

#include <gtest/gtest.h>

#include "schedule/scripted_run.h"

namespace specthink {
namespace {

TEST(schedule, words_are_counted_without_overlap_as_substrings) {
  EXPECT_EQ(count_occurrences("aaaa", "aa"), 2);
  EXPECT_EQ(count_occurrences("aaa", "aa"), 1);
  EXPECT_EQ(count_occurrences("await the waiter", "wait"), 2);
  EXPECT_EQ(count_occurrences("", "wait"), 0);
  EXPECT_EQ(count_occurrences("a", "ab"), 0);
}

TEST(schedule, sentiment_weighs_positive_against_negative_and_verify_words) {
  const ScheduleSettings settings = testing::default_settings();
  EXPECT_EQ(judge("nothing here", settings).sentiment, 0);
  EXPECT_EQ(judge("YES, and Yeah", settings).sentiment, 1);
  EXPECT_EQ(judge("wait, hold on: yes", settings).sentiment, -1);
  EXPECT_EQ(judge("yes, but wait", settings).sentiment, -1);  // a tie
  EXPECT_EQ(judge("yes, yes, but wait", settings).sentiment, 1);
  EXPECT_EQ(judge("yes, let me check and wait", settings).sentiment, -1);
}

TEST(schedule, a_sentiment_names_its_first_word) {
  ScheduleSettings settings = testing::default_settings();
  EXPECT_EQ(judge("nothing here", settings).rule, "");
  EXPECT_EQ(judge("So yes. Yeah.", settings).rule, "positive \"yes\"");
  EXPECT_EQ(judge("Hold on: WAIT", settings).rule, "negative \"hold on\"");
  EXPECT_EQ(judge("yes, I check and wait", settings).rule, "negative \"check\"") << "a verify word is negative, too";
  EXPECT_EQ(judge("yes, I check and recap", settings).verify, "\"check\"");
  settings.verify_words = {"think", "think again"};
  EXPECT_EQ(judge("think again", settings).verify, "\"think again\"") << "the longest of those at one place";
}

TEST(schedule, verify_words_ask_for_a_takeover_whatever_the_sentiment) {
  const ScheduleSettings settings = testing::default_settings();
  EXPECT_TRUE(judge("Let me Check", settings).asks_verify);
  EXPECT_FALSE(judge("wait", settings).asks_verify);
  const Thought positive = judge("yes, yes: I shall verify", settings);
  EXPECT_EQ(positive.sentiment, 1);
  EXPECT_TRUE(positive.asks_verify);
}

TEST(schedule, a_word_in_upper_case_is_never_found_in_lower_cased_text) {
  ScheduleSettings settings = testing::default_settings();
  settings.negative_words = {"Wait"};
  EXPECT_EQ(judge("Wait", settings).sentiment, 0);
}

TEST(schedule, the_answer_stays_when_it_turns_the_sentiment) {
  ScheduleSettings settings = testing::default_settings();
  settings.choose_large = false;
  const auto keeps = [&](int probe, int answer) {
    return keeps_answer({.text = "", .sentiment = probe}, {.text = "", .sentiment = answer}, settings);
  };
  EXPECT_FALSE(keeps(-1, -1));
  EXPECT_TRUE(keeps(-1, 0));
  EXPECT_TRUE(keeps(-1, 1));
  EXPECT_FALSE(keeps(0, -1));
  EXPECT_FALSE(keeps(0, 0));
  EXPECT_FALSE(keeps(0, 1));
  EXPECT_TRUE(keeps(1, -1));
  EXPECT_FALSE(keeps(1, 0));
  EXPECT_FALSE(keeps(1, 1));
  settings.choose_large = true;
  EXPECT_TRUE(keeps(1, 1));
}

}  // namespace
}  // namespace specthink
