// The forward pass with fused kernels against the one in LibTorch operators, on GPUs.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "ranks.h"
#include "specthink/base/error.h"
#include "specthink/model/transformer.h"

namespace specthink {
namespace {

using testing_support::device;
using testing_support::world;

TokenIds tokens_of(std::int64_t count, std::int64_t seed, std::int64_t vocab) {
  TokenIds ids;
  for (std::int64_t i = 0; i < count; ++i) ids.push_back(static_cast<TokenId>((i * i * 37 + i + seed * 11) % vocab));
  return ids;
}

/// Random weights; every rank has heads for any number of ranks up to 4, and on 3 ranks uneven groups of them.
ModelConfig random_config(std::int64_t head_dim, bool qk_norm) {
  ModelConfig config;
  config.model_type = "qwen3";
  config.hidden_size = 320;
  config.intermediate_size = 517;
  config.num_layers = 3;
  config.num_heads = 12;
  config.num_kv_heads = 4;
  config.head_dim = head_dim;
  config.vocab_size = 211;
  config.max_position_embeddings = 2048;
  config.qk_norm = qk_norm;
  return config;
}

class fused_forward : public testing::TestWithParam<DType> {
 protected:
  static constexpr int kPagesOfSlot = 11;

  void SetUp() override {
    if (!device().is_cuda()) GTEST_SKIP() << "the fused kernels run on GPUs only (SPECTHINK_TEST_DEVICE=cuda)";
  }

  std::unique_ptr<Transformer> model(const std::filesystem::path& folder, const ModelConfig& config, bool fused,
                                     PeerSum* peer_sum = nullptr) {
    Transformer::Options options;
    options.dtype = GetParam();
    options.device = device();
    options.pages = 3 * kPagesOfSlot;
    options.dummy_weights = folder.empty();
    options.dummy_seed = 3;
    options.fused_prefill = fused;
    options.peer_sum = peer_sum;
    auto transformer = std::make_unique<Transformer>(folder, config, *collectives_, options);
    // The pages of three slots, in turns and backwards.
    for (int slot = 0; slot < 3; ++slot) {
      std::vector<std::int32_t> pages;
      for (int i = 0; i < kPagesOfSlot; ++i) pages.push_back(3 * (kPagesOfSlot - 1 - i) + slot);
      transformer->set_pages(slot, pages);
    }
    return transformer;
  }

  void expect_near(const at::Tensor& actual, const at::Tensor& expected, const char* step) {
    const at::Tensor a = actual.to(at::kDouble);
    const at::Tensor b = expected.to(at::kDouble);
    const double precision = GetParam() == DType::bfloat16 ? 1.0 / 128 : 1.0 / 1024;
    EXPECT_LE(((a - b).norm() / b.norm()).item<double>(), 2 * precision) << step;
    // No row is off on its own.
    EXPECT_LE(((a - b).norm(2, 1) / b.norm(2, 1)).max().item<double>(), 8 * precision) << step;
  }

  /// Chunks of one sequence, a single row, and a step of several slots: each sees what the earlier ones wrote.
  void compare(const std::filesystem::path& folder, const ModelConfig& config) {
    compare(folder, config, nullptr);
    if (peer_sum_) compare(folder, config, peer_sum_.get());
  }

  void compare(const std::filesystem::path& folder, const ModelConfig& config, PeerSum* peer_sum) {
    SCOPED_TRACE(peer_sum ? "sums over peer memory" : "all-reduce");
    const auto fused = model(folder, config, true, peer_sum);
    ASSERT_TRUE(fused->uses_fused_prefill());
    const auto plain = model(folder, config, false);
    ASSERT_FALSE(plain->uses_fused_prefill());

    const std::int64_t vocab = config.vocab_size;
    const TokenIds prompt = tokens_of(1024, 1, vocab);
    const TokenIds next = tokens_of(120, 2, vocab);
    const TokenIds single = tokens_of(1, 3, vocab);
    const TokenIds other = tokens_of(17, 4, vocab);
    const SlotRows first[] = {{0, 0, prompt}};
    const SlotRows second[] = {{0, 1024, next}};
    const SlotRows third[] = {{0, 1144, single}};
    const SlotRows mixed[] = {{2, 0, other}, {0, 1145, other}, {1, 0, single}};
    const SlotRows after[] = {{1, 1, next}, {2, 17, single}};
    expect_near(fused->forward(first), plain->forward(first), "a chunk of 1024");
    expect_near(fused->forward(second), plain->forward(second), "a catch-up of 120");
    expect_near(fused->forward(third), plain->forward(third), "one row");
    expect_near(fused->forward(mixed), plain->forward(mixed), "three slots");
    expect_near(fused->forward(after), plain->forward(after), "two slots");
    expect_same_end(*fused, *plain, {2, 18, next}, "a catch-up of 120, for its last row");
    expect_same_end(*fused, *plain, {2, 138, prompt}, "a chunk of 1024, for its last row");
    expect_same_end(*fused, *plain, {2, 1162, single}, "one row, for itself");
    const SlotRows seen[] = {{2, 1163, next}};
    expect_near(fused->forward(seen), plain->forward(seen), "what these left in the cache");
    fused->check_arrived();
  }

  void expect_same_end(Transformer& fused, Transformer& plain, const SlotRows& rows, const char* step) {
    const at::Tensor all = plain.forward(std::span(&rows, 1));
    expect_near(fused.prefill(rows), all.narrow(0, all.size(0) - 1, 1), step);
  }

  std::unique_ptr<Collectives> collectives_ = Collectives::create(world(), device());
  std::unique_ptr<PeerSum> peer_sum_ =
      PeerSum::create(world(), device(), {.all_reduce = AllReduce::automatic, .bytes = 1024 * 640 * 2});
};

TEST_P(fused_forward, random_weights_in_vector_accesses) { compare({}, random_config(64, true)); }

/// All products of the short chunks are kernels/prefill_linear.h: their sizes are multiples of 16 on every rank.
TEST_P(fused_forward, random_weights_of_whole_tiles) {
  ModelConfig config = random_config(64, true);
  config.intermediate_size = 768;
  compare({}, config);
}

/// The short chunks read them as they are, the chunk of 1024 a dequantised copy; blocks of 64 columns where a rank's heads
/// end within 128.
TEST_P(fused_forward, random_weights_of_8_bits) {
  ModelConfig config = random_config(64, true);
  config.intermediate_size = 768;
  config.float8_linear = true;
  compare({}, config);
}

TEST_P(fused_forward, random_weights_in_single_accesses) { compare({}, random_config(10, true)); }

TEST_P(fused_forward, random_weights_without_qk_norm) { compare({}, random_config(80, false)); }

// Biases, a YaRN rope, one KV head, a tied head.
TEST_P(fused_forward, golden_models) {
  for (const char* name :
       {"heads_6_2_tied", "heads_12_4_untied", "heads_4_1_sharded", "heads_4_4_bias_old_spelling", "heads_12_2_yarn"}) {
    SCOPED_TRACE(name);
    const std::filesystem::path folder = std::filesystem::path("tests/model/golden") / name;
    const ModelConfig config = ModelConfig::load(folder);
    if (config.num_heads % world().size() == 0) compare(folder, config);
  }
}

INSTANTIATE_TEST_SUITE_P(types, fused_forward, testing::Values(DType::bfloat16, DType::float16));

TEST(fused_forward_choice, float32_and_cpus_use_libtorch_operators) {
  const auto collectives = Collectives::create(world(), device());
  Transformer::Options options;
  options.device = device();
  options.pages = 1;
  options.dummy_weights = true;
  const auto uses_fused = [&](DType dtype, bool wanted) {
    options.dtype = dtype;
    options.fused_prefill = wanted;
    return Transformer({}, random_config(16, true), *collectives, options).uses_fused_prefill();
  };
  EXPECT_FALSE(uses_fused(DType::float32, true));
  EXPECT_EQ(uses_fused(DType::bfloat16, true), device().is_cuda());
  EXPECT_FALSE(uses_fused(DType::bfloat16, false));
}

TEST(fused_forward_rows, that_no_cache_has_are_bugs) {
  const auto collectives = Collectives::create(world(), device());
  Transformer::Options options;
  options.device = device();
  options.dtype = DType::bfloat16;
  options.pages = 1;
  options.dummy_weights = true;
  Transformer model({}, random_config(16, true), *collectives, options);
  model.set_pages(0, std::vector<std::int32_t>{0});
  const TokenIds many = tokens_of(129, 1, 211);
  EXPECT_THROW(model.forward({}), InternalError);
  EXPECT_THROW(model.prefill({0, 0, {}}), InternalError);
  EXPECT_THROW(model.prefill({0, 0, many}), InternalError);
  EXPECT_THROW(model.prefill({0, 128, TokenIds{1}}), InternalError);
  EXPECT_THROW(model.prefill({1, 0, TokenIds{1}}), InternalError) << "a slot without pages";
}

}  // namespace
}  // namespace specthink
