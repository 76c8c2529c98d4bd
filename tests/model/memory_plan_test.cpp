#include "specthink/model/memory_plan.h"

#include <gtest/gtest.h>

#include "model/model_files.h"
#include "specthink/model/shard_plan.h"

namespace specthink {
namespace {

constexpr std::int64_t kGiB = std::int64_t{1} << 30;

ModelDescription qwen3_description(std::int64_t hidden, std::int64_t intermediate, std::int64_t layers,
                                   std::int64_t heads, bool tied) {
  ModelDescription config;
  config.source = "some/folder";
  config.hidden_size = hidden;
  config.intermediate_size = intermediate;
  config.num_layers = layers;
  config.num_heads = heads;
  config.num_kv_heads = 8;
  config.head_dim = 128;
  config.vocab_size = 151936;
  config.max_position_embeddings = 40960;
  config.tie_word_embeddings = tied;
  config.qk_norm = true;
  return config;
}

ModelDescription qwen3_32b() { return qwen3_description(5120, 25600, 64, 64, false); }
ModelDescription qwen3_1_7b() { return qwen3_description(2048, 6144, 28, 16, true); }

constexpr auto kBf16 = DType::bfloat16;

// The example of the specification: both load at 0.4,0.4 on two 80 GB GPUs, but the target's cache is small.
TEST(memory_plan, the_32b_on_two_80_gb_gpus_keeps_only_some_thousand_tokens) {
  const ModelMemory target = plan_memory(qwen3_32b(), 2, 80 * kGiB, 0.4, kBf16, 32768);
  EXPECT_NEAR(target.weight_bytes, 32.76e9, 0.01e9);
  EXPECT_EQ(target.kv_bytes_per_token, 131072);
  EXPECT_EQ(target.budget_bytes, 32 * kGiB);
  EXPECT_EQ(target.wanted_tokens, 32768);
  EXPECT_TRUE(target.loads());
  EXPECT_FALSE(target.fits());
  EXPECT_GT(target.kv_tokens, 2000);
  EXPECT_LT(target.kv_tokens, 10000);
  EXPECT_LE(target.total_bytes(), target.budget_bytes);

  const ModelMemory draft = plan_memory(qwen3_1_7b(), 2, 80 * kGiB, 0.4, kBf16, 32768);
  EXPECT_NEAR(draft.weight_bytes, 1.72e9, 0.01e9);
  EXPECT_EQ(draft.kv_bytes_per_token, 57344);
  EXPECT_TRUE(draft.fits());
}

TEST(memory_plan, by_need_both_get_the_full_context_and_all_of_the_rest) {
  const ModelDescription target = qwen3_32b();
  const ModelDescription draft = qwen3_1_7b();
  const auto shares = automatic_split(target, &draft, 2, 80 * kGiB, kBf16, 32768);
  EXPECT_DOUBLE_EQ(shares[0] + shares[1], kAutomaticUtilization);
  const ModelMemory large = plan_memory(target, 2, 80 * kGiB, shares[0], kBf16, 32768);
  const ModelMemory small = plan_memory(draft, 2, 80 * kGiB, shares[1], kBf16, 32768);
  EXPECT_TRUE(large.fits());
  EXPECT_TRUE(small.fits());
  const auto surplus = [](const ModelMemory& memory) {
    return static_cast<double>(memory.budget_bytes) / static_cast<double>(memory.needed_bytes);
  };
  EXPECT_NEAR(surplus(large), surplus(small), 0.01);
  EXPECT_EQ(automatic_split(target, nullptr, 2, 80 * kGiB, kBf16, 32768), (std::array{kAutomaticUtilization, 0.0}));
}

// 44 GB hold the weights of both on two GPUs, but not 32768 tokens for each.
TEST(memory_plan, by_need_both_caches_are_cut_alike_where_not_all_fits) {
  const ModelDescription target = qwen3_32b();
  const ModelDescription draft = qwen3_1_7b();
  const auto shares = automatic_split(target, &draft, 2, 44 * kGiB, kBf16, 32768);
  const ModelMemory large = plan_memory(target, 2, 44 * kGiB, shares[0], kBf16, 32768);
  const ModelMemory small = plan_memory(draft, 2, 44 * kGiB, shares[1], kBf16, 32768);
  EXPECT_TRUE(large.loads());
  EXPECT_FALSE(large.fits());
  EXPECT_FALSE(small.fits());
  EXPECT_NEAR(static_cast<double>(large.kv_tokens), static_cast<double>(small.kv_tokens), 2 * kPageTokens);
}

TEST(memory_plan, a_better_split_gives_both_the_full_context) {
  const ModelDescription target = qwen3_32b();
  const ModelDescription draft = qwen3_1_7b();
  const Deployment wanted{2, {0.4, 0.4}, 32768};
  const auto suggestions = suggest_deployments(target, &draft, wanted, 80 * kGiB, kBf16);
  ASSERT_EQ(suggestions.size(), 2U);

  const Deployment& split = suggestions[0];
  EXPECT_EQ(split.gpus, 2);
  EXPECT_EQ(split.max_model_len, 32768);
  EXPECT_LE(split.utilization[0] + split.utilization[1], 1);
  const auto fits = [](const ModelDescription& config, double utilization, std::int64_t context) {
    return plan_memory(config, 2, 80 * kGiB, utilization, kBf16, context).fits();
  };
  EXPECT_TRUE(fits(target, split.utilization[0], 32768));
  EXPECT_TRUE(fits(draft, split.utilization[1], 32768));
  EXPECT_FALSE(fits(target, split.utilization[0] - 0.01, 32768)) << "no smaller share would do";
  EXPECT_FALSE(fits(draft, split.utilization[1] - 0.01, 32768));

  const Deployment& shorter = suggestions[1];
  EXPECT_EQ(shorter.utilization, wanted.utilization);
  EXPECT_EQ(shorter.max_model_len % kPageTokens, 0);
  EXPECT_TRUE(fits(target, 0.4, shorter.max_model_len));
  EXPECT_FALSE(fits(target, 0.4, shorter.max_model_len + kPageTokens)) << "no longer context would do";

  EXPECT_TRUE(suggest_deployments(target, &draft, split, 80 * kGiB, kBf16).empty());
  EXPECT_TRUE(suggest_deployments(target, &draft, shorter, 80 * kGiB, kBf16).empty());
}

TEST(memory_plan, more_gpus_or_a_shorter_context_where_no_split_does) {
  const ModelDescription target = qwen3_32b();
  const ModelDescription draft = qwen3_1_7b();
  const auto suggestions = suggest_deployments(target, &draft, {2, {0.5, 0.5}, 32768}, 38 * kGiB, kBf16);
  ASSERT_EQ(suggestions.size(), 2U);
  EXPECT_EQ(suggestions[0].gpus, 4) << "3 does not divide the heads";
  EXPECT_EQ(suggestions[0].max_model_len, 32768);
  EXPECT_EQ(suggestions[1].gpus, 2);
  EXPECT_GE(suggestions[1].max_model_len, 1024);
  EXPECT_LT(suggestions[1].max_model_len, 32768);
  for (const Deployment& suggestion : suggestions) {
    EXPECT_TRUE(suggest_deployments(target, &draft, suggestion, 38 * kGiB, kBf16).empty());
    EXPECT_LE(suggestion.utilization[0] + suggestion.utilization[1], 1);
  }
}

TEST(memory_plan, nothing_is_suggested_where_nothing_helps) {
  const ModelDescription target = qwen3_32b();
  EXPECT_EQ(ranks_that_fit(target, nullptr, 1, kGiB / 4, kBf16, 32768), 0);
  EXPECT_TRUE(suggest_deployments(target, nullptr, {1, {0.9, 0}, 32768}, kGiB / 4, kBf16).empty());
}

TEST(memory_plan, ranks_must_divide_the_heads_of_both) {
  const ModelDescription target = qwen3_32b();
  const ModelDescription draft = qwen3_1_7b();  // 16 heads
  EXPECT_EQ(ranks_that_fit(target, &draft, 1, 80 * kGiB, kBf16, 32768), 1);
  EXPECT_EQ(ranks_that_fit(target, &draft, 1, 70 * kGiB, kBf16, 32768), 2);
  EXPECT_EQ(ranks_that_fit(target, &draft, 2, 80 * kGiB, kBf16, 32768), 2);
  EXPECT_EQ(ranks_that_fit(target, &draft, 3, 80 * kGiB, kBf16, 32768), 4);
  EXPECT_EQ(ranks_that_fit(target, nullptr, 17, 80 * kGiB, kBf16, 32768), 32);
  EXPECT_EQ(ranks_that_fit(target, &draft, 17, 80 * kGiB, kBf16, 32768), 0);
}

TEST(memory_plan, the_target_alone_pays_for_the_libraries) {
  const ModelMemory shared = plan_memory(qwen3_32b(), 2, 80 * kGiB, 0.9, kBf16, 32768, 2);
  const ModelMemory alone = plan_memory(qwen3_32b(), 2, 80 * kGiB, 0.9, kBf16, 32768, 1);
  EXPECT_EQ(alone.workspace_bytes - shared.workspace_bytes, library_bytes(2) / 2);
  EXPECT_LT(library_bytes(1), library_bytes(2));
  const auto suggestions = suggest_deployments(qwen3_32b(), nullptr, {2, {0.4, 0.4}, 32768}, 80 * kGiB, kBf16);
  ASSERT_FALSE(suggestions.empty());
  EXPECT_EQ(suggestions[0].utilization[1], 0.01) << "the option takes no 0";
  EXPECT_LE(suggestions[0].utilization[0] * 80 * kGiB - alone.needed_bytes, 0.01 * 80 * kGiB);
}

TEST(memory_plan, prefill_steps_are_large_where_they_cost_no_context) {
  const auto rows = [](double utilization, DType dtype, std::int64_t context) {
    return plan_memory(qwen3_32b(), 2, 80 * kGiB, utilization, dtype, context).prefill_rows;
  };
  EXPECT_EQ(rows(0.75, kBf16, 32768), kLargePrefillChunk);
  EXPECT_EQ(rows(0.4, kBf16, 32768), kPrefillChunk) << "the cache is too small already";
  EXPECT_EQ(rows(0.75, kBf16, 1500), 2048);
  EXPECT_EQ(rows(0.75, kBf16, 1024), kPrefillChunk);
  EXPECT_EQ(rows(1, DType::float32, 1024), kPrefillChunk) << "its masks grow with the rows";
  const double least = plan_memory(qwen3_32b(), 2, 80 * kGiB, 0.75, kBf16, 32768).least_utilization;
  const ModelMemory tight = plan_memory(qwen3_32b(), 2, 80 * kGiB, least + 1e-9, kBf16, 32768);
  EXPECT_TRUE(tight.fits());
  EXPECT_EQ(tight.prefill_rows, kPrefillChunk);
}

// Where groups are uneven, keys and values are copied for each query head.
TEST(memory_plan, uneven_groups_and_float32_need_room_for_copies) {
  ModelDescription even = qwen3_description(64, 128, 2, 12, true);
  even.num_kv_heads = 4;
  ModelDescription uneven = even;
  uneven.num_kv_heads = 3;  // 4 query heads each, 6 a rank
  const auto per_token = [](const ModelDescription& config, DType dtype) {
    const auto workspace = [&](std::int64_t context) {
      return plan_memory(config, 2, 80 * kGiB, 0.5, dtype, context).workspace_bytes;
    };
    return workspace(2048) - workspace(2047);
  };
  EXPECT_EQ(per_token(even, kBf16), 2 * 128 * 2);
  EXPECT_EQ(per_token(uneven, kBf16), 2 * 128 * 2 + 6 * 128 * 2 * 2);
  EXPECT_EQ(per_token(even, DType::float32), 2 * 128 * 4 + 6 * 128 * 2 * 4 + kPrefillChunk * 5);
}

TEST(memory_plan, the_context_is_cut_to_the_models_own) {
  EXPECT_EQ(plan_memory(qwen3_1_7b(), 1, 80 * kGiB, 0.9, kBf16, 1 << 30).wanted_tokens, 40960);
}

TEST(memory_plan, float32_takes_twice_as_much) {
  const ModelMemory half = plan_memory(qwen3_1_7b(), 2, 80 * kGiB, 0.5, kBf16, 4096);
  const ModelMemory full = plan_memory(qwen3_1_7b(), 2, 80 * kGiB, 0.5, DType::float32, 4096);
  EXPECT_EQ(full.weight_bytes, 2 * half.weight_bytes);
  EXPECT_EQ(full.kv_bytes_per_token, 2 * half.kv_bytes_per_token);
  EXPECT_EQ(plan_memory(qwen3_1_7b(), 2, 80 * kGiB, 0.5, DType::float16, 4096).weight_bytes, half.weight_bytes);
}

// 2 KV heads on 3 ranks: the middle rank holds both, and decides.
TEST(memory_plan, the_rank_that_holds_most_decides) {
  ModelDescription config = qwen3_description(64, 128, 2, 6, true);
  config.num_kv_heads = 2;
  const ModelMemory memory = plan_memory(config, 3, 80 * kGiB, 0.5, kBf16, 4096);
  EXPECT_EQ(memory.kv_bytes_per_token, 2 * 2 * 2 * 128 * 2);
  EXPECT_EQ(memory.weight_bytes, ShardPlan(config, 1, 3).part_of(config).num_parameters() * 2);
  EXPECT_GT(memory.weight_bytes, ShardPlan(config, 0, 3).part_of(config).num_parameters() * 2);
}

// Over many shares: the cache is whole pages within the budget, grows with the share, and fits exactly from
// least_utilization on.
TEST(memory_plan, cache_and_budget_agree) {
  const ModelDescription config = qwen3_1_7b();
  std::int64_t previous = 0;
  int fitting = 0;
  for (int permille = 0; permille <= 1000; ++permille) {
    SCOPED_TRACE(permille);
    const ModelMemory memory = plan_memory(config, 2, 16 * kGiB, permille / 1000.0, kBf16, 32768);
    ASSERT_GE(memory.kv_tokens, previous);
    ASSERT_EQ(memory.loads(), memory.kv_bytes > 0);
    ASSERT_EQ(memory.kv_bytes % (kPageTokens * memory.kv_bytes_per_token), 0);
    if (memory.loads()) {
      ASSERT_EQ(memory.kv_bytes, (memory.kv_tokens + kSpareTokens) * memory.kv_bytes_per_token);
      ASSERT_LE(memory.total_bytes(), memory.budget_bytes);
    }
    ASSERT_EQ(memory.fits(), memory.needed_bytes <= memory.budget_bytes);
    ASSERT_LT(memory.kv_tokens, 32768 + kPageTokens) << "no more than one context";
    fitting += memory.fits();
    previous = memory.kv_tokens;
  }
  EXPECT_GT(fitting, 0);
  EXPECT_LT(fitting, 1000);
  const double least = plan_memory(config, 2, 16 * kGiB, 0, kBf16, 32768).least_utilization;
  EXPECT_FALSE(plan_memory(config, 2, 16 * kGiB, least - 1e-6, kBf16, 32768).fits());
  EXPECT_TRUE(plan_memory(config, 2, 16 * kGiB, least + 1e-6, kBf16, 32768).fits());
}

// 32.0 GB and 1.72 GB a step on each of two GPUs: all weights but the 32B's embedding table, which is not its head.
TEST(memory_plan, a_step_reads_all_weights_but_an_embedding_table_of_its_own) {
  const StepBytes target = step_bytes(qwen3_32b(), 2, kBf16);
  EXPECT_NEAR(target.weights, 31.98e9, 0.01e9);
  EXPECT_EQ(target.kv_per_token, 131072);
  EXPECT_DOUBLE_EQ(target.at(10), static_cast<double>(target.weights) + 1310720);
  const StepBytes draft = step_bytes(qwen3_1_7b(), 2, kBf16);
  EXPECT_NEAR(draft.weights, 1.72e9, 0.01e9);
  EXPECT_EQ(draft.kv_per_token, 57344);
  EXPECT_EQ(step_bytes(qwen3_1_7b(), 2, DType::float32).weights, 2 * draft.weights);
}

TEST(memory_plan, ranks_that_do_not_divide_the_heads_are_a_user_error) {
  test::expect_user_error([] { plan_memory(qwen3_32b(), 3, 80 * kGiB, 0.4, kBf16, 32768); },
                          {"some/folder", "64", "3 ranks"});
}

}  // namespace
}  // namespace specthink
