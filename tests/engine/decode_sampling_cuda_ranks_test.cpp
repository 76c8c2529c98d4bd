// Sampling on the device against sample() on the host.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "kernels/decode/sampling.h"
#include "kernels/gpu_test.h"
#include "specthink/base/error.h"
#include "specthink/engine/sampling.h"

namespace specthink {
namespace {

using namespace testing_support;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr DrawKey kKey{.seed = 0x123456789abcdefull, .problem = 3, .run = 5};
constexpr auto kPurpose = Purpose::probe;
constexpr std::uint32_t kSlots = 64;

/// The logits of one row, as each kind of model could give them.
std::vector<float> random_logits(const std::string& kind, std::int64_t count, std::uint32_t seed) {
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

RequestState request(const SamplingParams& params) {
  RequestState state{};
  state.position = 40;
  state.rows = 1;
  state.left = 1000;
  state.serial = 7;
  state.temperature = params.temperature;
  state.top_p = params.top_p;
  state.top_k = params.temperature == 0 ? 1 : params.top_k;
  state.seed = kKey.seed;
  state.problem = kKey.problem;
  state.run = kKey.run;
  state.purpose = static_cast<std::uint32_t>(kPurpose);
  return state;
}

/// sample() over a row of logits. The most probable ids come first, as the device has them: where top_k and top_p keep
/// every id, the order decides which one a draw selects.
class HostSampler {
 public:
  explicit HostSampler(const std::vector<float>& logits) {
    for (std::size_t id = 0; id < logits.size(); ++id) candidates_.push_back({static_cast<TokenId>(id), logits[id]});
    if (std::ranges::any_of(logits, [](float logit) { return std::isnan(logit); })) return;  // not in any order
    std::ranges::stable_sort(candidates_, [](const Candidate& a, const Candidate& b) { return a.logit > b.logit; });
  }

  TokenId token(const SamplingParams& params, std::uint32_t position) const {
    std::vector<Candidate> candidates = candidates_;
    return sample(candidates, params, uniform(kKey, position, kPurpose));
  }

 private:
  std::vector<Candidate> candidates_;
};

class decode_sampling_test : public GpuTest {
 protected:
  void SetUp() override {
    GpuTest::SetUp();
    if (IsSkipped()) return;
    results_.emplace(kSlots);
  }

  /// Buffers of one request over logits that `shards` ranks share; all of them on this GPU.
  struct Request {
    at::Tensor state, logits, blocks, received;
    std::vector<DecodeSampling> shards;

    RequestState read() const {
      RequestState state;
      const at::Tensor bytes = this->state.cpu();
      std::memcpy(&state, bytes.const_data_ptr(), sizeof(state));
      return state;
    }
  };

  /// `rows` of logits, of which the last counts; the others, and what is behind the row, would win.
  Request start(const RequestState& state, const std::vector<float>& row, const std::vector<std::int64_t>& columns) {
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) results_->store(slot, ~std::uint64_t{0});
    Request request;
    request.state = device_copy(state);
    const auto count = static_cast<std::int64_t>(row.size());
    constexpr std::int64_t kBehind = 100;
    request.logits = at::full({state.rows, count + kBehind}, 1000, floats());
    request.logits[state.rows - 1]
        .narrow(0, 0, count)
        .copy_(at::from_blob(const_cast<float*>(row.data()), {count}, at::kFloat));
    const auto shards = static_cast<std::int64_t>(columns.size());
    request.blocks = at::zeros({shards, count / kLogitsPerBlock + 1, kMaxCandidates}, options(at::kLong));
    request.received = at::full({shards, kMaxCandidates}, -1, options(at::kLong));
    std::int64_t first = 0;
    for (std::int64_t rank = 0; rank < shards; ++rank) {
      DecodeSampling sampling;
      sampling.state = static_cast<RequestState*>(request.state.mutable_data_ptr());
      sampling.logits = request.logits.const_data_ptr<float>() + first;
      sampling.logits_stride = count + kBehind;
      sampling.first_id = first;
      sampling.columns = columns[static_cast<std::size_t>(rank)];
      sampling.blocks = static_cast<CandidateKey*>(request.blocks[rank].mutable_data_ptr());
      sampling.sent[0] = static_cast<CandidateKey*>(request.received[rank].mutable_data_ptr());
      sampling.received = static_cast<CandidateKey*>(request.received.mutable_data_ptr());
      sampling.ranks = static_cast<int>(shards);
      sampling.results = results_->data();
      sampling.result_slots = kSlots;
      sampling.limit = limit();
      first += sampling.columns;
      request.shards.push_back(sampling);
    }
    return request;
  }

  /// One rank does everything at once; several send their candidates first, as without mapped memory.
  void step(const Request& request) {
    if (request.shards.size() == 1) {
      launch_decode_sampling(request.shards[0], SamplingPart::all, false, stream());
      return;
    }
    for (const DecodeSampling& shard : request.shards) {
      launch_decode_sampling(shard, SamplingPart::select, false, stream());
    }
    launch_decode_sampling(request.shards[0], SamplingPart::choose, false, stream());
  }

  StepResult result(std::uint32_t serial) {
    check_cuda(cudaStreamSynchronize(stream()), "a step's sampling");
    return decode_result(results_->load(serial % kSlots));
  }

  /// The end of a single greedy step over `logits`, and what it leaves.
  struct Ended {
    StepResult result;
    RequestState state;
  };
  Ended end_of(const RequestState& state, const std::vector<float>& logits) {
    const Request request = start(state, logits, {static_cast<std::int64_t>(logits.size())});
    step(request);
    return {result(state.serial), request.read()};
  }

  std::optional<MappedArray<std::uint64_t> > results_;
};

TEST_P(decode_sampling_test, chooses_the_tokens_of_the_host) {
  constexpr int kSteps = 6;
  std::uint32_t seed = 0;
  for (const std::int64_t count : {1, 5, 64, 2048, 2049, 9000, 151936}) {
    for (const char* kind : {"normal", "ties", "mostly -inf", "all equal"}) {
      const std::vector<float> logits = random_logits(kind, count, ++seed);
      const HostSampler host(logits);
      for (const SamplingParams& params :
           {SamplingParams{0, 1, 1}, SamplingParams{0.6f, 0.95f, 20}, SamplingParams{1.3f, 1, 64},
            SamplingParams{1, 0.5f, 4}, SamplingParams{1, 1e-4f, 20}, SamplingParams{0.7f, 0.9f, 1},
            SamplingParams{5, 0.999f, 64}}) {
        const RequestState state = request(params);
        const Request running = start(state, logits, {count});
        for (int i = 0; i < kSteps; ++i) step(running);
        for (std::uint32_t i = 0; i < kSteps; ++i) {
          const StepResult found = result(state.serial + i);
          ASSERT_EQ(found.serial, state.serial + i);
          ASSERT_EQ(found.end, StepEnd::none);
          ASSERT_EQ(found.token, host.token(params, static_cast<std::uint32_t>(state.position) + 1 + i))
              << count << " logits, " << kind << ", temperature " << params.temperature << ", top_p " << params.top_p
              << ", top_k " << params.top_k << ", step " << i;
        }
        EXPECT_TRUE((running.received == -1).all().item<bool>()) << "the lists are not ready for the next step";
      }
    }
  }
}

TEST_P(decode_sampling_test, chooses_the_same_from_shards) {
  const std::vector<std::vector<std::int64_t> > splits{{4500, 4500}, {3000, 3000, 3000},       {8999, 1},
                                                       {9000, 0},    {2048, 2048, 2048, 2856}, {3, 8997}};
  for (const char* kind : {"normal", "ties", "all equal"}) {
    const std::vector<float> logits = random_logits(kind, 9000, 99);
    const HostSampler host(logits);
    for (const auto& columns : splits) {
      for (const SamplingParams& params :
           {SamplingParams{0, 1, 1}, SamplingParams{0.6f, 0.95f, 20}, SamplingParams{1.3f, 1, 64}}) {
        const RequestState state = request(params);
        const Request running = start(state, logits, columns);
        for (int i = 0; i < 4; ++i) step(running);
        for (std::uint32_t i = 0; i < 4; ++i) {
          ASSERT_EQ(result(state.serial + i).token,
                    host.token(params, static_cast<std::uint32_t>(state.position) + 1 + i))
              << kind << ", " << columns.size() << " shards of " << columns[0] << " …, top_k " << params.top_k;
        }
        EXPECT_TRUE((running.received == -1).all().item<bool>());
      }
    }
  }
}

TEST_P(decode_sampling_test, the_last_row_counts_and_the_request_moves_on) {
  const std::vector<float> logits = random_logits("normal", 3000, 5);
  const SamplingParams params{0.8f, 0.9f, 20};
  RequestState state = request(params);
  state.rows = 3;
  state.left = 2;
  state.stop_state = 6;
  state.serial = kSerialMask;  // the counter goes round
  Request running = start(state, logits, {3000});
  const at::Tensor wiped = at::randn({2, 128}, floats());
  running.shards[0].wipe = wiped.mutable_data_ptr<float>();
  running.shards[0].reset_rank_stride = 128;
  running.shards[0].reset_float4s = 16;
  running.shards[0].reset_ranks = 2;
  step(running);
  const StepResult first = result(kSerialMask);
  EXPECT_EQ(first.serial, kSerialMask);
  EXPECT_EQ(first.end, StepEnd::none);
  EXPECT_EQ(first.token, HostSampler(logits).token(params, 43));  // the draw of the position that the token gets
  RequestState after = running.read();
  EXPECT_EQ(after.tokens[0], first.token);
  EXPECT_EQ(after.position, 43);
  EXPECT_EQ(after.rows, 1);
  EXPECT_EQ(after.left, 1);
  EXPECT_EQ(after.serial, 0u);
  EXPECT_EQ(after.stop_state, 6u);
  EXPECT_EQ(after.stopped, 0u);
  EXPECT_TRUE(is_not_yet(wiped.narrow(1, 0, 64)));
  EXPECT_FALSE((wiped.narrow(1, 64, 64).contiguous().view(at::kInt) == -1).any().item<bool>());

  // The last one that may be written; after it nothing is.
  step(running);
  EXPECT_EQ(result(0).end, StepEnd::length);
  after = running.read();
  EXPECT_EQ(after.stopped, 1u);
  EXPECT_EQ(after.left, 0);
  results_->store(1, 12345);
  step(running);
  result(1);
  EXPECT_EQ(results_->load(1), 12345u);
  const RequestState unchanged = running.read();
  EXPECT_EQ(std::memcmp(&unchanged, &after, sizeof(after)), 0);
  EXPECT_TRUE((running.received == -1).all().item<bool>());
}

TEST_P(decode_sampling_test, ends_at_eos_triggers_and_the_last_token) {
  constexpr std::int64_t kVocab = 300;
  std::vector<float> logits(kVocab, 0.0f);
  logits[123] = 5;  // the greedy choice
  // Two states of a matcher; ids from 200 on have no entry.
  constexpr std::int64_t kStopVocab = 200;
  std::vector<std::uint16_t> entries(2 * kStopVocab, 0);
  entries[123] = 1;                    // state 0: on the way
  entries[kStopVocab + 123] = 0x8000;  // state 1: matched
  const at::Tensor table = at::from_blob(entries.data(), {2 * kStopVocab}, at::kShort).to(device());
  RequestState state = request({});
  state.stop_entries = static_cast<const std::uint16_t*>(table.const_data_ptr());
  state.stop_vocab = kStopVocab;

  EXPECT_EQ(end_of(state, logits).result.end, StepEnd::none);  // not asked to look for triggers
  state.stop_at_trigger = 1;
  Ended ended = end_of(state, logits);
  EXPECT_EQ(ended.result.end, StepEnd::none);
  EXPECT_EQ(ended.state.stop_state, 1u);
  state.stop_state = 1;
  ended = end_of(state, logits);
  EXPECT_EQ(ended.result.end, StepEnd::trigger);
  EXPECT_EQ(ended.state.stop_state, 0u);
  EXPECT_EQ(ended.state.stopped, 1u);

  state.left = 1;  // a trigger in the last token is a trigger
  EXPECT_EQ(end_of(state, logits).result.end, StepEnd::trigger);
  state.stop_state = 0;
  EXPECT_EQ(end_of(state, logits).result.end, StepEnd::length);

  state.stop_state = 1;
  state.num_eos = 2;
  state.eos[0] = 7;
  state.eos[1] = 123;
  ended = end_of(state, logits);
  EXPECT_EQ(ended.result.end, StepEnd::eos);  // before anything else
  EXPECT_EQ(ended.result.token, 123);
  EXPECT_EQ(ended.state.stop_state, 1u);

  logits[250] = 9;  // a token without an entry leaves the matcher's state as it is
  state.left = 10;
  ended = end_of(state, logits);
  EXPECT_EQ(ended.result.token, 250);
  EXPECT_EQ(ended.result.end, StepEnd::none);
  EXPECT_EQ(ended.state.stop_state, 1u);
}

TEST_P(decode_sampling_test, logits_that_are_not_numbers_end_the_request) {
  for (const std::size_t place : {std::size_t{0}, std::size_t{2047}, std::size_t{2999}}) {
    for (const SamplingParams& params : {SamplingParams{0, 1, 1}, SamplingParams{0.6f, 0.95f, 20}}) {
      for (const float bad : {kNan, -kNan}) {
        std::vector<float> logits = random_logits("normal", 3000, 11);
        logits[place] = bad;
        EXPECT_THROW(HostSampler(logits).token(params, 41), UserError);
        const Ended ended = end_of(request(params), logits);
        EXPECT_EQ(ended.result.end, StepEnd::bad_logits) << place;
        EXPECT_EQ(ended.state.stopped, 1u);
      }
    }
  }
  // -inf everywhere is a number: the first id.
  const std::vector<float> nothing(3000, -kInfinity);
  const Ended ended = end_of(request({}), nothing);
  EXPECT_EQ(ended.result.end, StepEnd::none);
  EXPECT_EQ(ended.result.token, HostSampler(nothing).token({}, 41));
}

// Logits are float32 whatever the type of the model.
INSTANTIATE_TEST_SUITE_P(types, decode_sampling_test, testing::Values(at::kFloat));

}  // namespace
}  // namespace specthink
