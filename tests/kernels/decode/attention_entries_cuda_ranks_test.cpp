// The attention of a step over rows of several sequences against float32 operators of LibTorch.
#include <gtest/gtest.h>

#include <array>
#include <numeric>

#include "kernels/decode/attention_reference.h"

namespace specthink {
namespace {

using namespace testing_support;

struct Sequence {
  std::int64_t position;
  int rows;
};

/// Rows of a step, in a graph of so many.
struct Case {
  int launched;
  std::vector<Sequence> sequences;
};

std::vector<Case> cases() {
  std::vector<Case> all{
      {2, {{0, 1}, {1, 1}}},
      {4, {{1000, 1}, {5, 1}, {129, 1}}},
      {4, {{333, 3}, {4097, 1}}},
      {8, {{127, 5}, {16, 2}}},  // new rows in two pages; a row of padding
      {16, {{0, 4}, {15, 4}, {128, 4}, {1000, 4}}},
      {16, {{2000, 15}, {7, 1}}},
      {16, {{46, 9}}},  // one sequence is one of several, too
      {4, {{9001, 1}, {40, 2}}},
  };
  Case sixteen{16, {}};
  for (int i = 0; i < 16; ++i) sixteen.sequences.push_back({i * i * 13 % 1500, 1});
  all.push_back(sixteen);
  // Batches, whose output has rows one after the other.
  for (const auto& [launched, count] : {std::pair{32, 17}, {64, 64}, {128, 100}}) {
    Case batch{launched, {}};
    for (int i = 0; i < count; ++i) batch.sequences.push_back({i * i * 13 % 700, 1 + (i % 9 == 8 && launched == 128)});
    batch.sequences[7].position = 2900;  // as long as many others together
    all.push_back(batch);
  }
  return all;
}

class entries_attention_test : public AttentionTest {
 protected:
  static constexpr int no_split = -2;

  /// The pages of all sequences are mixed in one memory, with NaN wherever nothing has been written. `helpers`:
  /// AttentionSplit::helpers, or no_split.
  void expect_attention(const Model& m, const Case& which, int cluster, std::int64_t page_tokens, int helpers) {
    const std::string what = std::to_string(m.heads) + " heads, " + std::to_string(m.kv_heads) + " KV heads of " +
                             std::to_string(m.head_dim) + ", " + std::to_string(which.sequences.size()) +
                             " sequences in " + std::to_string(which.launched) + " rows, cluster " +
                             std::to_string(cluster) + ", helpers " + std::to_string(helpers);
    std::int64_t pages_per_slot = 0;
    for (const Sequence& sequence : which.sequences) {
      pages_per_slot = std::max(pages_per_slot, (sequence.position + sequence.rows) / page_tokens + 1);
    }
    const bool is_batch = which.launched > kMaxStepRows;
    const std::int64_t slots = is_batch ? kMaxSlots : 16;
    const std::int64_t all_pages = slots * pages_per_slot;
    const at::Tensor tables = at::randperm(all_pages, options(at::kInt)).view({slots, pages_per_slot}).contiguous();
    const at::Tensor tokens = at::randn({slots, 2, pages_per_slot * page_tokens, m.kv_heads, m.head_dim}, elements());
    const at::Tensor memory = at::full({2, all_pages, page_tokens, m.kv_heads, m.head_dim}, kNan, elements());
    const auto by_page = [&](const at::Tensor& by_token) {
      return by_token.view({2, pages_per_slot, page_tokens, m.kv_heads, m.head_dim});
    };
    std::vector<RowsOf> rows;
    for (std::size_t i = 0; i < which.sequences.size(); ++i) {
      const auto& [position, count] = which.sequences[i];
      const auto slot = static_cast<int>((5 * static_cast<std::int64_t>(i) + 3) % slots);
      rows.push_back({.slot = slot, .position = position, .rows = count});
      tokens[slot].narrow(1, position, tokens.size(2) - position).fill_(kNan);
      memory.index_copy_(1, tables[slot].to(at::kLong), by_page(tokens[slot]));
    }
    const at::Tensor memory_before = memory.clone();
    const at::Tensor qkv = at::randn({which.launched, (m.heads + 2 * m.kv_heads) * m.head_dim}, floats());
    const std::int64_t columns = std::int64_t{m.heads} * m.head_dim;
    const at::Tensor output =
        at::full({(is_batch ? columns : padded_columns(columns)) * which.launched}, kNan, elements());
    const at::Tensor layout = device_copy(layout_of(rows));
    AttentionParams p = params(m, qkv, memory);
    p.layout = static_cast<const StepLayout*>(layout.const_data_ptr());
    p.page_tables = tables.const_data_ptr<std::int32_t>();
    p.pages_per_slot = pages_per_slot;
    p.output = output.mutable_data_ptr();
    p.is_row_major = is_batch;
    const at::Tensor split = at::full({attention_split_bytes(m.kv_heads, m.head_dim)}, 0xff, options(at::kByte));
    const at::Tensor tiles_of_part = at::zeros({1}, options(at::kInt));
    if (helpers != no_split) {
      p.split.results = split.mutable_data_ptr();
      p.split.helpers = helpers;
      p.split.limit = limit();
      p.split.tiles_of_part = tiles_of_part.mutable_data_ptr<int>();
      launch_entry_parts(p, type(), which.launched, cluster, stream());
    }
    for (int i = 0; i < 2; ++i) launch_entries_attention(p, type(), which.launched, cluster, i > 0, stream());

    const at::Tensor found =
        is_batch ? output.view({which.launched, columns}) : from_activations(output, which.launched);
    int first_row = 0;
    for (const RowsOf& sequence : rows) {
      const std::string whose = what + ", slot " + std::to_string(sequence.slot);
      const std::int64_t position = sequence.position;
      const at::Tensor vectors = prepared(m, qkv.narrow(0, first_row, sequence.rows), position, sequence.rows);
      const at::Tensor pages = tables[sequence.slot].to(at::kLong);
      const at::Tensor now = memory.index_select(1, pages).view({2, -1, m.kv_heads, m.head_dim});
      const at::Tensor written = now.narrow(1, position, sequence.rows).clone();
      const double step = 2 * rounding();  // of the type: a value between two may be rounded either way
      expect_near(written[0], vectors.narrow(1, m.heads, m.kv_heads), 1e-5, step, whose + ": keys");
      expect_near(written[1], vectors.narrow(1, m.heads + m.kv_heads, m.kv_heads), 1e-5, step, whose + ": values");
      now.narrow(1, position, sequence.rows).fill_(kNan);  // as it was
      memory.index_copy_(1, pages, by_page(now));

      const auto all_of = [&](int k) {
        return at::cat({tokens[sequence.slot][k].narrow(0, 0, position), written[k]}, 0);
      };
      const at::Tensor expected = attend(m, vectors.narrow(1, 0, m.heads), all_of(0), all_of(1), position);
      expect_attended(
          found.narrow(0, first_row, sequence.rows).narrow(1, 0, columns).to(at::kFloat).view(expected.sizes()),
          expected, whose);
      first_row += sequence.rows;
    }
    const at::Tensor padding = found.narrow(0, first_row, which.launched - first_row);
    EXPECT_TRUE(padding.isnan().all().item<bool>()) << what << ": rows of padding are written";
    EXPECT_TRUE(found.narrow(1, columns, found.size(1) - columns).isnan().all().item<bool>())
        << what << ": written beyond the heads";
    EXPECT_TRUE((split == 0xff).all().item<bool>()) << what << ": results of a helper that nobody has read";
    EXPECT_TRUE(at::equal(memory.view(at::kShort), memory_before.view(at::kShort)))
        << what << ": other rows of the cache have changed";
  }
};

TEST_P(entries_attention_test, agrees_with_float32_and_writes_the_new_rows_only) {
  int turn = 0;
  for (const int head_dim : {64, 128}) {
    for (const int group : {1, 2, 4, 7, 8, 10}) {
      const Model m = model(head_dim, group, group + head_dim / 64);
      for (const Case& which : cases()) {
        if (sanitized() && which.sequences[0].position > 1000) continue;
        if (sanitizer() == "racecheck" && which.launched > 4) continue;
        if (which.launched > kMaxStepRows && group != 4 && group != 7) continue;
        for (const int cluster : {0, 1, 2, 4, 8}) {
          if (sanitized() && cluster != kEntryClusterSizes[static_cast<std::size_t>(turn % 4)]) continue;
          const int helpers = std::array{-1, no_split, 1, 5}[static_cast<std::size_t>(turn / 2 % 4)];
          expect_attention(m, which, cluster, turn++ % 2 == 0 ? 128 : 48, helpers);
        }
        if (HasFailure()) return;  // the first kind of failure is enough to read
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(types, entries_attention_test, testing::Values(at::kBFloat16, at::kHalf),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

}  // namespace
}  // namespace specthink
