// How many blocks work on a KV head: as many as run at once.
#include "kernels/decode/attention/plan.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace specthink {
namespace {

constexpr AttentionClusters kHopper{15, 7};        // what cudaOccupancyMaxActiveClusters says of H100s
constexpr AttentionClusters kUnevenHopper{14, 6};  // GPCs of 14, 14, 16, 16, 18, 18, 18 and 18 SMs
constexpr AttentionClusters kWholeHopper{16, 8};
constexpr AttentionClusters kSmallClusters{14, 0};

void expect_plan(const AttentionPlan& plan, int cluster, int helpers) {
  EXPECT_EQ(plan.cluster, cluster);
  EXPECT_EQ(plan.helpers, helpers);
}

TEST(attention_plan, puts_the_most_sms_to_work_that_run_at_once) {
  struct Case {
    int kv_heads, cluster, helpers;
  };
  for (const auto& [kv_heads, cluster, helpers] : {Case{1, 16, 3}, Case{2, 16, 2}, Case{4, 8, 2}, Case{5, 8, 2}}) {
    SCOPED_TRACE(kv_heads);
    expect_plan(plan_attention(kv_heads, kHopper), cluster, helpers);
  }
  expect_plan(plan_attention(4, kUnevenHopper), 8, 2);
  expect_plan(plan_attention(7, kUnevenHopper), 8, 1);
  expect_plan(plan_attention(4, kWholeHopper), 16, 1);
  expect_plan(plan_attention(4, kSmallClusters), 8, 2);
}

TEST(attention_plan, prefers_fewer_helpers_for_the_same_number_of_sms) {
  expect_plan(plan_attention(3, kHopper), 16, 1);  // as many as with clusters of 8 and three helpers
  expect_plan(plan_attention(6, kHopper), 16, 0);  // as many as with clusters of 8 and one helper
}

TEST(attention_plan, has_the_shortest_waves_where_no_helpers_fit) {
  struct Case {
    int kv_heads, cluster;
  };
  // Clusters of 16 would take two waves for 8 and 10 KV heads, and three for 16 where those of 8 take two longer ones.
  for (const auto& [kv_heads, cluster] : {Case{8, 8}, Case{10, 8}, Case{16, 16}, Case{32, 16}}) {
    SCOPED_TRACE(kv_heads);
    expect_plan(plan_attention(kv_heads, kHopper), cluster, 0);
    expect_plan(plan_attention(kv_heads, kSmallClusters), 8, 0);
  }
  expect_plan(plan_attention(8, kWholeHopper), 16, 0);
  expect_plan(plan_attention(1, {}), 8, 0);
}

TEST(attention_plan, does_what_the_caller_insists_on) {
  expect_plan(plan_attention(4, kHopper, 16), 16, 0);
  expect_plan(plan_attention(2, kHopper, 8), 8, 3);
  expect_plan(plan_attention(4, kHopper, 0, 0), 16, 0);
  expect_plan(plan_attention(4, kHopper, 0, 3), 16, 3);  // in several waves
  expect_plan(plan_attention(4, kHopper, 8, 1), 8, 1);
}

TEST(entry_cluster_plan, takes_the_largest_clusters_that_run_at_once) {
  constexpr EntryClusters kFit{15, 32, 66, 132};  // of 8, 4, 2 and 1
  EXPECT_EQ(plan_entry_cluster(15, kFit), 8);
  EXPECT_EQ(plan_entry_cluster(16, kFit), 4);
  EXPECT_EQ(plan_entry_cluster(32, kFit), 4);
  EXPECT_EQ(plan_entry_cluster(64, kFit), 2);
  EXPECT_EQ(plan_entry_cluster(128, kFit), 1);
  EXPECT_EQ(plan_entry_cluster(1000, kFit), 1);  // in several waves
  EXPECT_EQ(plan_entry_cluster(3, {0, 0, 0, 0}), 1);
}

TEST(entry_cluster_plan, helpers_are_for_what_would_be_idle) {
  EXPECT_EQ(plan_entry_helpers(8, 33), 29);
  EXPECT_EQ(plan_entry_helpers(33, 33), 17);
  EXPECT_EQ(plan_entry_helpers(64, 33), 8);  // those of a long sequence among many
  EXPECT_EQ(plan_entry_helpers(4, 0), 0);
  for (const int at_once : {1, 8, 33}) {
    for (int most = 1; most <= 64; ++most) {
      const int helpers = plan_entry_helpers(most, at_once);
      for (int items = 1; items <= most; ++items) {
        const int parts = most_entry_parts(items, at_once, helpers);
        EXPECT_GE(parts, items) << items << " of " << most << " items, " << at_once << " at once";
        EXPECT_LE(parts - items, helpers) << "more helpers than are launched";
        if (items <= at_once) {
          EXPECT_LE(parts, at_once);
        }
      }
    }
  }
}

TEST(entry_cluster_plan, has_clusters_for_any_sequences_of_so_many_rows) {
  for (const int rows : {2, 4, 8, 16}) {
    for (const int group : {1, 2, 4, 5, 7, 8, 9, 10, 16, 17}) {
      const int most = most_entry_clusters(rows, group, 8);
      // Sequences of `of_each` rows, the last with what is left.
      for (int of_each = 1; of_each <= rows; ++of_each) {
        int needed = 0;
        for (int row = 0; row < rows; row += of_each) {
          needed += (std::min(of_each, rows - row) * group + 7) / 8;
        }
        EXPECT_LE(needed, most) << rows << " rows, group " << group << ", " << of_each << " each";
        if (of_each == 1) {
          EXPECT_EQ(needed, most);
        }
      }
    }
  }
}

}  // namespace
}  // namespace specthink
