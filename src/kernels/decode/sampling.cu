#include "kernels/decode/sampling.h"
#include "kernels/device/hopper.cuh"
#include "kernels/device/kernel_launch.cuh"
#include "kernels/device/kernel_timeline.cuh"
#include "kernels/device/ptx.cuh"
#include "kernels/exchange/exchange.cuh"

namespace specthink {
namespace {

constexpr int kSelectThreads = 128;
constexpr int kPerThread = kLogitsPerBlock / kSelectThreads;
constexpr int kChooseThreads = 256;
constexpr int kMaxList = 4096;  // candidates that can be as good as the kMaxCandidates-th best block's best
constexpr int kMaxBlocks = 512;
constexpr CandidateKey kNoKey = 0;
constexpr CandidateKey kNotYetKey = ~CandidateKey{0};
constexpr std::uint32_t kNanBits = 0xfffffffeu;  // above every number, below kNotYetKey
constexpr std::uint16_t kMatched = 0x8000;

__device__ __forceinline__ CandidateKey make_key(float logit, std::uint32_t id) {
  const std::uint32_t bits = __float_as_uint(logit + 0.0f);  // -0 and 0 are equal logits
  const std::uint32_t ordered = isnan(logit) ? kNanBits : bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return static_cast<CandidateKey>(ordered) << 32 | (0xffffffffu - id);
}
__device__ __forceinline__ std::int32_t id_of(CandidateKey key) {
  return static_cast<std::int32_t>(0xffffffffu - static_cast<std::uint32_t>(key));
}
__device__ __forceinline__ bool is_nan(CandidateKey key) { return key >> 32 == kNanBits; }
__device__ __forceinline__ float logit_of(CandidateKey key) {
  const auto ordered = static_cast<std::uint32_t>(key >> 32);
  return __uint_as_float(ordered & 0x80000000u ? ordered & 0x7fffffffu : ~ordered);
}

/// How many of `count` keys are greater.
__device__ __forceinline__ int rank_among(CandidateKey key, const CandidateKey* keys, int count) {
  int rank = 0;
#pragma unroll 8
  for (int i = 0; i < count; ++i) rank += keys[i] > key;
  return rank;
}

/// The best top_k of 2048 logits, in order. Whatever is among them is at least the top_k-th best of the threads' bests.
__global__ void __launch_bounds__(kSelectThreads) select_of_block(const __grid_constant__ DecodeSampling p) {
#if SPECTHINK_HOPPER_CODE
  __shared__ CandidateKey bests[kSelectThreads];
  __shared__ CandidateKey list[kSelectThreads * kPerThread];
  __shared__ CandidateKey threshold;
  __shared__ int listed;
  const int thread = static_cast<int>(threadIdx.x);
  ptx::launch_dependents();
  record(p.select_marks, Mark::started);
  const int top_k = p.state->top_k;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kLogitsPerBlock;
  const float* const row = p.logits + (p.state->rows - 1) * p.logits_stride;
  if (thread == 0) {
    threshold = kNoKey;
    listed = 0;
  }
  ptx::wait_for_predecessors();
  record(p.select_marks, Mark::released);

  CandidateKey keys[kPerThread];
  CandidateKey best = kNoKey;
#pragma unroll
  for (int i = 0; i < kPerThread; ++i) {
    const std::int64_t column = first + i * kSelectThreads + thread;
    keys[i] =
        column < p.columns ? make_key(__ldcg(row + column), static_cast<std::uint32_t>(p.first_id + column)) : kNoKey;
    best = keys[i] > best ? keys[i] : best;
  }
  bests[thread] = best;
  __syncthreads();
  if (best != kNoKey && rank_among(best, bests, kSelectThreads) == top_k - 1) threshold = best;
  __syncthreads();
#pragma unroll
  for (int i = 0; i < kPerThread; ++i) {
    if (keys[i] != kNoKey && keys[i] >= threshold) list[atomicAdd(&listed, 1)] = keys[i];
  }
  __syncthreads();
  CandidateKey* const to = p.blocks + static_cast<std::int64_t>(blockIdx.x) * kMaxCandidates;
  for (int i = thread; i < listed; i += kSelectThreads) {
    const int rank = rank_among(list[i], list, listed);
    if (rank < top_k) to[rank] = list[i];
  }
  for (int i = listed + thread; i < top_k; i += kSelectThreads) to[i] = kNoKey;
  record(p.select_marks, Mark::ended);
#endif
}

/// The random word of engine/sampling.h: Philox 4x32-10 with the seed as key.
__device__ double uniform_draw(const RequestState& state, std::uint32_t position) {
  std::uint32_t words[4] = {position, state.purpose, state.problem, state.run};
  auto key_low = static_cast<std::uint32_t>(state.seed);
  auto key_high = static_cast<std::uint32_t>(state.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * words[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * words[2];
    const std::uint32_t next0 = static_cast<std::uint32_t>(product1 >> 32) ^ words[1] ^ key_low;
    const std::uint32_t next2 = static_cast<std::uint32_t>(product0 >> 32) ^ words[3] ^ key_high;
    words[0] = next0;
    words[1] = static_cast<std::uint32_t>(product1);
    words[2] = next2;
    words[3] = static_cast<std::uint32_t>(product0);
    key_low += 0x9E3779B9u;
    key_high += 0xBB67AE85u;
  }
  return static_cast<double>((std::uint64_t{words[0]} << 32 | words[1]) >> 11) * 0x1p-53;
}

/// Which of the sorted candidates the draw selects; the same sums in the same order as sample() on the host.
__device__ int choose(const double* weights, int count, float top_p, double draw) {
  double total = 0;
  for (int i = 0; i < count; ++i) total += weights[i];
  if (top_p < 1) {
    double sum = 0;
    for (int i = 0; i < count; ++i) {
      sum += weights[i];
      if (sum >= top_p * total) {
        count = i + 1;
        break;
      }
    }
    total = 0;
    for (int i = 0; i < count; ++i) total += weights[i];
  }
  double left = draw * total;
  for (int i = 0; i < count; ++i) {
    left -= weights[i];
    if (left < 0) return i;
  }
  while (count > 1 && weights[count - 1] == 0) --count;  // rounding left a trace behind the last one
  return count - 1;
}

/// What the new token means for the request, and the word for the host. `state`: as it was before this token.
__device__ void emit(const DecodeSampling& p, const RequestState& state, std::int32_t token, bool bad_logits) {
  std::uint32_t stop_state = state.stop_state;
  StepEnd end = StepEnd::none;
  for (int i = 0; i < state.num_eos; ++i) {
    if (token == state.eos[i]) end = StepEnd::eos;
  }
  if (end == StepEnd::none && state.stop_at_trigger && token < state.stop_vocab) {
    const std::uint16_t entry = __ldg(state.stop_entries + stop_state * state.stop_vocab + token);
    stop_state = entry & static_cast<std::uint16_t>(~kMatched);
    if (entry & kMatched) end = StepEnd::trigger;
  }
  if (state.left <= 1 && end == StepEnd::none) end = StepEnd::length;
  if (bad_logits) end = StepEnd::bad_logits;
  if (*static_cast<volatile std::uint32_t*>(p.limit.failed) != 0) end = StepEnd::lost_rank;
  p.state->tokens[0] = token;
  p.state->position = state.position + state.rows;
  p.state->rows = 1;
  p.state->left = state.left - 1;
  p.state->stop_state = stop_state;
  p.state->stopped = end != StepEnd::none;
  p.state->serial = (state.serial + 1) & kSerialMask;
  // The host reads nothing but this word: no order with other writes is needed.
  ptx::store_system(p.results + state.serial % p.result_slots, encode_result(token, end, state.serial));
}

template <SamplingPart kPart>
__global__ void __launch_bounds__(kChooseThreads) choose_token(const __grid_constant__ DecodeSampling p, int blocks) {
#if SPECTHINK_HOPPER_CODE
  __shared__ CandidateKey list[kMaxList];
  __shared__ CandidateKey bests[kMaxBlocks];
  __shared__ CandidateKey top[kMaxCandidates];
  __shared__ double weights[kMaxCandidates];
  __shared__ CandidateKey threshold;
  __shared__ int listed;
  __shared__ RequestState state;  // nobody else writes it during the step
  const int thread = static_cast<int>(threadIdx.x);
  ptx::launch_dependents();
  record(p.choose_marks, Mark::started);
  constexpr int kStateWords = sizeof(RequestState) / sizeof(std::uint32_t);
  static_assert(kStateWords <= kChooseThreads);
  if (thread < kStateWords) {
    reinterpret_cast<std::uint32_t*>(&state)[thread] = reinterpret_cast<const std::uint32_t*>(p.state)[thread];
  }
  if (thread == 0) {
    threshold = kNoKey;
    listed = 0;
  }
  __syncthreads();
  const int top_k = state.top_k;
  ptx::wait_for_predecessors();
  record(p.choose_marks, Mark::released);

  if constexpr (kPart != SamplingPart::choose) {
    // The best of each block first: what is among the best top_k is in a block whose best is.
    for (int b = thread; b < blocks; b += kChooseThreads)
      bests[b] = __ldcg(p.blocks + static_cast<std::int64_t>(b) * kMaxCandidates);
    __syncthreads();
    for (int b = thread; b < blocks; b += kChooseThreads) {
      if (bests[b] != kNoKey && rank_among(bests[b], bests, blocks) == top_k - 1) threshold = bests[b];
    }
    __syncthreads();
    for (int i = thread; i < blocks * top_k; i += kChooseThreads) {
      const int b = i / top_k;
      if (bests[b] == kNoKey || bests[b] < threshold) continue;
      const CandidateKey key = __ldcg(p.blocks + static_cast<std::int64_t>(b) * kMaxCandidates + i % top_k);
      if (key == kNoKey || key < threshold) continue;
      list[atomicAdd(&listed, 1)] = key;
    }
    __syncthreads();
    const auto send = [&](int slot, CandidateKey key) {
#pragma unroll
      for (int rank = 0; rank < kMaxExchangeRanks; ++rank) {
        if (rank < p.ranks && p.sent[rank]) ptx::store_system(p.sent[rank] + slot, key);
      }
    };
    for (int i = thread; i < listed; i += kChooseThreads) {
      const int rank = rank_among(list[i], list, listed);
      if (rank < top_k) send(rank, list[i]);
    }
    for (int i = listed + thread; i < top_k; i += kChooseThreads) send(i, kNoKey);
    if constexpr (kPart == SamplingPart::select) return;
    __syncthreads();                      // the list is reused
    record(p.choose_marks, Mark::first);  // this rank's candidates are sent
  }

  SpinClock clock(p.limit);
  const int total = p.ranks * top_k;
  for (int i = thread; i < total; i += kChooseThreads) {
    CandidateKey* const from = p.received + i / top_k * kMaxCandidates + i % top_k;
    CandidateKey key = ptx::load_system_8(from);
    while (key == kNotYetKey) {
      if (clock.expired()) {
        key = kNoKey;
        break;
      }
      key = ptx::load_system_8(from);
    }
    *from = kNotYetKey;
    list[i] = key;
  }
  if (thread < kMaxCandidates) top[thread] = kNoKey;
  reset_partials(p.reset, p.reset_rank_stride, p.reset_ranks, p.reset_float4s, thread, kChooseThreads);
  __syncthreads();
  record(p.choose_marks, Mark::second);  // all candidates have arrived
  for (int i = thread; i < total; i += kChooseThreads) {
    if (list[i] == kNoKey) continue;
    const int rank = rank_among(list[i], list, total);
    if (rank < top_k) top[rank] = list[i];
  }
  __syncthreads();
  const float temperature = state.temperature;
  if (thread < top_k) {
    const CandidateKey key = top[thread];
    const double difference = static_cast<double>(logit_of(key)) - static_cast<double>(logit_of(top[0]));
    weights[thread] = key == kNoKey ? 0 : temperature == 0 ? thread == 0 : exp(difference / temperature);
  }
  __syncthreads();
  record(p.choose_marks, Mark::third);  // their weights are there
  if (thread != 0 || state.stopped) return;
  int count = 0;
  while (count < top_k && top[count] != kNoKey) ++count;
  const bool bad = count == 0 || is_nan(top[0]);
  const std::uint32_t position = static_cast<std::uint32_t>(state.position + state.rows);
  const int chosen = bad || temperature == 0 ? 0 : choose(weights, count, state.top_p, uniform_draw(state, position));
  emit(p, state, id_of(top[chosen]), bad);
  record(p.choose_marks, Mark::ended);
#endif
}

bool configure() {
  const auto prefer_shared = [](auto kernel, const char* name) {
    if (cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout, 100) != cudaSuccess) {
      check_launch(name);
    }
  };
  prefer_shared(select_of_block, "select_of_block");
  prefer_shared(choose_token<SamplingPart::all>, "choose_token");
  prefer_shared(choose_token<SamplingPart::select>, "choose_token");
  prefer_shared(choose_token<SamplingPart::choose>, "choose_token");
  return true;
}

}  // namespace

void launch_decode_sampling(const DecodeSampling& sampling, SamplingPart part, bool dependent, cudaStream_t stream) {
  static const bool configured = configure();
  (void)configured;
  const auto blocks = static_cast<int>((sampling.columns + kLogitsPerBlock - 1) / kLogitsPerBlock);
  if (blocks > kMaxBlocks) fail_launch("choose_token", "a shard of more than a million ids");
  LaunchShape shape{dim3(1), kChooseThreads};
  shape.dependent = dependent;
  if (part == SamplingPart::choose) {
    launch_kernel("choose_token", choose_token<SamplingPart::choose>, shape, stream, sampling, blocks);
    return;
  }
  LaunchShape select{dim3(static_cast<unsigned>(blocks < 1 ? 1 : blocks)), kSelectThreads};
  select.dependent = dependent;
  launch_kernel("select_of_block", select_of_block, select, stream, sampling);
  shape.dependent = true;
  if (part == SamplingPart::all) {
    launch_kernel("choose_token", choose_token<SamplingPart::all>, shape, stream, sampling, blocks);
  } else {
    launch_kernel("choose_token", choose_token<SamplingPart::select>, shape, stream, sampling, blocks);
  }
}

}  // namespace specthink
