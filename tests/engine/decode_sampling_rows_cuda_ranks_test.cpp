// Sampling on the device behind many rows at once, and of proposals, against sample() on the host.
#include <gtest/gtest.h>

#include "engine/decode_sampling_fixture.h"
#include "specthink/kernels/sampling_rule.h"

namespace specthink {
namespace {

using namespace testing_support;

constexpr std::int64_t kVocab = 5000;

struct Asker {
  SamplingParams params;
  DrawKey key;
  std::int64_t vocab_limit;
  std::int32_t position;
};

/// Sixteen requests no two of which ask for the same.
std::vector<Asker> sixteen() {
  std::vector<Asker> askers;
  for (int i = 0; i < kMaxSlots; ++i) {
    const SamplingParams params = i % 5 == 0 ? SamplingParams{0, 1, 1}
                                             : SamplingParams{0.3f + 0.2f * static_cast<float>(i),
                                                              i % 3 == 0 ? 1.0f : 1.0f - 0.05f * static_cast<float>(i),
                                                              1 + (i * 29) % kMaxCandidates};
    const DrawKey key{.seed = 99u + static_cast<std::uint64_t>(i), .problem = static_cast<std::uint32_t>(i), .run = 1};
    askers.push_back({params, key, i % 4 == 1 ? 40 + i : kVocab - i, 100 + 7 * i});
  }
  return askers;
}

SlotState state_of(const Asker& asker, std::uint32_t serial) {
  SlotState state = request(asker.params);
  state.seed = asker.key.seed;
  state.problem = asker.key.problem;
  state.run = asker.key.run;
  state.vocab_limit = asker.vocab_limit;
  state.position = asker.position;
  state.serial = serial;
  return state;
}

class decode_sampling_rows_test : public SamplingTest {
 protected:
  /// The first kVocab ids in the shards' order.
  const std::vector<std::vector<std::int64_t>> splits_{{kVocab}, {2500, 2500}, {30, 4000, 970}};
};

TEST_P(decode_sampling_rows_test, sixteen_requests_sample_with_their_own_parameters) {
  constexpr int kSteps = 3;
  const std::vector<Asker> askers = sixteen();
  std::vector<SlotState> states;
  for (std::size_t i = 0; i < askers.size(); ++i)
    states.push_back(state_of(askers[i], 5 + static_cast<std::uint32_t>(i)));
  std::vector<RowsOf> sequences;  // row r is of slot 7·r mod 16
  std::vector<std::vector<float>> logits;
  for (int row = 0; row < kMaxStepRows; ++row) {
    const int slot = 7 * row % kMaxStepRows;
    sequences.push_back({.slot = slot, .position = askers[static_cast<std::size_t>(slot)].position});
    logits.push_back(random_logits(row % 4 == 0 ? "ties" : "normal", kVocab, 300 + static_cast<std::uint32_t>(row)));
  }
  for (const auto& columns : splits_) {
    const Step step = start(states, layout_of(sequences), logits, columns);
    for (int i = 0; i < kSteps; ++i) run(step);
    for (int row = 0; row < kMaxStepRows; ++row) {
      const int slot = 7 * row % kMaxStepRows;
      const Asker& asker = askers[static_cast<std::size_t>(slot)];
      const HostSampler host(
          std::span(logits[static_cast<std::size_t>(row)]).first(static_cast<std::size_t>(asker.vocab_limit)));
      for (std::uint32_t i = 0; i < kSteps; ++i) {
        const StepResult found = result(slot, 5 + static_cast<std::uint32_t>(slot) + i);
        EXPECT_EQ(found.token, host.token(asker.params, static_cast<std::uint32_t>(asker.position) + 1 + i, asker.key))
            << "slot " << slot << ", step " << i << ", " << columns.size() << " shards";
        EXPECT_EQ(found.end, kNoEnd);
      }
      EXPECT_EQ(step.slot(slot).position, asker.position + kSteps);
    }
    EXPECT_TRUE(step.ready_for_the_next());
  }
}

TEST_P(decode_sampling_rows_test, the_last_row_of_each_sequence_counts) {
  const std::vector<Asker> askers = sixteen();
  std::vector<float> others(kVocab, 0.0f);
  others[3] = 1000;
  const std::vector<int> counts{4, 1, 5, 3};  // and three rows of padding
  std::vector<SlotState> states(kMaxSlots);
  std::vector<RowsOf> sequences;
  std::vector<std::vector<float>> logits(kMaxStepRows, others);
  int next = 0;
  for (int i = 0; i < 4; ++i) {
    const int slot = 15 - 3 * i;
    states[static_cast<std::size_t>(slot)] = state_of(askers[static_cast<std::size_t>(slot)], 1);
    sequences.push_back({.slot = slot,
                         .position = askers[static_cast<std::size_t>(slot)].position,
                         .rows = counts[static_cast<std::size_t>(i)]});
    next += counts[static_cast<std::size_t>(i)];
    logits[static_cast<std::size_t>(next - 1)] = random_logits("normal", kVocab, 50 + static_cast<std::uint32_t>(i));
  }
  for (const auto& columns : splits_) {
    const Step step = start(states, layout_of(sequences), logits, columns);
    run(step);
    int last = -1;
    for (const RowsOf& sequence : sequences) {
      last += sequence.rows;
      const Asker& asker = askers[static_cast<std::size_t>(sequence.slot)];
      const HostSampler host(
          std::span(logits[static_cast<std::size_t>(last)]).first(static_cast<std::size_t>(asker.vocab_limit)));
      const auto position = static_cast<std::uint32_t>(asker.position + sequence.rows);
      EXPECT_EQ(result(sequence.slot, 1).token, host.token(asker.params, position, asker.key)) << sequence.slot;
      EXPECT_FALSE(emitted(sequence.slot, 2));
      EXPECT_EQ(step.slot(sequence.slot).position, asker.position + sequence.rows);
    }
    EXPECT_TRUE(step.ready_for_the_next());
  }
}

/// A step of two rows that are not sampled before the first that is, and four proposals; another request beside it.
class proposals_test : public decode_sampling_rows_test {
 protected:
  static constexpr int kProposals = 4;
  static constexpr int kRows = 7;
  static constexpr int kFirstSampled = kRows - 1 - kProposals;

  void SetUp() override {
    decode_sampling_rows_test::SetUp();
    for (int row = 0; row < kRows; ++row) {
      logits_.push_back(random_logits("normal", kVocab, 700 + static_cast<std::uint32_t>(row)));
    }
    logits_.push_back(random_logits("normal", kVocab, 800));  // the other request's
    state_ = request(params_);
    for (int i = 0; i <= kProposals; ++i) {
      const HostSampler host(logits_[static_cast<std::size_t>(kFirstSampled + i)]);
      chosen_.push_back(host.token(params_, static_cast<std::uint32_t>(kPosition + kFirstSampled + i + 1)));
    }
  }

  struct Found {
    std::vector<TokenId> tokens;
    std::uint32_t end = 0;
    SlotState state;
  };
  /// The tokens of a step whose proposals are `proposals`.
  Found verify(const std::vector<TokenId>& proposals, const std::vector<std::int64_t>& columns = {kVocab}) {
    RowsOf sequence{.slot = 2, .position = kPosition, .rows = kRows, .proposals = kProposals};
    sequence.tokens.assign(kFirstSampled + 1, 4999);
    sequence.tokens.insert(sequence.tokens.end(), proposals.begin(), proposals.end());
    const RowsOf other{.slot = 0, .position = 10};
    SlotState beside = request({});
    beside.position = 10;
    const Step step = start({beside, {}, state_}, layout_of({sequence, other}), logits_, columns);
    run(step);
    EXPECT_EQ(result(0, kSerial).token, HostSampler(logits_[kRows]).token({}, 11));
    EXPECT_TRUE(step.ready_for_the_next());
    Found found;
    found.state = step.slot(2);
    for (std::uint32_t serial = kSerial; emitted(2, serial); ++serial) {
      const StepResult next = result(2, serial);
      EXPECT_EQ(next.serial, serial);
      EXPECT_EQ(next.more, emitted(2, serial + 1)) << "result " << serial - kSerial;
      EXPECT_TRUE(!next.more || next.end == kNoEnd);
      found.tokens.push_back(next.token);
      found.end = next.end;
    }
    const auto count = static_cast<std::int32_t>(found.tokens.size());
    EXPECT_EQ(found.state.position, kPosition + kFirstSampled + count);
    EXPECT_EQ(found.state.left, state_.left - count);
    EXPECT_EQ(found.state.serial, kSerial + static_cast<std::uint32_t>(count));
    EXPECT_EQ(found.state.token, found.tokens.empty() ? 0 : found.tokens.back());
    EXPECT_EQ(found.state.stopped, found.end != kNoEnd ? 1u : 0u);
    return found;
  }
  std::vector<TokenId> first(int count) const { return {chosen_.begin(), chosen_.begin() + count}; }

  const SamplingParams params_{0.9f, 0.95f, 40};
  std::vector<std::vector<float>> logits_;
  SlotState state_{};
  std::vector<TokenId> chosen_;  // by the host, behind each sampled row
};

TEST_P(proposals_test, are_kept_up_to_the_first_that_differs) {
  for (const auto& columns : splits_) {
    for (int kept = 0; kept <= kProposals; ++kept) {
      SCOPED_TRACE(kept);
      std::vector<TokenId> proposals = first(kProposals);
      if (kept < kProposals) proposals[static_cast<std::size_t>(kept)] += 1;  // those behind it would be right again
      const Found found = verify(proposals, columns);
      EXPECT_EQ(found.tokens, first(kept + 1));
      EXPECT_EQ(found.end, kNoEnd);
    }
  }
}

TEST_P(proposals_test, forced_ids_take_the_place_of_what_is_sampled) {
  // Four tokens of the request are emitted already; of the six that are left, the step emits the next five.
  const std::vector<std::int32_t> ids{11, 12, 13, 14, 21, 22, 23, 24, 25, 26};
  const at::Tensor forced = at::tensor(at::ArrayRef<std::int32_t>(ids), at::kInt).to(device());
  state_.left = 6;
  state_.forced_end = forced.const_data_ptr<std::int32_t>() + 10;
  EXPECT_EQ(verify({21, 22, 23, 24}).tokens, (std::vector<TokenId>{21, 22, 23, 24, 25}));
  EXPECT_EQ(verify({21, 22, 99, 24}).tokens, (std::vector<TokenId>{21, 22, 23}));
}

TEST_P(proposals_test, end_at_eos) {
  state_.num_eos = 1;
  state_.eos[0] = chosen_[2];
  Found found = verify(first(kProposals));
  EXPECT_EQ(found.tokens, first(3));
  EXPECT_EQ(found.end, end_code(EndReason::eos));
  std::vector<TokenId> refused = first(kProposals);
  refused[0] += 1;  // the EOS is not reached
  found = verify(refused);
  EXPECT_EQ(found.tokens, first(1));
  EXPECT_EQ(found.end, kNoEnd);
}

TEST_P(proposals_test, end_at_the_trigger_that_counts) {
  // Two states: the second token leads from the first to the second, in which the third matches, and then the fourth
  // matches in the first.
  std::vector<std::uint16_t> entries(2 * kVocab, 0);
  const auto entry = [&](int state, int token) -> std::uint16_t& {
    return entries[static_cast<std::size_t>(state * kVocab + chosen_[static_cast<std::size_t>(token)])];
  };
  entry(0, 1) = 1;
  entry(1, 2) = kStopMatched;
  entry(0, 3) = kStopMatched | 1;
  const at::Tensor table = at::from_blob(entries.data(), {2 * kVocab}, at::kShort).to(device());
  state_.stop_entries = static_cast<const std::uint16_t*>(table.const_data_ptr());
  state_.stop_vocab = kVocab;
  Found found = verify(first(kProposals));
  EXPECT_EQ(found.tokens, first(3));
  EXPECT_EQ(found.end, end_code(EndReason::trigger));
  EXPECT_EQ(found.state.stop_state, 0u);
  state_.min_left = 4;  // the match in the third token is too early, and the matcher has gone on
  found = verify(first(kProposals));
  EXPECT_EQ(found.tokens, first(4));
  EXPECT_EQ(found.end, end_code(EndReason::trigger));
  EXPECT_EQ(found.state.stop_state, 1u);
  EXPECT_EQ(found.state.min_left, 0);
}

TEST_P(proposals_test, end_at_the_last_token_and_at_bad_logits) {
  state_.left = 2;
  Found found = verify(first(kProposals));
  EXPECT_EQ(found.tokens, first(2));
  EXPECT_EQ(found.end, end_code(EndReason::length));
  state_.left = 100;
  logits_[kFirstSampled + 3][1234] = kNan;
  found = verify(first(kProposals));
  EXPECT_EQ(found.tokens.size(), 4u);
  EXPECT_EQ(found.end, kBadLogits);
  std::vector<TokenId> refused = first(kProposals);
  refused[1] += 1;  // nobody needs the row with the bad logits
  found = verify(refused);
  EXPECT_EQ(found.tokens, first(2));
  EXPECT_EQ(found.end, kNoEnd);
}

TEST_P(proposals_test, of_a_request_that_has_ended_emit_nothing) {
  state_.stopped = 1;
  state_.token = 0;
  RowsOf sequence{.slot = 2, .position = kPosition, .rows = kRows, .proposals = kProposals};
  const Step step = start({{}, {}, state_}, layout_of({sequence}), logits_, {kVocab});
  run(step);
  EXPECT_FALSE(emitted(2, kSerial));
  const SlotState after = step.slot(2);
  EXPECT_EQ(std::memcmp(&after, &state_, sizeof(after)), 0);
  EXPECT_TRUE(step.ready_for_the_next());
}

INSTANTIATE_TEST_SUITE_P(types, decode_sampling_rows_test, testing::Values(at::kFloat));
INSTANTIATE_TEST_SUITE_P(types, proposals_test, testing::Values(at::kFloat));

}  // namespace
}  // namespace specthink
