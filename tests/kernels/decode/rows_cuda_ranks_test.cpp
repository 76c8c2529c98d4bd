// Embedding and norm of a decode step's rows against operators of LibTorch.
#include <gtest/gtest.h>

#include <cstring>

#include "kernels/decode/rows.h"
#include "kernels/gpu_test.h"

namespace specthink {
namespace {

using namespace testing_support;

class decode_rows_test : public GpuTest {};

TEST_P(decode_rows_test, embeds_the_tokens_of_the_shard_for_every_rank) {
  constexpr std::int64_t kFirst = 150;
  constexpr std::int64_t kLocal = 120;
  for (const std::int64_t hidden : {8, 1000, 5120}) {
    const at::Tensor table = at::randn({kLocal, hidden}, elements());
    for (const int rows : {1, 2, 4, 8, 16}) {
      const int valid = rows > 2 ? rows - 1 : rows;  // the rows beyond are zeros
      RowsOf sequence{.rows = valid};
      at::Tensor expected = at::zeros({rows, hidden}, floats());
      for (int row = 0; row < rows; ++row) {
        constexpr std::int32_t kTokens[] = {150, 269, 149, 270, 200};  // both ends of the shard, and just outside
        const std::int64_t local = kTokens[row % 5] - kFirst;
        if (row < valid) sequence.tokens.push_back(kTokens[row % 5]);
        if (row < valid && local >= 0 && local < kLocal) expected[row].copy_(table[local]);
      }
      const at::Tensor layout = device_copy(layout_of({sequence}));
      const at::Tensor received = not_yet({2, rows * hidden + kTail});
      SentPartials sent;
      sent.ranks = 2;
      for (int rank = 0; rank < 2; ++rank) sent.to[rank] = received[rank].mutable_data_ptr<float>();
      launch_embed_rows(static_cast<const StepLayout*>(layout.const_data_ptr()), table.const_data_ptr(), kFirst, kLocal,
                        hidden, rows, sent, type(), stream());
      for (int rank = 0; rank < 2; ++rank) {
        EXPECT_TRUE(at::equal(received[rank].narrow(0, 0, rows * hidden).view({rows, hidden}), expected)) << rows;
        EXPECT_TRUE(is_not_yet(received[rank].narrow(0, rows * hidden, kTail))) << rows << " rows of " << hidden;
      }
    }
  }
}

TEST_P(decode_rows_test, norms_the_sum_of_partials_and_resets_the_slot_before) {
  constexpr double kEps = 1e-5;
  for (const std::int64_t hidden : {8, 520, 1000, 2048, 4864, 5120, 8192}) {
    for (const int rows : {1, 2, 4, 8, 16, 32, 128}) {
      for (const int ranks : {1, 2, 3}) {
        const bool is_batch = rows > kMaxStepRows;
        if (is_batch && ranks == 3) continue;
        const std::string what = std::to_string(rows) + " rows of " + std::to_string(hidden);
        const std::int64_t count = rows * hidden;
        const at::Tensor received = not_yet({ranks, count + kTail});
        received.narrow(1, 0, count).normal_();
        const at::Tensor reset = at::randn({ranks, count + kTail}, floats());
        const at::Tensor weight = at::rand({hidden}, elements()).add_(0.5);
        const at::Tensor residual = at::full({count + kTail}, kNan, floats());
        const at::Tensor output = at::full({(is_batch ? hidden : padded_columns(hidden)) * rows}, kNan, elements());
        NormInput norm;
        norm.received = {received.const_data_ptr<float>(), count + kTail, ranks, reset.mutable_data_ptr<float>()};
        norm.weight = weight.const_data_ptr();
        norm.residual_out = residual.mutable_data_ptr<float>();
        norm.eps = static_cast<float>(kEps);
        launch_norm_rows(norm, hidden, rows, {.rows = output.mutable_data_ptr(), .are_row_major = is_batch}, limit(),
                         type(), rows % 4 == 0, stream());

        at::Tensor sum = received[0].narrow(0, 0, count);
        for (int rank = 1; rank < ranks; ++rank) sum = sum + received[rank].narrow(0, 0, count);
        sum = sum.view({rows, hidden});
        EXPECT_TRUE(at::equal(residual.narrow(0, 0, count).view({rows, hidden}), sum)) << what;
        EXPECT_TRUE(residual.narrow(0, count, kTail).isnan().all().item<bool>()) << what;
        const at::Tensor expected = sum * at::rsqrt(sum.square().mean(-1, true) + kEps) * weight.to(at::kFloat);
        const at::Tensor found = is_batch ? output.view({rows, hidden}) : from_activations(output, rows);
        expect_near(found.narrow(1, 0, hidden), expected, 1e-5, 1.01 * rounding(), what);
        EXPECT_TRUE(found.narrow(1, hidden, found.size(1) - hidden).isnan().all().item<bool>()) << what;
        EXPECT_TRUE(is_not_yet(reset.narrow(1, 0, count))) << what;
        EXPECT_FALSE((reset.narrow(1, count, kTail).contiguous().view(at::kInt) == -1).any().item<bool>()) << what;
      }
    }
  }
}

TEST_P(decode_rows_test, normed_rows_are_scaled_into_the_range_of_float16) {
  if (GetParam() != at::kBFloat16) return;  // float16 rows are multiplied as they are
  constexpr double kEps = 1e-6;
  for (const std::int64_t hidden : {16, 1008, 5120}) {
    for (const int rows : {2, 16}) {
      const std::string what = std::to_string(rows) + " rows of " + std::to_string(hidden);
      // Weights of such sizes that float16 could not hold a normed row, nor its smallest numbers.
      const at::Tensor size = at::exp2(at::arange(rows, floats()) * 2 - 12).unsqueeze(1);
      const at::Tensor received = not_yet({1, rows * hidden});
      received.view({rows, hidden}).copy_(at::randn({rows, hidden}, floats()) * size);
      const at::Tensor weight = (at::rand({hidden}, floats()).add_(0.5) * 1e5).to(GetParam());
      const at::Tensor residual = at::empty({rows * hidden}, floats());
      const at::Tensor output = at::zeros({padded_columns(hidden) * rows}, elements());
      const at::Tensor scaled = at::zeros({padded_columns(hidden) * rows}, elements());
      const at::Tensor inverses = at::full({rows + kTail}, kNan, floats());
      NormInput norm;
      norm.received = {received.const_data_ptr<float>(), rows * hidden, 1, nullptr};
      norm.weight = weight.const_data_ptr();
      norm.residual_out = residual.mutable_data_ptr<float>();
      norm.eps = static_cast<float>(kEps);
      launch_norm_rows(norm, hidden, rows, {.rows = output.mutable_data_ptr()}, limit(), type(), false, stream());
      launch_norm_rows(norm, hidden, rows,
                       {.rows = scaled.mutable_data_ptr(), .inverses = inverses.mutable_data_ptr<float>()}, limit(),
                       type(), true, stream());
      const at::Tensor plain = from_activations(output, rows).to(at::kFloat);
      const at::Tensor halves = from_activations(scaled.view(at::kHalf), rows).to(at::kFloat);
      EXPECT_TRUE(at::equal(halves * inverses.narrow(0, 0, rows).unsqueeze(1), plain)) << what;
      const at::Tensor largest = halves.abs().amax(1);
      EXPECT_GE(largest.min().item<float>(), 8192) << what;
      EXPECT_LT(largest.max().item<float>(), 65504) << what;
      EXPECT_TRUE(inverses.narrow(0, rows, kTail).isnan().all().item<bool>()) << what << ": written beyond";
    }
  }
}

TEST_P(decode_rows_test, a_layout_takes_positions_and_tokens_from_the_slots) {
  SlotState states[kMaxSlots]{};
  for (int slot = 0; slot < kMaxSlots; ++slot) {
    states[slot].position = 100 + slot;
    states[slot].token = 1000 + slot;
  }
  const at::Tensor slots = device_copy(states);
  SlotState begun{};
  begun.position = 7;
  begun.token = 8;
  begun.eos[kMaxEosIds - 1] = 9;
  auto* const on_device = static_cast<SlotState*>(slots.mutable_data_ptr());
  launch_begin_request(on_device + 5, begun, stream());
  const at::Tensor layout = device_copy(StepLayout{});
  const StepLayout wanted = layout_of({{.slot = 9, .position = -1, .rows = 2, .proposals = 1, .tokens = {31, 32}},
                                       {.slot = 5, .position = -1, .rows = 1, .proposals = 0, .tokens = {-1}},
                                       {.slot = 15, .position = -1, .rows = 1, .proposals = 0, .tokens = {-1}}});
  launch_set_layout(static_cast<StepLayout*>(layout.mutable_data_ptr()), wanted, kMaxBatchRows, on_device, stream());
  StepLayout expected = wanted;
  expected.entries[0].position = 109;
  expected.entries[1].position = 7;
  expected.entries[2].position = 115;
  expected.rows[2].token = 8;
  expected.rows[3].token = 1015;
  const at::Tensor found = layout.cpu();
  EXPECT_EQ(std::memcmp(found.const_data_ptr(), &expected, sizeof(expected)), 0);
  // Of a step of few rows the others stay as they are.
  launch_set_layout(static_cast<StepLayout*>(layout.mutable_data_ptr()), layout_of({}), 8, on_device, stream());
  const at::Tensor cleared = layout.cpu();
  const auto& after = *static_cast<const StepLayout*>(cleared.const_data_ptr());
  EXPECT_EQ(after.rows[0].slot, -1);
  EXPECT_EQ(std::memcmp(after.rows + kMaxStepRows, expected.rows + kMaxStepRows,
                        (kMaxBatchRows - kMaxStepRows) * sizeof(StepRow)),
            0);
  states[5] = begun;
  EXPECT_EQ(std::memcmp(slots.cpu().const_data_ptr(), states, sizeof(states)), 0);
}

INSTANTIATE_TEST_SUITE_P(types, decode_rows_test, testing::Values(at::kBFloat16, at::kHalf),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

}  // namespace
}  // namespace specthink
