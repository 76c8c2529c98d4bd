#include "kernels/decode/candidate_keys.cuh"
#include "kernels/decode/row_candidates.cuh"
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
  const auto is_listed = [&](CandidateKey key) { return key != kNoKey && key >= threshold; };
  int own = 0;
#pragma unroll
  for (int i = 0; i < kPerThread; ++i) own += is_listed(keys[i]);
  if (own > 0) {
    int at = atomicAdd(&listed, own);
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      if (is_listed(keys[i])) list[at++] = keys[i];
    }
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

/// The entry of the trigger table for a token, or one that changes nothing where none applies.
__device__ __forceinline__ std::uint32_t stop_entry(const SlotState& state, std::int32_t token) {
  if (!state.stop_entries || token >= state.stop_vocab) return state.stop_state;
  return __ldg(state.stop_entries + state.stop_state * state.stop_vocab + token);
}

/// A token behind a row, and what else decides how the request goes on.
struct Choice {
  std::int32_t token;
  std::uint32_t stop_entry;  // of the token
  bool bad_logits;
  bool lost_rank;
};

/// Takes a token into the request's state; how the request ends with it. `entropy`: of what it was drawn from, where
/// that is measured.
__device__ std::uint32_t take(SlotState& state, const Choice& choice, float entropy) {
  std::uint32_t end = kNoEnd;
  for (int i = 0; i < state.num_eos; ++i) {
    if (choice.token == state.eos[i]) end = end_code(EndReason::eos);
  }
  if (end == kNoEnd && choice.token + 1 == state.stop_token_plus_1) end = end_code(EndReason::stop_token);
  if (end == kNoEnd) {
    state.stop_state = choice.stop_entry & ~std::uint32_t{kStopMatched};
    if ((choice.stop_entry & kStopMatched) && state.min_left <= 1) end = end_code(EndReason::trigger);
  }
  if (state.left <= 1 && end == kNoEnd) end = end_code(EndReason::length);
  if (state.measures && entropy > state.max_entropy) end = end_code(EndReason::uncertain);
  if (choice.bad_logits) end = kBadLogits;
  if (choice.lost_rank) end = kLostRank;
  state.token = choice.token;
  state.left -= 1;
  state.min_left -= state.min_left > 0;
  state.stopped = end != kNoEnd;
  return end;
}

/// What was chosen behind a row, as one word.
__device__ __forceinline__ std::uint64_t encode_choice(std::int32_t token, bool bad_logits) {
  return static_cast<std::uint64_t>(bad_logits) << 32 | static_cast<std::uint32_t>(token);
}

/// Emits the tokens of an entry: `choice_at(i)` behind its i-th sampled row, as long as they are the proposals, with
/// `statistics(i)` where the request measures. `state`: as it was before them.
template <typename ChoiceAt, typename Statistics>
__device__ void emit(const DecodeSampling& p, SlotState& state, const StepEntry& entry, int entry_index, int proposals,
                     const ChoiceAt& choice_at, const Statistics& statistics) {
  const int first_sampled = entry.rows - 1 - proposals;
  int emitted = 0;
  for (bool more = true; more;) {
    const Choice choice = choice_at(emitted);
    float entropy = 0;
    if (state.measures) {
      const StatisticsWords measured = statistics(emitted);
      entropy = entropy_of(measured);
      std::uint64_t* const to =
          p.statistics + (entry.slot * kResultSlots + state.serial % kResultSlots) * kStatisticsWords;
      for (int i = 0; i < kStatisticsWords; ++i) ptx::store_system(to + i, measured.words[i]);
      __threadfence_system();  // before the word that says that they are there
    }
    const std::uint32_t end = take(state, choice, entropy);
    more = end == kNoEnd && emitted < proposals &&
           choice.token == p.layout->rows[entry.first_row + first_sampled + emitted + 1].token;
    // But for statistics the host reads nothing but this word: no order with other writes is needed.
    ptx::store_system(p.results + entry.slot * kResultSlots + state.serial % kResultSlots,
                      encode_result({choice.token, end, more, state.serial}));
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

/// A block for each row of the step: chooses behind those that are sampled.
template <SamplingPart kPart>
__global__ void __launch_bounds__(kChooseThreads) choose_token(const __grid_constant__ DecodeSampling p, int blocks) {
  __shared__ RowCandidates candidates;
  __shared__ SlotState state;  // only the block that emits the slot's tokens writes it, after all have read it
  __shared__ RowMeasure raw;
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
  if (thread == 0) candidates.listed = 0;
  __syncthreads();
  const int top_k = state.top_k;
  const bool is_forced = state.forced_end != nullptr;
  const std::int32_t forced = is_forced && !state.stopped ? __ldg(state.forced_end - state.left + sampled) : 0;
  ptx::wait_for_predecessors();
  record(p.choose_marks, Mark::released);

  if constexpr (kPart != SamplingPart::choose) {
    if (state.measures && thread < 32) send_measure(p, row, blocks);
    const bool is_alone = kPart == SamplingPart::all && p.ranks == 1;
    if (is_alone && thread < kMaxCandidates) candidates.top[thread] = kNoKey;
    merge_blocks<kChooseThreads>(p, row, blocks, top_k, candidates, [&](int i, CandidateKey key) {
      if (is_alone) {
        candidates.top[i] = key;
        return;
      }
#pragma unroll
      for (int rank = 0; rank < kMaxExchangeRanks; ++rank) {
        if (rank < p.ranks && p.sent[rank]) ptx::store_system(p.sent[rank] + row * kRowKeys + i, key);
      }
    });
    if constexpr (kPart == SamplingPart::select) return;
    __syncthreads();                      // the list is reused
    record(p.choose_marks, Mark::first);  // this rank's candidates are sent
  }
  if (kPart == SamplingPart::choose || p.ranks > 1) receive_candidates<kChooseThreads>(p, row, top_k, candidates);
  if (state.measures && thread == kChooseThreads - 1) raw = receive_measure(p, row);
  reset();
  __syncthreads();
  record(p.choose_marks, Mark::second);  // all candidates have arrived and are in order
  // Of this row no wait is left that could fail. Read here, it is there when the token is.
  const auto has_lost_rank = [&] { return *static_cast<volatile std::uint32_t*>(p.limit.failed) != 0; };
  const bool lost_rank = has_lost_rank();
  const float temperature = state.temperature;
  const auto position =
      static_cast<std::uint32_t>(entry.position + row - entry.first_row + 1);  // where the new token stands
  // Weights and noise, each by warps of their own.
  const int candidate = thread % kMaxCandidates;
  const CandidateKey key = candidates.top[candidate];
  if (thread < kMaxCandidates) {
    double weight = 0;
    if (key != kNoKey) {
      const double exponent =
          (static_cast<double>(logit_of(key)) - static_cast<double>(logit_of(candidates.top[0]))) / temperature;
      weight = exp(exponent);
      candidates.exponents[candidate] = exponent;
    }
    candidates.weights[candidate] = weight;
  } else if (thread < 2 * kMaxCandidates && key != kNoKey) {
    candidates.stop_entries[candidate] = stop_entry(state, id_of(key));
    candidates.noise[candidate] = gumbel_noise(state.seed, position, state.problem, state.run, state.purpose,
                                               static_cast<std::uint32_t>(id_of(key)));
  }
  const int count = __syncthreads_count(thread < kMaxCandidates && key != kNoKey);
  record(p.choose_marks, Mark::third);  // their weights and noise are there
  if (thread >= 32 || state.stopped) return;
  Choice choice{.bad_logits = count == 0 || is_nan(candidates.top[0]), .lost_rank = lost_rank};
  int chosen = 0;
  int kept = 0;
  if (!choice.bad_logits && temperature != 0) chosen = draw(candidates, top_k, count, state.top_p, kept);
  if (thread != 0) return;
  choice.token = is_forced ? forced : id_of(candidates.top[chosen]);
  StatisticsWords statistics{};
  if (state.measures) statistics = statistics_of(raw, logit_of(candidates.top[chosen]), candidates.weights, kept);
  if (proposals == 0) {
    choice.stop_entry = is_forced ? stop_entry(state, forced) : candidates.stop_entries[chosen];
    emit(
        p, state, entry, entry_index, 0, [&](int) { return choice; }, [&](int) { return statistics; });
  } else {
    p.chosen[row] = encode_choice(choice.token, choice.bad_logits);
    if (state.measures) {
      for (int i = 0; i < kStatisticsWords; ++i) p.chosen_statistics[row * kStatisticsWords + i] = statistics.words[i];
    }
    if (!last_of_entry(p, entry_index, proposals + 1)) return;
    const int first_sampled = entry.first_row + entry.rows - 1 - proposals;
    const std::uint64_t* const choices = p.chosen + first_sampled;
    const std::uint64_t* const measured = p.chosen_statistics + first_sampled * kStatisticsWords;
    emit(
        p, state, entry, entry_index, proposals,
        [&, lost = has_lost_rank()](int i) {
          const std::uint64_t word = __ldcg(choices + i);
          const auto token = static_cast<std::int32_t>(word & 0xffffffffu);
          return Choice{token, stop_entry(state, token), word >> 32 != 0, lost};
        },
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
  if (blocks > kMaxSamplingBlocks) fail_launch("choose_token", "a shard of more than a million ids");
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
