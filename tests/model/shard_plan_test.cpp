#include "specthink/model/shard_plan.h"

#include <gtest/gtest.h>

#include <set>

#include "model/model_files.h"

namespace specthink {
namespace {

ModelDescription small_config(std::int64_t heads, std::int64_t kv_heads) {
  ModelDescription config;
  config.source = "some/folder";
  config.hidden_size = 24;
  config.intermediate_size = 50;
  config.num_layers = 3;
  config.num_heads = heads;
  config.num_kv_heads = kv_heads;
  config.head_dim = 8;
  config.vocab_size = 101;
  config.max_position_embeddings = 64;
  config.qk_norm = true;
  return config;
}

// 2 KV heads of 3 query heads each on 3 ranks: the middle rank needs both.
TEST(shard_plan, six_heads_with_two_kv_heads_on_three_ranks) {
  const ModelDescription config = small_config(6, 2);
  const ShardPlan first(config, 0, 3);
  EXPECT_EQ(first.first_head, 0);
  EXPECT_EQ(first.num_heads_local, 2);
  EXPECT_EQ(first.first_kv_head, 0);
  EXPECT_EQ(first.num_kv_heads_local, 1);
  EXPECT_EQ(first.kv_head_of, (std::vector<std::int64_t>{0, 0}));
  const ShardPlan middle(config, 1, 3);
  EXPECT_EQ(middle.first_head, 2);
  EXPECT_EQ(middle.first_kv_head, 0);
  EXPECT_EQ(middle.num_kv_heads_local, 2);
  EXPECT_EQ(middle.kv_head_of, (std::vector<std::int64_t>{0, 1}));
  EXPECT_TRUE(middle.uniform_groups());
  const ShardPlan last(config, 2, 3);
  EXPECT_EQ(last.first_head, 4);
  EXPECT_EQ(last.first_kv_head, 1);
  EXPECT_EQ(last.num_kv_heads_local, 1);
  EXPECT_EQ(last.kv_head_of, (std::vector<std::int64_t>{0, 0}));

  EXPECT_EQ(first.intermediate_local, 17);  // 51 = 3 × 17
  EXPECT_EQ(last.first_intermediate, 34);
  EXPECT_EQ(first.vocab_local, 34);  // 102 = 3 × 34
  EXPECT_EQ(last.first_vocab, 68);
}

TEST(shard_plan, groups_can_be_uneven) {
  // Groups of 4 over ranks of 6: heads 0-3 and 4-5, then 6-7 and 8-11.
  const ModelDescription config = small_config(12, 3);
  EXPECT_FALSE(ShardPlan(config, 0, 2).uniform_groups());
  EXPECT_EQ(ShardPlan(config, 0, 2).kv_head_of, (std::vector<std::int64_t>{0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(ShardPlan(config, 1, 2).first_kv_head, 1);
  EXPECT_EQ(ShardPlan(config, 1, 2).kv_head_of, (std::vector<std::int64_t>{0, 0, 1, 1, 1, 1}));
  EXPECT_TRUE(ShardPlan(small_config(16, 4), 1, 2).uniform_groups());
  EXPECT_TRUE(ShardPlan(small_config(4, 1), 3, 4).uniform_groups());
}

TEST(shard_plan, parts_cover_everything_once) {
  int cases = 0;
  for (std::int64_t heads = 1; heads <= 24; ++heads) {
    for (std::int64_t kv_heads = 1; kv_heads <= heads; ++kv_heads) {
      if (heads % kv_heads != 0) continue;
      for (int ranks = 1; ranks <= heads; ++ranks) {
        if (heads % ranks != 0) continue;
        SCOPED_TRACE(testing::Message() << heads << " heads, " << kv_heads << " KV heads, " << ranks << " ranks");
        const ModelDescription config = small_config(heads, kv_heads);
        std::int64_t next_head = 0;
        std::int64_t intermediate = 0;
        std::int64_t vocab = 0;
        std::set<std::int64_t> kv_used;
        for (int rank = 0; rank < ranks; ++rank) {
          const ShardPlan plan(config, rank, ranks);
          ASSERT_EQ(plan.first_head, next_head);
          ASSERT_EQ(plan.kv_head_of.size(), static_cast<std::size_t>(plan.num_heads_local));
          std::set<std::int64_t> local;
          for (std::int64_t i = 0; i < plan.num_heads_local; ++i) {
            const std::int64_t kv_head = plan.first_kv_head + plan.kv_head_of[i];
            ASSERT_EQ(kv_head, (plan.first_head + i) / config.group_size());
            local.insert(kv_head);
          }
          ASSERT_EQ(local.size(), static_cast<std::size_t>(plan.num_kv_heads_local)) << "no KV head is unused";
          kv_used.merge(local);
          next_head += plan.num_heads_local;
          ASSERT_LE(plan.first_intermediate, config.intermediate_size);
          ASSERT_LE(plan.first_vocab, config.vocab_size);
          intermediate += std::min(plan.intermediate_local, config.intermediate_size - plan.first_intermediate);
          vocab += std::min(plan.vocab_local, config.vocab_size - plan.first_vocab);
          ++cases;
        }
        ASSERT_EQ(next_head, heads);
        ASSERT_EQ(kv_used.size(), static_cast<std::size_t>(kv_heads));
        ASSERT_EQ(intermediate, config.intermediate_size);
        ASSERT_EQ(vocab, config.vocab_size);
      }
    }
  }
  EXPECT_GT(cases, 500);
}

TEST(shard_plan, one_rank_holds_the_whole_model) {
  for (const bool tied : {false, true}) {
    for (const bool bias : {false, true}) {
      ModelDescription config = small_config(6, 2);
      config.tie_word_embeddings = tied;
      config.qkv_bias = bias;
      config.output_bias = bias;
      EXPECT_EQ(ShardPlan(config, 0, 1).part_of(config).num_parameters(), config.num_parameters());
    }
  }
}

// Counted tensor by tensor for the middle rank of three.
TEST(shard_plan, parameters_of_a_rank) {
  ModelDescription config = small_config(6, 2);
  config.qkv_bias = true;
  config.output_bias = true;
  const std::int64_t attention = 24 * 16 + 2 * 24 * 16 + 16 * 24;  // q, k and v, o
  const std::int64_t bias = 16 + 2 * 16 + 24;
  const std::int64_t mlp = 3 * 24 * 17;
  const std::int64_t norms = 2 * 24 + 2 * 8;
  EXPECT_EQ(ShardPlan(config, 1, 3).part_of(config).num_parameters(),
            2 * 34 * 24 + 3 * (attention + bias + mlp + norms) + 24);
}

TEST(shard_plan, ranks_that_do_not_divide_the_heads_are_a_user_error) {
  test::expect_user_error([] { ShardPlan(small_config(6, 2), 0, 4); },
                          {"some/folder", "num_attention_heads", "6", "4 ranks", "1, 2, 3, 6"});
  test::expect_user_error([] { ShardPlan(small_config(6, 2), 0, 12); }, {"12 ranks"});
}

}  // namespace
}  // namespace specthink
