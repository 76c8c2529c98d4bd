// What the tests of sampling on the device share: logits, requests, the host's choice, steps; CUDA builds only.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/decode/sampling.h"
#include "kernels/gpu_test.h"
#include "specthink/base/token_statistics.h"
#include "specthink/engine/sampling.h"

namespace specthink::testing_support {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr DrawKey kKey{.seed = 0x123456789abcdefull, .problem = 3, .run = 5};
constexpr auto kPurpose = Purpose::probe;
constexpr std::int32_t kPosition = 40;
constexpr std::uint32_t kSerial = 7;

/// The logits of one row, as each kind of model could give them.
inline std::vector<float> random_logits(const std::string& kind, std::int64_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> logits(static_cast<std::size_t>(count));
  for (float& logit : logits) {
    logit = kind == "all equal" ? 1.5f : normal(random);
    if (kind == "ties") logit = std::round(logit) + 0.5f;
    if (kind == "mostly -inf" && random() % 64 != 0) logit = -kInfinity;
  }
  if (kind == "mostly -inf") logits.back() = 1;
  return logits;
}

inline SlotState request(const SamplingParams& params) {
  SlotState state{};
  state.position = kPosition;
  state.left = 1000;
  state.serial = kSerial;
  state.vocab_limit = std::int64_t{1} << 31;
  state.temperature = params.temperature;
  state.top_p = params.top_p;
  state.top_k = params.temperature == 0 ? 1 : params.top_k;
  state.seed = kKey.seed;
  state.problem = kKey.problem;
  state.run = kKey.run;
  state.purpose = static_cast<std::uint32_t>(kPurpose);
  return state;
}

/// sample() over a row of logits.
class HostSampler {
 public:
  explicit HostSampler(std::span<const float> logits) {
    for (std::size_t id = 0; id < logits.size(); ++id) candidates_.push_back({static_cast<TokenId>(id), logits[id]});
  }

  TokenId token(const SamplingParams& params, std::uint32_t position, const DrawKey& key = kKey) const {
    std::vector<Candidate> candidates = candidates_;
    return sample(candidates, params, {key, kPurpose, position});
  }

  /// What is said of a token.
  TokenStatistics statistics(TokenId token, const SamplingParams& params) const {
    double highest = -kInfinity;
    for (const Candidate& candidate : candidates_) highest = std::max<double>(highest, candidate.logit);
    double sum = 0;
    double weighted = 0;
    for (const Candidate& candidate : candidates_) {
      const double exponent = candidate.logit - highest;
      if (std::isinf(exponent)) continue;
      sum += std::exp(exponent);
      weighted += std::exp(exponent) * exponent;
    }
    const double logit = candidates_[static_cast<std::size_t>(token)].logit;
    std::vector<Candidate> candidates = candidates_;
    return {static_cast<float>(logit - highest - std::log(sum)), static_cast<float>(std::log(sum) - weighted / sum),
            processed_entropy(candidates, params)};
  }

 private:
  std::vector<Candidate> candidates_;
};

class SamplingTest : public GpuTest {
 protected:
  void SetUp() override {
    GpuTest::SetUp();
    if (IsSkipped()) return;
    results_.emplace(kMaxSlots * kResultSlots * (1 + kStatisticsWords));
  }

  /// A step over logits that `shards` ranks share; all of them on this GPU.
  struct Step {
    int rows;
    at::Tensor slots, layout, logits, blocks, received, choices, block_measures;
    std::vector<DecodeSampling> shards;

    SlotState slot(int which) const {
      SlotState states[kMaxSlots];
      const at::Tensor bytes = slots.cpu();
      std::memcpy(states, bytes.const_data_ptr(), sizeof(states));
      return states[which];
    }
    StepLayout moved_on() const {
      StepLayout result;
      const at::Tensor bytes = layout.cpu();
      std::memcpy(&result, bytes.const_data_ptr(), sizeof(result));
      return result;
    }
    bool ready_for_the_next() const {
      return (received == -1).all().item<bool>() && (choices[1] == 0).all().item<bool>();
    }
  };

  /// `states`: of the slots from 0 on. `logits`: [rows][vocabulary]. What is behind a row would win. `columns`: of each
  /// shard.
  Step start(const std::vector<SlotState>& states, const StepLayout& layout,
             const std::vector<std::vector<float>>& logits, const std::vector<std::int64_t>& columns) {
    for (std::uint32_t word = 0; word < kMaxSlots * kResultSlots; ++word) results_->store(word, ~std::uint64_t{0});
    Step step;
    step.rows = static_cast<int>(logits.size());
    SlotState all[kMaxSlots]{};
    std::ranges::copy(states, all);
    step.slots = device_copy(all);
    step.layout = device_copy(layout);
    const auto count = static_cast<std::int64_t>(logits[0].size());
    constexpr std::int64_t kBehind = 100;
    step.logits = at::full({step.rows, count + kBehind}, 1000, floats());
    for (int row = 0; row < step.rows; ++row) {
      auto* const values = const_cast<float*>(logits[static_cast<std::size_t>(row)].data());
      step.logits[row].narrow(0, 0, count).copy_(at::from_blob(values, {count}, at::kFloat));
    }
    const auto shards = static_cast<std::int64_t>(columns.size());
    step.blocks = at::zeros({shards, step.rows, sampling_blocks(count), kMaxCandidates}, options(at::kLong));
    step.received = at::full({shards, step.rows, kRowKeys}, -1, options(at::kLong));
    step.choices = at::zeros({2 + kStatisticsWords, kMaxBatchRows}, options(at::kLong));
    step.block_measures = at::zeros({shards, step.rows, sampling_blocks(count), 3}, floats());
    std::int64_t first = 0;
    for (std::int64_t rank = 0; rank < shards; ++rank) {
      DecodeSampling sampling;
      sampling.slots = static_cast<SlotState*>(step.slots.mutable_data_ptr());
      sampling.layout = static_cast<StepLayout*>(step.layout.mutable_data_ptr());
      sampling.logits = step.logits.const_data_ptr<float>() + first;
      sampling.logits_stride = count + kBehind;
      sampling.first_id = first;
      sampling.columns = columns[static_cast<std::size_t>(rank)];
      sampling.blocks = static_cast<CandidateKey*>(step.blocks[rank].mutable_data_ptr());
      sampling.sent[0] = static_cast<CandidateKey*>(step.received[rank].mutable_data_ptr());
      sampling.received = static_cast<CandidateKey*>(step.received.mutable_data_ptr());
      sampling.received_rank_stride = std::int64_t{step.rows} * kRowKeys;
      sampling.ranks = static_cast<int>(shards);
      sampling.chosen = static_cast<std::uint64_t*>(step.choices[0].mutable_data_ptr());
      sampling.arrived = static_cast<std::uint32_t*>(step.choices[1].mutable_data_ptr());
      sampling.results = results_->data();
      sampling.statistics = results_->data() + kMaxSlots * kResultSlots;
      sampling.chosen_statistics = static_cast<std::uint64_t*>(step.choices[2].mutable_data_ptr());
      sampling.block_measures = reinterpret_cast<RowMeasure*>(step.block_measures[rank].mutable_data_ptr());
      sampling.limit = limit();
      first += sampling.columns;
      step.shards.push_back(sampling);
    }
    return step;
  }

  /// The same of one request in slot 0, one row.
  Step start(const SlotState& state, const std::vector<float>& row, const std::vector<std::int64_t>& columns) {
    const RowsOf one{.slot = 0, .position = state.position};
    return start({state}, layout_of({one}), {row}, columns);
  }

  /// One rank does everything at once; several send their candidates first, as without mapped memory.
  void run(const Step& step) {
    if (step.shards.size() == 1) {
      launch_decode_sampling(step.shards[0], SamplingPart::all, step.rows, false, stream());
      return;
    }
    for (const DecodeSampling& shard : step.shards) {
      launch_decode_sampling(shard, SamplingPart::select, step.rows, false, stream());
    }
    launch_decode_sampling(step.shards[0], SamplingPart::choose, step.rows, false, stream());
  }

  std::uint64_t word(int slot, std::uint32_t serial) {
    check_cuda(cudaStreamSynchronize(stream()), "a step's sampling");
    return results_->load(static_cast<std::size_t>(slot) * kResultSlots + serial % kResultSlots);
  }
  StepResult result(int slot, std::uint32_t serial) { return decode_result(word(slot, serial)); }
  TokenStatistics statistics(int slot, std::uint32_t serial) {
    word(slot, serial);  // waits
    const std::size_t place = static_cast<std::size_t>(slot) * kResultSlots + serial % kResultSlots;
    const std::uint64_t raw = results_->load(kMaxSlots * kResultSlots + place * kStatisticsWords);
    const std::uint64_t processed = results_->load(kMaxSlots * kResultSlots + place * kStatisticsWords + 1);
    return {std::bit_cast<float>(static_cast<std::uint32_t>(raw)),
            std::bit_cast<float>(static_cast<std::uint32_t>(raw >> 32)),
            std::bit_cast<float>(static_cast<std::uint32_t>(processed))};
  }
  bool emitted(int slot, std::uint32_t serial) { return word(slot, serial) != ~std::uint64_t{0}; }

  /// The end of a single step over `logits`, and what it leaves.
  struct Ended {
    StepResult result;
    SlotState state;
  };
  Ended end_of(const SlotState& state, const std::vector<float>& logits) {
    const Step step = start(state, logits, {static_cast<std::int64_t>(logits.size())});
    run(step);
    return {result(0, state.serial), step.slot(0)};
  }

  std::optional<MappedArray<std::uint64_t>> results_;
};

}  // namespace specthink::testing_support
