// The attention of a decode step against float32 operators of LibTorch.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/decode/attention_reference.h"

namespace specthink {
namespace {

using namespace testing_support;

constexpr std::int64_t kPositions[] = {0, 1, 15, 16, 17, 127, 128, 129, 1000, 4097, 32760};
constexpr int kGroups[] = {1, 2, 4, 7, 8, 10};

/// Rows of a step, and how many of them count.
struct Rows {
  int launched, valid;
};
constexpr Rows kRows[] = {{1, 1}, {2, 2}, {5, 5}, {8, 8}, {16, 16}, {4, 3}, {8, 5}, {16, 9}};

/// A cache whose pages are anywhere in memory, and NaN wherever nothing has been written.
struct PagedCache {
  std::int64_t pages, page_tokens;
  at::Tensor page_table;  // [pages] int32, of pages + 2 in memory
  at::Tensor tokens;      // [2, pages·page_tokens, kv_heads, head_dim] in the order of the positions
  at::Tensor memory;      // [2, pages + 2, page_tokens, kv_heads, head_dim]

  PagedCache(const Model& model, std::int64_t position, int rows, std::int64_t page_tokens,
             const at::TensorOptions& type)
      : pages((position + rows + page_tokens - 1) / page_tokens + 1), page_tokens(page_tokens) {
    page_table = at::randperm(pages + 2, type.dtype(at::kInt)).narrow(0, 0, pages).contiguous();
    tokens = at::randn({2, pages * page_tokens, model.kv_heads, model.head_dim}, type);
    tokens.narrow(1, position, pages * page_tokens - position).fill_(kNan);
    memory = at::full({2, pages + 2, page_tokens, model.kv_heads, model.head_dim}, kNan, type);
    memory.index_copy_(1, page_table.to(at::kLong), by_page(tokens));
  }

  at::Tensor by_page(const at::Tensor& by_token) const {
    return by_token.view({2, pages, page_tokens, by_token.size(2), by_token.size(3)});
  }
  at::Tensor by_token() const {
    const at::Tensor listed = memory.index_select(1, page_table.to(at::kLong));
    return listed.view({2, pages * page_tokens, listed.size(3), listed.size(4)});
  }
};

class decode_attention_test : public AttentionTest {
 protected:
  int largest_cluster(int head_dim) const { return attention_clusters(type(), head_dim).of_16 > 0 ? 16 : 8; }

  /// Several launches follow each other as in a step, and leave the same bits.
  void expect_attention(const Model& m, std::int64_t position, const Rows& rows, int cluster, std::int64_t page_tokens,
                        const AttentionSplit& split = {}, int launches = 1) {
    const std::string what = std::to_string(m.heads) + " heads, " + std::to_string(m.kv_heads) + " KV heads of " +
                             std::to_string(m.head_dim) + ", position " + std::to_string(position) + ", rows " +
                             std::to_string(rows.valid) + " of " + std::to_string(rows.launched) + ", cluster " +
                             std::to_string(cluster) + ", helpers " + std::to_string(split.helpers);
    const PagedCache cache(m, position, rows.launched, page_tokens, elements());
    const at::Tensor memory_before = cache.memory.clone();
    const at::Tensor qkv = at::randn({rows.launched, (m.heads + 2 * m.kv_heads) * m.head_dim}, floats());
    if (rows.valid < rows.launched) qkv.narrow(0, rows.valid, rows.launched - rows.valid).fill_(kNan);
    const std::int64_t columns = std::int64_t{m.heads} * m.head_dim;
    const at::Tensor outputs = at::full({launches, padded_columns(columns) * rows.launched}, kNan, elements());
    const at::Tensor layout = device_copy(layout_of({{.slot = 0, .position = position, .rows = rows.valid}}));

    AttentionParams p = params(m, qkv, cache.memory);
    p.layout = static_cast<const StepLayout*>(layout.const_data_ptr());
    p.page_tables = cache.page_table.const_data_ptr<std::int32_t>();
    p.pages_per_slot = cache.pages;
    p.split = split;
    for (int i = 0; i < launches; ++i) {
      p.output = outputs[i].mutable_data_ptr();
      launch_decode_attention(p, type(), rows.launched, cluster, cluster == 16 || i > 0, stream());
    }

    // The new keys and values, and nothing else, were written.
    const at::Tensor vectors = prepared(m, qkv, position, rows.valid);
    const at::Tensor tokens = cache.by_token();
    const at::Tensor written = tokens.narrow(1, position, rows.valid).clone();
    const double step = 2 * rounding();  // of the type: a value between two may be rounded either way
    expect_near(written[0], vectors.narrow(1, m.heads, m.kv_heads), 1e-5, step, what + ": keys");
    expect_near(written[1], vectors.narrow(1, m.heads + m.kv_heads, m.kv_heads), 1e-5, step, what + ": values");
    tokens.narrow(1, position, rows.valid).copy_(cache.tokens.narrow(1, position, rows.valid));
    const at::Tensor restored = cache.memory.clone();
    restored.index_copy_(1, cache.page_table.to(at::kLong), cache.by_page(tokens));
    EXPECT_TRUE(at::equal(restored.view(at::kShort), memory_before.view(at::kShort)))
        << what << ": other rows of the cache have changed";

    // What was written is what is attended to.
    const auto all_of = [&](int which) {
      return at::cat({cache.tokens[which].narrow(0, 0, position), written[which]}, 0);
    };
    const at::Tensor expected = attend(m, vectors.narrow(1, 0, m.heads), all_of(0), all_of(1), position);
    const at::Tensor found = from_activations(outputs[0], rows.launched);
    const at::Tensor attended =
        found.narrow(0, 0, rows.valid).narrow(1, 0, columns).to(at::kFloat).view(expected.sizes());
    expect_attended(attended, expected, what);
    EXPECT_TRUE(found.narrow(1, columns, found.size(1) - columns).isnan().all().item<bool>())
        << what << ": written beyond the heads";
    const at::Tensor bits = outputs.view(at::kShort);
    EXPECT_TRUE(at::equal(bits, bits.narrow(0, 0, 1).expand_as(bits))) << what << ": another launch, another result";
  }
};

TEST_P(decode_attention_test, agrees_with_float32_and_writes_the_new_rows_only) {
  for (const int head_dim : {64, 128}) {
    for (int g = 0; g < static_cast<int>(std::size(kGroups)); ++g) {
      const Model m = model(head_dim, kGroups[g], g + head_dim / 64);
      for (int i = 0; i < static_cast<int>(std::size(kPositions)); ++i) {
        if (sanitized() && kPositions[i] > 1000) continue;
        if (sanitizer() == "racecheck" && (i + 2 * g) % 8 != 0) continue;
        // Each position and each group meets every kind of rows, though not all of them together.
        for (const int kind : {(i + g) % 8, (i + g + 3) % 8, (i + g + 6) % 8}) {
          if (sanitized() && kind != (i + g) % 8) continue;
          for (int cluster = 8; cluster <= largest_cluster(head_dim); cluster += 8) {
            expect_attention(m, kPositions[i], kRows[kind], cluster, (i + kind) % 2 == 0 ? 128 : 48);
          }
        }
        if (HasFailure()) return;  // the first kind of failure is enough to read
      }
    }
  }
}

/// Positions on both sides of where helpers begin to take a part of the context.
struct SplitContext {
  std::int64_t position;
  int split_position;
};
constexpr SplitContext kSplitContexts[] = {
    {5, 0},  // too short for the helpers to have a tile
    {333, 200}, {199, 200}, {200, 200}, {201, 200},  {2047, -1},  {2048, -1},
    {6143, -1}, {6144, -1}, {6145, -1}, {12345, -1}, {16384, -1}, {32760, -1},
};
struct GroupRows {
  int group;
  Rows rows;
};
/// The last one is of two query tiles, which are not split.
constexpr GroupRows kSplitGroupRows[] = {{4, {1, 1}}, {4, {2, 2}}, {8, {1, 1}}, {1, {8, 5}}, {2, {4, 3}}, {7, {2, 2}}};

/// Groups of 16 bytes, none of which has arrived. Only helpers change the first three words, and only who has read
/// their results makes them kNotYet: what was in use can be told afterwards.
at::Tensor unused_split(const Model& m) {
  const std::int64_t groups = attention_split_bytes(m.kv_heads, m.head_dim) / 16;
  at::Tensor words = at::zeros({groups, 4}, at::TensorOptions(device()).dtype(at::kInt));
  words.select(1, 3).fill_(-1);
  return words;
}

/// The results of these helpers, and nothing else, were written, read and made kNotYet again.
void expect_split_used(const at::Tensor& words, int helpers, std::int64_t results_of_helper, const std::string& what) {
  const at::Tensor reset = (words == -1).all(1);
  EXPECT_EQ(reset.sum().item<std::int64_t>(), helpers * results_of_helper) << what << ": words used of the split";
  const at::Tensor others = words.index({at::logical_not(reset)});
  EXPECT_TRUE((others.narrow(1, 0, 3) == 0).all().item<bool>()) << what << ": results of a helper that nobody has read";
}

/// Also where the forced number of helpers does not run at the same time.
TEST_P(decode_attention_test, agrees_with_float32_when_helpers_take_part_of_the_context) {
  for (const int head_dim : {64, 128}) {
    for (int g = 0; g < static_cast<int>(std::size(kSplitGroupRows)); ++g) {
      const auto& [group, rows] = kSplitGroupRows[g];
      const Model m = model(head_dim, group, g);
      const int queries = group * rows.launched;
      for (int i = 0; i < static_cast<int>(std::size(kSplitContexts)); ++i) {
        const auto& [position, split_position] = kSplitContexts[i];
        if (sanitized() && position > 1000) continue;
        if (sanitizer() == "racecheck" && (i != 1 || g != 0)) continue;
        for (int cluster = 0; cluster <= largest_cluster(head_dim); cluster += 8) {
          // Each position meets every number of helpers; with cluster 0 all is chosen by the plan.
          const at::Tensor words = unused_split(m);
          AttentionSplit split;
          split.results = words.mutable_data_ptr();
          split.helpers = cluster == 0 ? -1 : 1 + (g + i + cluster / 8) % kMaxAttentionHelpers;
          split.from_position = split_position;
          split.limit = limit();
          expect_attention(m, position, rows, cluster, i % 2 == 0 ? 128 : 48, split, 3);

          const AttentionPlan plan =
              plan_attention(m.kv_heads, attention_clusters(type(), head_dim), cluster, split.helpers);
          const int from = split_position < 0 ? attention_split_position(plan.cluster) : split_position;
          const bool used = queries <= kSplitQueries && position >= from;
          expect_split_used(words, used ? plan.helpers : 0, std::int64_t{m.heads} * rows.launched * head_dim,
                            "position " + std::to_string(position) + ", cluster " + std::to_string(cluster));
        }
        if (HasFailure()) return;  // the first kind of failure is enough to read
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(types, decode_attention_test, testing::Values(at::kBFloat16, at::kHalf),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

}  // namespace
}  // namespace specthink
