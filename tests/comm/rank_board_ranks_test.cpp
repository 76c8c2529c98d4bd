#include <gtest/gtest.h>

#include "ranks.h"
#include "specthink/comm/rank_board.h"

namespace specthink {
namespace {

using testing_support::world;

TEST(rank_board, is_seen_by_all_ranks_of_a_node) {
  world().mark(Phase::decode, 10 + world().rank());
  world().barrier();
  const auto ranks = world().board().ranks();
  ASSERT_EQ(ranks.size(), static_cast<std::size_t>(world().size()));
  for (int rank = 0; rank < world().size(); ++rank) {
    const RankSnapshot status = snapshot(*ranks[static_cast<std::size_t>(rank)]);
    EXPECT_EQ(status.rank, rank);
    EXPECT_EQ(status.phase, Phase::decode);
    EXPECT_EQ(status.detail, 10 + rank);
  }
  world().barrier();  // nobody marks something else before all have looked
}

TEST(rank_board, counts_collectives_and_progress) {
  const RankSnapshot before = snapshot(world().board().own());
  world().barrier();
  world().count_collective();
  const RankSnapshot after = snapshot(world().board().own());
  EXPECT_EQ(after.collectives, before.collectives + 2);
  EXPECT_GT(after.progress, before.progress);
  EXPECT_EQ(after.wait, Wait::none);
}

TEST(stop_flag, is_shared_by_the_ranks_of_a_node) {
  if (world().rank() == world().size() - 1) world().stop_flag().store(7);
  world().barrier();
  EXPECT_EQ(world().stop_flag().load(), 7u);
}

}  // namespace
}  // namespace specthink
