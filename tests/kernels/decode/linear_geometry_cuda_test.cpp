// How the products of a decode step are cut up: every row in one group, within the SM, and two neighbours in one SM.
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/decode/attention/attention.h"
#include "kernels/decode/linear/layout.h"

namespace specthink {
namespace {

constexpr int kSms = 132;
constexpr std::size_t kSharedOfBlock = 227 * 1024;
constexpr std::size_t kSharedOfSm = 228 * 1024;  // 1 KB of it is the system's, for each block

/// A rank's part of a model.
struct Shape {
  std::int64_t hidden, query_columns, kv_columns, intermediate, vocab;
};
constexpr Shape k32b{5120, 4096, 512, 12800, 75968};  // Qwen3-32B and 1.7B, Llama-3-8B of two ranks
constexpr Shape k1_7b{2048, 1024, 512, 3072, 75968};
constexpr Shape k8b{4096, 2048, 512, 7168, 64128};
constexpr Shape k1_7bWhole{2048, 2048, 1024, 6144, 151936};  // Qwen3-1.7B of one rank
constexpr Shape k0_6b{1024, 2048, 1024, 3072, 151936};
constexpr Shape kSmall{64, 64, 64, 96, 100};

struct LinearWeights {
  std::int64_t weight_rows, columns;
  LinearOutput output;
};
LinearWeights linear_of(const Shape& shape, DecodeLinear which) {
  switch (which) {
    case DecodeLinear::qkv:
      return {shape.query_columns + 2 * shape.kv_columns, shape.hidden, LinearOutput::values};
    case DecodeLinear::output:
      return {shape.hidden, shape.query_columns, LinearOutput::partials};
    case DecodeLinear::gate_up:
      return {2 * shape.intermediate, shape.hidden, LinearOutput::swiglu};
    case DecodeLinear::down:
      return {shape.hidden, shape.intermediate, LinearOutput::partials};
    default:
      return {shape.vocab, shape.hidden, LinearOutput::values};
  }
}

LinearGeometry geometry_of(const Shape& shape, DecodeLinear which, int x_rows) {
  const LinearWeights linear = linear_of(shape, which);
  const bool normed = x_rows == 1 && linear.output != LinearOutput::partials;
  const std::int64_t rows = linear.output == LinearOutput::swiglu ? linear.weight_rows / 2 : linear.weight_rows;
  return choose_geometry(rows, linear.columns, x_rows, normed ? LinearInput::norm : LinearInput::activations,
                         linear.output, kSms,
                         linear_shared_budget(which, x_rows, linear.weight_rows * linear.columns * 2, kSms,
                                              is_short_layer(shape.hidden, shape.intermediate, kSms)));
}

TEST(product_geometry, covers_the_rows_within_the_shared_memory) {
  for (const Shape& shape : {k32b, k1_7b, k1_7bWhole, k0_6b, k8b, kSmall}) {
    for (int which = 0; which <= static_cast<int>(DecodeLinear::head); ++which) {
      for (const int x_rows : {1, 2, 4, 8, 16}) {
        const auto linear = static_cast<DecodeLinear>(which);
        const LinearGeometry geometry = geometry_of(shape, linear, x_rows);
        SCOPED_TRACE("hidden " + std::to_string(shape.hidden) + ", product " + std::to_string(which) + ", " +
                     std::to_string(x_rows) + " rows");
        const LinearWeights matrix = linear_of(shape, linear);
        const std::int64_t rows = matrix.output == LinearOutput::swiglu ? matrix.weight_rows / 2 : matrix.weight_rows;
        EXPECT_GE(std::int64_t{geometry.groups} * geometry.group_rows, rows);
        EXPECT_LT(std::int64_t{geometry.groups - 1} * geometry.group_rows, rows);
        EXPECT_LE(weight_rows_of(matrix.output, geometry.group_rows), kMaxGroupRows);
        EXPECT_EQ(geometry.blocks, std::min(geometry.groups, kSms));
        EXPECT_GE(std::int64_t{geometry.chunks} * chunk_columns(WeightFormat::elements), matrix.columns);
        EXPECT_GE(geometry.stages, 2);
        EXPECT_LE(geometry.stages, kMaxStages);
        EXPECT_GE(geometry.first_copies, 1);
        EXPECT_LE(geometry.first_copies, geometry.most_copies);
        EXPECT_LE(geometry.most_copies, geometry.stages);
        EXPECT_LE(geometry.shared_bytes, kSharedOfBlock);
      }
    }
  }
}

std::size_t bytes_of(const Shape& shape, DecodeLinear which) {
  return geometry_of(shape, which, 1).shared_bytes + 1024;
}

// The weights of each linear layer of a short layer arrive while the one before runs.
TEST(product_geometry, blocks_of_neighbouring_linear_layers_of_a_small_model_share_an_sm) {
  for (const Shape& shape : {k1_7b, k1_7bWhole, k0_6b}) {
    SCOPED_TRACE("hidden " + std::to_string(shape.hidden) + ", intermediate " + std::to_string(shape.intermediate));
    ASSERT_TRUE(is_short_layer(shape.hidden, shape.intermediate, kSms));
    const std::size_t gate_up = bytes_of(shape, DecodeLinear::gate_up);
    EXPECT_LE(bytes_of(shape, DecodeLinear::output) + gate_up, kSharedOfSm);
    EXPECT_LE(gate_up + bytes_of(shape, DecodeLinear::down), kSharedOfSm);
    EXPECT_LE(bytes_of(shape, DecodeLinear::down) + bytes_of(shape, DecodeLinear::qkv), kSharedOfSm);
    // Of down there is one beside it on each SM, and so on all alike.
    if (shape.hidden == k1_7b.hidden) EXPECT_GT(gate_up + 2 * bytes_of(shape, DecodeLinear::down), kSharedOfSm);
  }
  EXPECT_FALSE(is_short_layer(k32b.hidden, k32b.intermediate, kSms));
  EXPECT_FALSE(is_short_layer(k8b.hidden, k8b.intermediate, kSms));
}

// A matrix whose part of a block is small has no need of small groups.
TEST(product_geometry, a_ring_that_has_all_of_gate_up_has_one_group) {
  const LinearGeometry geometry = geometry_of(k0_6b, DecodeLinear::gate_up, 1);
  EXPECT_EQ(geometry.groups, geometry.blocks);
  EXPECT_EQ(geometry.stages, geometry.chunks);
}

// The attention's first tiles arrive while qkv is computed, and output's weights while the attention runs.
TEST(product_geometry, the_attention_of_a_small_model_shares_an_sm_with_its_neighbours) {
  for (const Shape& shape : {k1_7b, k1_7bWhole, k0_6b}) {
    for (const int cluster : {8, 16}) {
      const std::size_t attention = attention_shared_bytes(128, cluster, 2) + 1024;
      for (const DecodeLinear which : {DecodeLinear::qkv, DecodeLinear::output}) {
        EXPECT_LE(attention + bytes_of(shape, which), kSharedOfSm) << "cluster " << cluster;
      }
    }
  }
}

// Its keys and values arrive while qkv of several rows is computed.
TEST(product_geometry, the_attention_of_several_rows_shares_an_sm_with_qkv) {
  constexpr int kGroup = 8;  // query heads of a KV head
  for (const int x_rows : {2, 4, 8, 16}) {
    const std::size_t attention = attention_shared_bytes(128, 8, kGroup * x_rows) + 1024;
    EXPECT_LE(attention + geometry_of(k32b, DecodeLinear::qkv, x_rows).shared_bytes + 1024, kSharedOfSm)
        << x_rows << " rows";
  }
}

// Rings of one group a block leave no second wait for the others.
TEST(product_geometry, blocks_of_the_1_7b_have_one_group_of_summed_linears) {
  for (const DecodeLinear which : {DecodeLinear::output, DecodeLinear::down}) {
    EXPECT_EQ(geometry_of(k1_7b, which, 1).groups, geometry_of(k1_7b, which, 1).blocks);
  }
}

}  // namespace
}  // namespace specthink
