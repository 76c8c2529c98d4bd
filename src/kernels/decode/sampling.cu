#include "kernels/decode/candidate_keys.cuh"
#include "kernels/decode/row_measure.cuh"
#include "kernels/decode/sampling.h"
#include "kernels/device/kernel_launch.cuh"
#include "kernels/device/kernel_timeline.cuh"
#include "kernels/device/ptx.cuh"
#include "kernels/exchange/exchange.cuh"
#include "specthink/kernels/sampling_rule.h"

namespace specthink::inline kernels {
namespace {

constexpr int kSelectThreads = 128;
constexpr int kPerThread = kLogitsPerBlock / kSelectThreads;
constexpr int kChooseThreads = 256;
constexpr int kMaxList = 4096;  // candidates that can be as good as the kMaxCandidates-th best block's best
constexpr int kMaxBlocks = 512;

/// How many of `count` keys are greater.
__device__ __forceinline__ int rank_among(CandidateKey key, const CandidateKey* keys, int count) {
  int rank = 0;
#pragma unroll 8
  for (int i = 0; i < count; ++i) rank += keys[i] > key;
  return rank;
}

/// The best top_k of 2048 logits of a row, in order. Whatever is among them is at least the top_k-th best of the
/// threads' bests.
__global__ void __launch_bounds__(kSelectThreads) select_of_block(const __grid_constant__ DecodeSampling p) {
  __shared__ CandidateKey bests[kSelectThreads];
  __shared__ CandidateKey list[kSelectThreads * kPerThread];
  __shared__ CandidateKey threshold;
  __shared__ int listed;
  const int thread = static_cast<int>(threadIdx.x);
  ptx::launch_dependents();
  const StepRow& which = p.layout->rows[blockIdx.y];
  // That the blocks of a sampled row wait for the kernel before keeps this kernel from ending first.
  if (which.slot < 0 || which.sampled < 0) return;
  record(p.select_marks, Mark::started);
  const int top_k = p.slots[which.slot].top_k;
  const bool measures = p.slots[which.slot].measures != 0;
  const std::int64_t columns = min(p.columns, p.slots[which.slot].vocab_limit - p.first_id);
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kLogitsPerBlock;
  const float* const row = p.logits + blockIdx.y * p.logits_stride;
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
        column < columns ? make_key(__ldcg(row + column), static_cast<std::uint32_t>(p.first_id + column)) : kNoKey;
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
  CandidateKey* const to = p.blocks + (static_cast<std::int64_t>(blockIdx.y) * gridDim.x + blockIdx.x) * kMaxCandidates;
  for (int i = thread; i < listed; i += kSelectThreads) {
    const int rank = rank_among(list[i], list, listed);
    if (rank < top_k) to[rank] = list[i];
  }
  for (int i = listed + thread; i < top_k; i += kSelectThreads) to[i] = kNoKey;
  if (measures) {
    __shared__ RowMeasure of_warps[kSelectThreads / 32];
    const RowMeasure measure = measure_block<kSelectThreads / 32>(keys, of_warps);
    if (thread == 0) p.block_measures[static_cast<std::int64_t>(blockIdx.y) * gridDim.x + blockIdx.x] = measure;
  }
  record(p.select_marks, Mark::ended);
}

/// Takes a token into the request's state; how the request ends with it. `entropy`: of what it was drawn from, where
/// that is measured.
__device__ std::uint32_t take(const DecodeSampling& p, SlotState& state, std::int32_t token, bool bad_logits,
                              float entropy) {
  std::uint32_t end = kNoEnd;
  for (int i = 0; i < state.num_eos; ++i) {
    if (token == state.eos[i]) end = end_code(EndReason::eos);
  }
  if (end == kNoEnd && token + 1 == state.stop_token_plus_1) end = end_code(EndReason::stop_token);
  if (end == kNoEnd && state.stop_entries && token < state.stop_vocab) {
    const std::uint16_t entry = __ldg(state.stop_entries + state.stop_state * state.stop_vocab + token);
    state.stop_state = entry & static_cast<std::uint16_t>(~kStopMatched);
    if ((entry & kStopMatched) && state.min_left <= 1) end = end_code(EndReason::trigger);
  }
  if (state.left <= 1 && end == kNoEnd) end = end_code(EndReason::length);
  if (state.measures && entropy > state.max_entropy) end = end_code(EndReason::uncertain);
  if (bad_logits) end = kBadLogits;
  if (*static_cast<volatile std::uint32_t*>(p.limit.failed) != 0) end = kLostRank;
  state.token = token;
  state.left -= 1;
  state.min_left -= state.min_left > 0;
  state.stopped = end != kNoEnd;
  return end;
}

/// What was chosen behind a row, as one word.
__device__ __forceinline__ std::uint64_t encode_choice(std::int32_t token, bool bad_logits) {
  return static_cast<std::uint64_t>(bad_logits) << 32 | static_cast<std::uint32_t>(token);
}

/// Emits the tokens of an entry: `choice(i)` behind its i-th sampled row, as long as they are the proposals, with
/// `statistics(i)` where the request measures. `state`: as it was before them.
template <typename Choice, typename Statistics>
__device__ void emit(const DecodeSampling& p, SlotState& state, const StepEntry& entry, int entry_index, int proposals,
                     const Choice& choice, const Statistics& statistics) {
  const int first_sampled = entry.rows - 1 - proposals;
  int emitted = 0;
  for (bool more = true; more;) {
    const std::uint64_t word = choice(emitted);
    const auto token = static_cast<std::int32_t>(word & 0xffffffffu);
    float entropy = 0;
    if (state.measures) {
      const StatisticsWords measured = statistics(emitted);
      entropy = entropy_of(measured);
      std::uint64_t* const to =
          p.statistics + (entry.slot * kResultSlots + state.serial % kResultSlots) * kStatisticsWords;
      for (int i = 0; i < kStatisticsWords; ++i) ptx::store_system(to + i, measured.words[i]);
      __threadfence_system();  // before the word that says that they are there
    }
    const std::uint32_t end = take(p, state, token, word >> 32 != 0, entropy);
    more = end == kNoEnd && emitted < proposals &&
           token == p.layout->rows[entry.first_row + first_sampled + emitted + 1].token;
    // But for statistics the host reads nothing but this word: no order with other writes is needed.
    ptx::store_system(p.results + entry.slot * kResultSlots + state.serial % kResultSlots,
                      encode_result({token, end, more, state.serial}));
    state.serial = (state.serial + 1) & kSerialMask;
    ++emitted;
  }
  SlotState& slot = p.slots[entry.slot];
  slot.token = state.token;
  slot.position = entry.position + first_sampled + emitted;
  slot.left = state.left;
  slot.min_left = state.min_left;
  slot.stopped = state.stopped;
  slot.serial = state.serial;
  slot.stop_state = state.stop_state;
  // The next step, if its rows are the same.
  p.layout->entries[entry_index].position = slot.position;
  p.layout->rows[entry.first_row].token = state.token;
}

/// Whether this is the last block of an entry's `rows` whose choice is there; the others' are then visible.
__device__ bool last_of_entry(const DecodeSampling& p, int entry_index, int rows) {
  __threadfence();
  if (atomicAdd(p.arrived + entry_index, 1) != static_cast<unsigned>(rows - 1)) return false;
  p.arrived[entry_index] = 0;  // for the next step
  __threadfence();
  return true;
}

/// Merges the lists of a row's blocks and sends the best top_k to every rank.
__device__ __forceinline__ void send_candidates(const DecodeSampling& p, int row, int blocks, int top_k,
                                                CandidateKey* bests, CandidateKey* list, CandidateKey& threshold,
                                                int& listed) {
  const int thread = static_cast<int>(threadIdx.x);
  const CandidateKey* const lists = p.blocks + static_cast<std::int64_t>(row) * blocks * kMaxCandidates;
  // The best of each block first: what is among the best top_k is in a block whose best is.
  for (int b = thread; b < blocks; b += kChooseThreads)
    bests[b] = __ldcg(lists + static_cast<std::int64_t>(b) * kMaxCandidates);
  __syncthreads();
  for (int b = thread; b < blocks; b += kChooseThreads) {
    if (bests[b] != kNoKey && rank_among(bests[b], bests, blocks) == top_k - 1) threshold = bests[b];
  }
  __syncthreads();
  for (int i = thread; i < blocks * top_k; i += kChooseThreads) {
    const int b = i / top_k;
    if (bests[b] == kNoKey || bests[b] < threshold) continue;
    const CandidateKey key = __ldcg(lists + static_cast<std::int64_t>(b) * kMaxCandidates + i % top_k);
    if (key == kNoKey || key < threshold) continue;
    list[atomicAdd(&listed, 1)] = key;
  }
  __syncthreads();
  const auto send = [&](int index, CandidateKey key) {
#pragma unroll
    for (int rank = 0; rank < kMaxExchangeRanks; ++rank) {
      if (rank < p.ranks && p.sent[rank]) ptx::store_system(p.sent[rank] + row * kRowKeys + index, key);
    }
  };
  for (int i = thread; i < listed; i += kChooseThreads) {
    const int rank = rank_among(list[i], list, listed);
    if (rank < top_k) send(rank, list[i]);
  }
  for (int i = listed + thread; i < top_k; i += kChooseThreads) send(i, kNoKey);
}

/// Waits for the lists of all ranks; `list` takes top_k of each.
__device__ __forceinline__ void receive_candidates(const DecodeSampling& p, int row, int top_k, CandidateKey* list) {
  SpinClock clock(p.limit);
  for (int i = static_cast<int>(threadIdx.x); i < p.ranks * top_k; i += kChooseThreads) {
    list[i] = receive_word(p.received + i / top_k * p.received_rank_stride + row * kRowKeys + i % top_k, clock);
  }
}

/// A block for each row of the step: chooses behind those that are sampled.
template <SamplingPart kPart>
__global__ void __launch_bounds__(kChooseThreads) choose_token(const __grid_constant__ DecodeSampling p, int blocks) {
  __shared__ CandidateKey list[kMaxList];
  __shared__ CandidateKey bests[kMaxBlocks];
  __shared__ CandidateKey top[kMaxCandidates];
  __shared__ double weights[kMaxCandidates];
  __shared__ double scores[kMaxCandidates];
  __shared__ CandidateKey threshold;
  __shared__ int listed;
  __shared__ SlotState state;  // only the block that emits the slot's tokens writes it, after all have read it
  const int thread = static_cast<int>(threadIdx.x);
  const int row = static_cast<int>(blockIdx.x);
  ptx::launch_dependents();
  record(p.choose_marks, Mark::started);
  const int slot = p.layout->rows[row].slot;
  const int entry_index = p.layout->rows[row].entry;
  const int sampled = p.layout->rows[row].sampled;
  const auto reset = [&] {
    reset_partials(p.reset, p.reset_rank_stride, p.reset_ranks, p.reset_float4s, row * kChooseThreads + thread,
                   static_cast<int>(gridDim.x) * kChooseThreads);
  };
  if (slot < 0 || sampled < 0) {
    ptx::wait_for_predecessors();
    if constexpr (kPart != SamplingPart::select) reset();
    return;
  }
  constexpr int kStateWords = sizeof(SlotState) / sizeof(std::uint32_t);
  static_assert(kStateWords <= kChooseThreads);
  if (thread < kStateWords) {
    reinterpret_cast<std::uint32_t*>(&state)[thread] = reinterpret_cast<const std::uint32_t*>(p.slots + slot)[thread];
  }
  const StepEntry entry = p.layout->entries[entry_index];
  const int proposals = p.layout->proposals[entry_index];
  if (thread == 0) {
    threshold = kNoKey;
    listed = 0;
  }
  __syncthreads();
  const int top_k = state.top_k;
  ptx::wait_for_predecessors();
  record(p.choose_marks, Mark::released);

  if constexpr (kPart != SamplingPart::choose) {
    if (state.measures && thread < 32) send_measure(p, row, blocks);
    send_candidates(p, row, blocks, top_k, bests, list, threshold, listed);
    if constexpr (kPart == SamplingPart::select) return;
    __syncthreads();                      // the list is reused
    record(p.choose_marks, Mark::first);  // this rank's candidates are sent
  }

  receive_candidates(p, row, top_k, list);
  if (thread < kMaxCandidates) top[thread] = kNoKey;
  reset();
  __syncthreads();
  record(p.choose_marks, Mark::second);  // all candidates have arrived
  const int total = p.ranks * top_k;
  for (int i = thread; i < total; i += kChooseThreads) {
    if (list[i] == kNoKey) continue;
    const int rank = rank_among(list[i], list, total);
    if (rank < top_k) top[rank] = list[i];
  }
  __syncthreads();
  const float temperature = state.temperature;
  const auto position =
      static_cast<std::uint32_t>(entry.position + row - entry.first_row + 1);  // where the new token stands
  if (thread < top_k) {
    const CandidateKey key = top[thread];
    const double exponent = (static_cast<double>(logit_of(key)) - static_cast<double>(logit_of(top[0]))) / temperature;
    weights[thread] = key == kNoKey ? 0 : exp(exponent);
    scores[thread] = exponent + gumbel_noise(state.seed, position, state.problem, state.run, state.purpose,
                                             static_cast<std::uint32_t>(id_of(key)));
  }
  __syncthreads();
  record(p.choose_marks, Mark::third);  // their weights and scores are there
  if (thread != 0) return;
  const RowMeasure raw = state.measures ? receive_measure(p, row) : no_measure();
  if (state.stopped) return;
  int count = 0;
  while (count < top_k && top[count] != kNoKey) ++count;
  const bool bad = count == 0 || is_nan(top[0]);
  int chosen = 0;
  int kept = 0;
  if (!bad && temperature != 0) {
    kept = kept_by_top_p(weights, count, state.top_p);
    for (int i = 1; i < kept; ++i) {
      if (is_better(scores[i], id_of(top[i]), scores[chosen], id_of(top[chosen]))) chosen = i;
    }
  }
  const std::int32_t token = state.forced_end ? __ldg(state.forced_end - state.left + sampled) : id_of(top[chosen]);
  const std::uint64_t choice = encode_choice(token, bad);
  StatisticsWords statistics{};
  if (state.measures) statistics = statistics_of(raw, logit_of(top[chosen]), weights, kept);
  if (proposals == 0) {
    emit(
        p, state, entry, entry_index, 0, [&](int) { return choice; }, [&](int) { return statistics; });
  } else {
    p.chosen[row] = choice;
    if (state.measures) {
      for (int i = 0; i < kStatisticsWords; ++i) p.chosen_statistics[row * kStatisticsWords + i] = statistics.words[i];
    }
    if (!last_of_entry(p, entry_index, proposals + 1)) return;
    const int first_sampled = entry.first_row + entry.rows - 1 - proposals;
    const std::uint64_t* const choices = p.chosen + first_sampled;
    const std::uint64_t* const measured = p.chosen_statistics + first_sampled * kStatisticsWords;
    emit(
        p, state, entry, entry_index, proposals, [&](int i) { return __ldcg(choices + i); },
        [&](int i) {
          StatisticsWords words;
          for (int word = 0; word < kStatisticsWords; ++word)
            words.words[word] = __ldcg(measured + i * kStatisticsWords + word);
          return words;
        });
  }
  record(p.choose_marks, Mark::ended);
}

bool configure() {
  prefer_shared_memory(select_of_block, "select_of_block");
  prefer_shared_memory(choose_token<SamplingPart::all>, "choose_token");
  prefer_shared_memory(choose_token<SamplingPart::select>, "choose_token");
  prefer_shared_memory(choose_token<SamplingPart::choose>, "choose_token");
  return true;
}

}  // namespace

void launch_decode_sampling(const DecodeSampling& sampling, SamplingPart part, int rows, bool dependent,
                            cudaStream_t stream, bool chained) {
  static const bool configured = configure();
  (void)configured;
  const auto blocks = static_cast<int>(sampling_blocks(sampling.columns));
  if (blocks > kMaxBlocks) fail_launch("choose_token", "a shard of more than a million ids");
  if (rows < 1 || rows > kMaxBatchRows) fail_launch("choose_token", "rows must be 1 to 128");
  LaunchShape shape{dim3(static_cast<unsigned>(rows)), kChooseThreads};
  shape.dependent = dependent;
  if (part == SamplingPart::choose) {
    launch_kernel("choose_token", choose_token<SamplingPart::choose>, shape, stream, sampling, blocks);
    return;
  }
  LaunchShape select{dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(rows)), kSelectThreads};
  select.dependent = dependent;
  launch_kernel("select_of_block", select_of_block, select, stream, sampling);
  shape.dependent = chained;
  if (part == SamplingPart::all) {
    launch_kernel("choose_token", choose_token<SamplingPart::all>, shape, stream, sampling, blocks);
  } else {
    launch_kernel("choose_token", choose_token<SamplingPart::select>, shape, stream, sampling, blocks);
  }
}

}  // namespace specthink::inline kernels
