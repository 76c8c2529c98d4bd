#include "specthink/comm/rank_groups.h"

#include <gtest/gtest.h>

#include "specthink/comm/gpu_sharing.h"

namespace specthink {
namespace {

using Groups = std::vector<int>;

TEST(assign_groups, of_one_node_in_rank_order) {
  EXPECT_EQ(assign_groups(Groups(8, 0), 2), (Groups{0, 0, 1, 1, 2, 2, 3, 3}));
  EXPECT_EQ(assign_groups(Groups(4, 0), 4), (Groups{0, 0, 0, 0}));
  EXPECT_EQ(assign_groups(Groups(3, 0), 1), (Groups{0, 1, 2}));
}

TEST(assign_groups, stay_within_nodes_whatever_the_order_of_ranks) {
  EXPECT_EQ(assign_groups(Groups{0, 1, 0, 1}, 2), (Groups{0, 1, 0, 1}));
  EXPECT_EQ(assign_groups(Groups{0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2}, 2), (Groups{0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5}));
}

// Nodes of 3, 4 and 1 ranks: only what is left over on the first and the last is put together.
TEST(assign_groups, cross_nodes_only_with_what_is_left_over) {
  EXPECT_EQ(assign_groups(Groups{0, 0, 0, 3, 3, 3, 3, 7}, 2), (Groups{0, 0, 1, 2, 2, 3, 3, 1}));
  EXPECT_EQ(assign_groups(Groups{0, 1, 2, 3}, 4), (Groups{0, 0, 0, 0}));
}

std::string sharing_message(const std::vector<std::string>& uuids, const Groups& groups, bool oversubscribe) {
  try {
    check_gpu_sharing(uuids, groups, oversubscribe, 1, 2);
    return "";
  } catch (const EnvironmentError& error) {
    return error.what();
  }
}

TEST(gpu_sharing, names_both_ranks_and_the_gpu) {
  EXPECT_EQ(sharing_message({"GPU-a", "GPU-b", "GPU-c"}, {0, 0, 0}, false), "");
  const std::string message = sharing_message({"GPU-a", "GPU-b", "GPU-c", "GPU-b"}, {0, 0, 0, 0}, false);
  for (const char* part : {"ranks 1 and 3", "GPU-b", "--oversubscribe-gpus"}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
}

TEST(gpu_sharing, is_allowed_between_groups_but_not_within_one) {
  EXPECT_EQ(sharing_message({"GPU-a", "GPU-a"}, {0, 1}, true), "");
  EXPECT_NE(sharing_message({"GPU-a", "GPU-a"}, {0, 0}, true).find("--tp 1"), std::string::npos);
}

}  // namespace
}  // namespace specthink
