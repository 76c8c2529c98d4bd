// Runs go to the group that has their beginning, unless it has much more to do than another one.
#include "server/groups/group_choice.h"

#include <gtest/gtest.h>

namespace specthink {
namespace {

PrefixKeys keys_of(int prompt, int pages) {
  TokenIds ids(static_cast<std::size_t>(pages * kPageTokens + 7), prompt);
  return prefix_keys(ids);
}

std::vector<std::size_t> takers(const GroupChoice& choice, const PrefixKeys& prompt, std::size_t groups) {
  std::vector<std::size_t> takers;
  for (std::size_t group = 0; group < groups; ++group) {
    if (choice.may_take(group, prompt)) takers.push_back(group);
  }
  return takers;
}

using Groups = std::vector<std::size_t>;

TEST(group_choice, keys_are_of_whole_pages_and_all_before_them) {
  EXPECT_TRUE(prefix_keys(TokenIds(kPageTokens - 1, 5)).empty());
  TokenIds ids(3 * kPageTokens, 5);
  const PrefixKeys same = prefix_keys(ids);
  ids[kPageTokens] = 6;
  const PrefixKeys other = prefix_keys(ids);
  EXPECT_EQ(same.size(), 3U);
  EXPECT_EQ(same[0], other[0]);
  EXPECT_NE(same[1], other[1]);
  EXPECT_NE(same[2], other[2]);
}

TEST(group_choice, what_nobody_has_goes_to_those_with_the_fewest_runs) {
  GroupChoice choice(3, 2);
  EXPECT_EQ(takers(choice, keys_of(1, 2), 3), (Groups{0, 1, 2}));
  choice.take(1, keys_of(1, 2));
  EXPECT_EQ(takers(choice, keys_of(2, 2), 3), (Groups{0, 2}));
  EXPECT_EQ(takers(choice, {}, 3), (Groups{0, 2})) << "a short prompt is in no cache";
  EXPECT_EQ(choice.num_running(), 1);
}

TEST(group_choice, a_beginning_goes_to_where_most_of_it_is) {
  GroupChoice choice(3, 8);
  choice.take(0, keys_of(1, 2));
  choice.take(2, keys_of(1, 4));
  EXPECT_EQ(takers(choice, keys_of(1, 5), 3), (Groups{2}));
  EXPECT_EQ(takers(choice, keys_of(1, 2), 3), (Groups{0, 2}));
  choice.give_back(2);
  EXPECT_EQ(takers(choice, keys_of(1, 5), 3), (Groups{2})) << "its cache stays when its run has ended";
}

TEST(group_choice, but_not_to_a_group_with_much_more_to_do) {
  GroupChoice choice(2, 4);
  for (int i = 0; i < GroupChoice::kFewMore; ++i) choice.take(0, keys_of(1, 2));
  EXPECT_EQ(takers(choice, keys_of(1, 2), 2), (Groups{0}));
  choice.take(0, keys_of(1, 2));
  EXPECT_EQ(takers(choice, keys_of(1, 2), 2), (Groups{1}));
  choice.take(1, keys_of(3, 2));
  choice.take(0, keys_of(1, 2));
  EXPECT_EQ(takers(choice, keys_of(1, 2), 2), (Groups{1})) << "the other one does as many as it can";
}

TEST(group_choice, remembers_a_limited_number_of_keys) {
  GroupChoice choice(2, 1 << 30);
  for (int prompt = 0; prompt < 20000; ++prompt) {
    choice.take(0, keys_of(prompt, 1));
    choice.give_back(0);
  }
  EXPECT_EQ(takers(choice, keys_of(19999, 1), 2), (Groups{0}));
  EXPECT_EQ(takers(choice, keys_of(0, 1), 2), (Groups{0, 1})) << "forgotten";
}

}  // namespace
}  // namespace specthink
