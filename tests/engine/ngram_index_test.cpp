#include "engine/speculation/ngram_index.h"

#include <gtest/gtest.h>

#include <random>

namespace specthink {
namespace {

/// The longest suffix of up to kMaxMatch tokens that occurred before, the latest of several, by trying all.
NgramIndex::Match by_search(const TokenIds& ids) {
  NgramIndex::Match best;
  const auto size = static_cast<std::int64_t>(ids.size());
  for (std::int64_t end = size - 2; end >= 0; --end) {
    int length = 0;
    while (length < NgramIndex::kMaxMatch && end - length >= 0 &&
           ids[static_cast<std::size_t>(end - length)] == ids[static_cast<std::size_t>(size - 1 - length)]) {
      ++length;
    }
    if (length > best.length) best = {length, end + 1};
  }
  return best;
}

TEST(ngram_index, finds_what_a_search_through_everything_finds) {
  std::mt19937 random(1);
  for (const int vocabulary : {1, 2, 5, 40}) {
    NgramIndex index;
    TokenIds ids;
    for (int turn = 0; turn < 400; ++turn) {
      if (!ids.empty() && random() % 5 == 0) {
        const auto length = static_cast<std::int64_t>(random() % ids.size());
        index.truncate(ids, length);
        ids.resize(static_cast<std::size_t>(length));
      }
      for (std::uint32_t added = random() % 6; added > 0; --added)
        ids.push_back(static_cast<TokenId>(random() % static_cast<std::uint32_t>(vocabulary)));
      index.extend(ids);
      ASSERT_EQ(index.size(), static_cast<std::int64_t>(ids.size()));
      const NgramIndex::Match found = index.longest_match(ids);
      const NgramIndex::Match expected = by_search(ids);
      ASSERT_EQ(found.length, expected.length) << vocabulary << " ids, turn " << turn;
      if (found.length > 0) {
        ASSERT_EQ(found.begin, expected.begin) << vocabulary << " ids, turn " << turn;
      }
    }
  }
}

TEST(ngram_index, an_empty_text_and_new_tokens_have_no_match) {
  NgramIndex index;
  EXPECT_EQ(index.longest_match({}).length, 0);
  const TokenIds ids{1, 2, 3};
  index.extend(ids);
  EXPECT_EQ(index.longest_match(ids).length, 0);
}

TEST(tokens_behind, follow_the_match_and_repeat_a_period) {
  const TokenIds ids{7, 1, 2, 3, 9, 1, 2};
  EXPECT_EQ(tokens_behind({2, 3}, ids, 2), (TokenIds{3, 9}));
  // What follows the match is "3 9 1 2"; behind that the text would go on as it did.
  EXPECT_EQ(tokens_behind({2, 3}, ids, 6), (TokenIds{3, 9, 1, 2, 3, 9}));
}

}  // namespace
}  // namespace specthink
