// Steps over rows of several sequences, and of proposals, against the LibTorch path.
#include <gtest/gtest.h>

#include "engine/decode_step_fixture.h"

namespace specthink {
namespace {

using namespace testing_support;

class SequencesTest : public StepTest {
 protected:
  explicit SequencesTest(int sequences = 16, std::int64_t capacity = 2048) : StepTest(sequences, capacity) {}

  struct Sequence {
    int slot;
    int rows;             // of the first step
    std::int64_t length;  // before it
    TokenIds ids;         // with those rows and with what is emitted
  };

  /// Sequences of so many rows, with different lengths, whose caches hold what is before their rows.
  std::vector<Sequence> sequences(const std::vector<int>& rows) {
    constexpr std::int64_t kLengths[] = {0, 1, 17, 127, 128, 1000, 400, 15, 16, 129, 64, 33, 5, 1500, 256, 90};
    std::vector<Sequence> all;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const int slot = (5 * static_cast<int>(i) + 3) % kMaxSlots;
      transformer_->set_pages(slot, pages_of(static_cast<int>(i)));
      const std::int64_t longest = pages_of_slot() * kPageTokens - 64;
      Sequence sequence{slot, rows[i], std::min(kLengths[(i + rows.size()) % std::size(kLengths)], longest), {}};
      sequence.ids = random_tokens(sequence.length + sequence.rows, 31 + static_cast<unsigned>(i));
      prefill(sequence.ids, sequence.length, slot);
      all.push_back(std::move(sequence));
    }
    return all;
  }

  /// The step's logits of a sequence's rows, from row `first_row` of the step on.
  void expect_logits(const DecodeStep& step, const Sequence& sequence, int first_row, std::int64_t first,
                     std::int64_t count, const std::string& what) {
    const at::Tensor logits = step.logits(first_row + static_cast<int>(count)).narrow(0, first_row, count).clone();
    const at::Tensor expected = by_operators(sequence.ids, first, count, sequence.slot);
    EXPECT_LT(relative_error(logits.narrow(1, 0, expected.size(1)), expected), 0.02)
        << what << ", slot " << sequence.slot << ", position " << first;
  }

  /// Each vector: the rows of the sequences of a step, which goes on with a row of each.
  void expect_steps(const std::vector<std::vector<int>>& all, AllReduce all_reduce, int max_rows) {
    constexpr int kSteps = 3;
    const auto step = make_step(all_reduce, max_rows);
    for (const std::vector<int>& rows : all) {
      const std::string what = std::to_string(rows.size()) + " sequences" + (step->fused() ? ", fused" : ", NCCL");
      std::vector<Sequence> running = sequences(rows);
      std::vector<StepRows> first, later;
      for (const Sequence& sequence : running) {
        StepRequest request = greedy(sequence.length, kSteps);
        request.sampling = {
            {0.7f, 0.9f, 30}, {5, static_cast<std::uint32_t>(sequence.slot), 1}, Purpose::answer, vocab_limit()};
        step->begin(sequence.slot, request);
        first.push_back({sequence.slot, part(sequence.ids, sequence.length, sequence.rows), 0});
        later.push_back({sequence.slot, {}, 0});
      }
      step->set_rows(first);
      for (int i = 0; i < kSteps; ++i) {
        step->enqueue();
        std::vector<StepToken> tokens;
        for (const Sequence& sequence : running) tokens.push_back(step->result(sequence.slot, i));
        const at::Tensor logits = step->logits(max_rows).clone();
        int row = 0;
        for (std::size_t s = 0; s < running.size(); ++s) {
          Sequence& sequence = running[s];
          const int count = i == 0 ? sequence.rows : 1;
          const auto position = static_cast<std::int64_t>(sequence.ids.size());
          expect_logits(*step, sequence, row, position - count, count, what);
          row += count;
          const std::int64_t columns = by_operators(sequence.ids, position - 1, 1, sequence.slot).size(1);
          const DrawKey key{5, static_cast<std::uint32_t>(sequence.slot), 1};
          const NoiseKey noise{key, Purpose::answer, static_cast<std::uint32_t>(position)};
          EXPECT_EQ(tokens[s].id, host_token(logits[row - 1].narrow(0, 0, columns), {0.7f, 0.9f, 30}, noise)) << what;
          EXPECT_EQ(tokens[s].end, i == kSteps - 1 ? std::optional(EndReason::length) : std::nullopt) << what;
          sequence.ids.push_back(tokens[s].id);
        }
        if (i == 0) step->set_rows(later);
      }
      if (HasFailure()) return;  // the first kind of failure is enough to read
    }
  }
};

TEST_P(SequencesTest, LogitsAndTokensAgreeWithTheOperators) {
  std::vector<std::vector<int>> all{{16}, {4, 4, 4, 4}, {1, 1}, {5, 1, 3}, {2, 1, 1}, {7, 9}};
  all.emplace_back(16, 1);
  for (const AllReduce all_reduce : {AllReduce::automatic, AllReduce::nccl})
    expect_steps(all, all_reduce, kMaxStepRows);
}

TEST_P(SequencesTest, ProposalsAreVerifiedInOneStep) {
  const auto step = make_step();
  std::vector<Sequence> running = sequences({1, 2});
  for (const Sequence& sequence : running) {
    step->begin(sequence.slot, greedy(sequence.length, 100));
  }
  // What the model says by itself, a token a step.
  const auto rows_of = [&](bool with_tokens) {
    std::vector<StepRows> rows;
    for (const Sequence& sequence : running) {
      rows.push_back({sequence.slot,
                      with_tokens ? part(sequence.ids, sequence.length, sequence.rows) : std::span<const TokenId>(),
                      0});
    }
    return rows;
  };
  step->set_rows(rows_of(true));
  std::vector<TokenIds> said(running.size());
  for (int i = 0; i < 6; ++i) {
    step->enqueue();
    for (std::size_t s = 0; s < running.size(); ++s) said[s].push_back(step->result(running[s].slot, i).id);
    step->set_rows(rows_of(false));
  }
  // The same again with three of them proposed, of which the second is wrong for the second sequence. Rows of different
  // numbers may round a near tie the other way: what counts are the step's own logits.
  std::vector<TokenIds> tokens(running.size());
  std::vector<StepRows> rows;
  for (std::size_t s = 0; s < running.size(); ++s) {
    Sequence& sequence = running[s];
    step->begin(sequence.slot, greedy(sequence.length, 100));
    tokens[s].assign(sequence.ids.begin() + sequence.length, sequence.ids.end());
    tokens[s].insert(tokens[s].end(), said[s].begin(), said[s].begin() + 3);
    if (s == 1) tokens[s][tokens[s].size() - 2] = (tokens[s][tokens[s].size() - 2] + 1) % 100;
    rows.push_back({sequence.slot, tokens[s], 3});
  }
  step->set_rows(rows);
  step->enqueue();
  std::vector<std::size_t> emitted(running.size());
  int first_row = 0;
  for (std::size_t s = 0; s < running.size(); ++s) {
    Sequence& sequence = running[s];
    const auto count = static_cast<int>(tokens[s].size());
    const std::int64_t columns = by_operators(sequence.ids, sequence.length, 1, sequence.slot).size(1);
    const at::Tensor logits = step->logits(kMaxStepRows).narrow(0, first_row, count).narrow(1, 0, columns);
    for (bool more = true; more; ++emitted[s]) {
      const StepToken token = step->result(sequence.slot, static_cast<int>(emitted[s]));
      const auto row = static_cast<std::int64_t>(count) - 4 + static_cast<std::int64_t>(emitted[s]);
      EXPECT_EQ(token.id, host_token(logits[row], {}, {})) << "sequence " << s << ", token " << emitted[s];
      const bool kept = row + 1 < count && token.id == tokens[s][static_cast<std::size_t>(row + 1)];
      EXPECT_EQ(token.more, kept) << "sequence " << s << ", token " << emitted[s];
      more = token.more;
      sequence.ids.push_back(token.id);
    }
    first_row += count;
  }
  EXPECT_GE(emitted[0], 2u);
  EXPECT_LE(emitted[1], 2u);
  // And on behind them.
  step->set_rows(rows_of(false));
  step->enqueue();
  for (std::size_t s = 0; s < running.size(); ++s) {
    step->result(running[s].slot, static_cast<int>(emitted[s]));
    expect_logits(*step, running[s], static_cast<int>(s), static_cast<std::int64_t>(running[s].ids.size()) - 1, 1,
                  "behind");
  }
}

TEST_P(SequencesTest, ResultsThatNobodyReadsAreDropped) {
  const auto step = make_step();
  std::vector<Sequence> running = sequences({1});
  const Sequence& sequence = running[0];
  TokenId first = 0;
  for (int turn = 0; turn < 3; ++turn) {
    step->begin(sequence.slot, greedy(sequence.length, 100));
    const StepRows rows{sequence.slot, part(sequence.ids, sequence.length, 1), 0};
    step->set_rows(std::span(&rows, 1));
    step->enqueue();
    const StepToken token = step->result(sequence.slot, 0);
    if (turn == 0) first = token.id;
    EXPECT_EQ(token.id, first);
    const StepRows on{sequence.slot, {}, 0};
    step->set_rows(std::span(&on, 1));
    for (int i = 0; i < 5; ++i) step->enqueue();  // ahead of what is read
  }
}

class BatchesTest : public SequencesTest {
 protected:
  BatchesTest() : SequencesTest(100, 512) {}
};

TEST_P(BatchesTest, LogitsAndTokensAgreeWithTheOperators) {
  const std::string obstacle = batch_obstacle(transformer_->shard(), tested_kernels());
  if (must_fit()) {
    ASSERT_EQ(obstacle, "");
  }
  if (!obstacle.empty()) GTEST_SKIP() << obstacle;
  std::vector<std::vector<int>> all;
  for (const int sequences : {17, 40, 64, 100, 5}) all.emplace_back(sequences, 1);
  all.push_back({3, 1, 16, 1, 1, 8, 1, 1});  // with short prefills among them
  for (const AllReduce all_reduce : {AllReduce::automatic, AllReduce::nccl})
    expect_steps(all, all_reduce, kMaxBatchRows);
}

const auto kBatchShapes =
    testing::Values(Shape{"grouped_128", 512, 1040, 16, 4, 128, 3008, 3, true, false, DType::bfloat16},
                    Shape{"grouped_64_biased", 1008, 736, 8, 4, 64, 2048, 2, false, true, DType::bfloat16},
                    Shape{"half", 256, 512, 12, 4, 128, 1008, 2, true, false, DType::float16},
                    Shape{"one_kv_head_each", 1024, 3072, 16, 8, 128, 5008, 2, true, false, DType::bfloat16},
                    Shape{"eight_bits", 1024, 3072, 16, 8, 128, 5008, 2, true, false, DType::bfloat16, 0, true},
                    Shape{"wide_groups", 2048, 2048, 40, 4, 128, 10016, 1, true, true, DType::bfloat16});

INSTANTIATE_TEST_SUITE_P(Shapes, BatchesTest, kBatchShapes,
                         [](const auto& info) { return std::string(info.param.name); });
INSTANTIATE_TEST_SUITE_P(Shapes, SequencesTest, kShapes, [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace specthink
