// The threads that multiply in a prefill's attention (prefill_attention_device.h).
#pragma once

#include <cstdint>

#include "kernels/device/ptx.cuh"
#include "kernels/device/wgmma.cuh"
#include "kernels/prefill/attention_device.h"

namespace specthink::inline kernels {

constexpr int kStages = 2;  // tiles of keys, and of values, on their way or in use
constexpr int kGroups = 2;  // warpgroups that multiply
constexpr int kGroupThreads = 128;
constexpr int kConsumers = kGroups * kGroupThreads;
constexpr int kGroupRows = kPrefillTile / kGroups;
constexpr float kNoScore = -INFINITY;
constexpr float kLog2E = 1.44269504f;
constexpr int kPanelBytes = kPrefillTile * ptx::kPanelRowBytes;

// Named barriers. The first kGroups: this warpgroup's turn to multiply.
constexpr int kTurn = 1;
constexpr int kQueriesLoaded = kTurn + kGroups;
constexpr int kAllConsumers = kQueriesLoaded + kGroups;

/// A part in the workspace, in floats: outputs before they are divided by their sum, [kPrefillTile, kHeadDim]; then (maximum
/// of the scores as an exponent of 2, sum) of each query.
template <int kHeadDim>
struct AttentionPart {
  static constexpr int kStatistics = kPrefillTile * kHeadDim;
  static constexpr int kSize = attention_part_floats(kHeadDim);
};

template <typename T, int kHeadDim>
struct PrefillShared {
  static constexpr int kElements = kPrefillTile * kHeadDim;
  alignas(1024) T queries[kElements];
  alignas(1024) T keys[kStages][kElements];
  alignas(1024) T values[kStages][kElements];
  std::uint64_t keys_there[kStages];
  std::uint64_t keys_free[kStages];
  std::uint64_t values_there[kStages];
  std::uint64_t values_free[kStages];
};

/// A warpgroup's 64 queries: their running maximum, sum and output; each thread has two rows (wgmma.cuh).
template <typename T, int kHeadDim>
class AttentionConsumer {
 public:
  using Memory = PrefillShared<T, kHeadDim>;

  __device__ AttentionConsumer(const PrefillAttentionParams& params, const QueryTiles& query_tiles, Memory& memory)
      : p(params), tiles(query_tiles), shared(memory), scale(params.scale * kLog2E) {
    thread = static_cast<int>(threadIdx.x) % kGroupThreads;
    group = static_cast<int>(threadIdx.x) / kGroupThreads;
    row = group * kGroupRows + thread / 32 * 16 + thread % 32 / 4;
  }

  __device__ void run(const Segment& segment) {
    begin(segment);
    if (group == 1 && segment.key_tiles > 1) {
      ptx::named_barrier_arrive<kConsumers>(kTurn);  // the other has the first turn
    }
    wait(shared.keys_there, step);
    multiply_keys();
    ptx::product_wait<0>();
    ptx::pin(scores);
    release(shared.keys_free, step);
    float factor[2];
    update_softmax(segment.first_key_tile, factor);
    pack_probabilities();
    for (int i = 1; i < segment.key_tiles; ++i) {
      const int before = step++;
      wait(shared.keys_there, step);
      ptx::named_barrier_sync<kConsumers>(kTurn + group);
      multiply_keys();
      wait(shared.values_there, before);
      multiply_values(before);
      const bool last = i + 1 == segment.key_tiles;
      if (group == 0 || !last) ptx::named_barrier_arrive<kConsumers>(kTurn + 1 - group);
      ptx::product_wait<1>();
      ptx::pin(scores);
      release(shared.keys_free, step);
      update_softmax(segment.first_key_tile + i, factor);
      ptx::product_wait<0>();
      ptx::pin(output);
      release(shared.values_free, before);
      pack_probabilities();
#pragma unroll
      for (int j = 0; j < kHeadDim / 2; ++j) output[j] *= factor[j / 2 % 2];
    }
    wait(shared.values_there, step);
    clear_values_beyond_the_end(segment.first_key_tile + segment.key_tiles - 1);
    multiply_values(step);
    ptx::product_wait<0>();
    ptx::pin(output);
    release(shared.values_free, step);
    ++step;
    for (float& value : sum) {
      value += __shfl_xor_sync(0xffffffffu, value, 1);
      value += __shfl_xor_sync(0xffffffffu, value, 2);
    }
  }

  /// The result of a whole tile of queries.
  __device__ void write_output(const Segment& segment) const {
    for (int half = 0; half < 2; ++half) {
      const int query = segment.first_query + row + 8 * half;
      if (query >= tiles.queries) continue;
      T* to = static_cast<T*>(p.output) + tiles.head_of(segment.kv_head, query) * kHeadDim + thread % 4 * 2;
      const float inverse = 1.0f / sum[half];
#pragma unroll
      for (int j = 0; j < kHeadDim / 8; ++j) {
        *reinterpret_cast<std::uint32_t*>(to + 8 * j) =
            ptx::pack<T>(output[4 * j + 2 * half] * inverse, output[4 * j + 2 * half + 1] * inverse);
      }
    }
  }

  /// What merge_parts() makes a result of.
  __device__ void write_part(const Segment& segment) const {
    float* part = p.workspace + static_cast<std::int64_t>(segment.part) * AttentionPart<kHeadDim>::kSize;
    for (int half = 0; half < 2; ++half) {
      const int in_tile = row + 8 * half;
      if (segment.first_query + in_tile >= tiles.queries) continue;
      float* to = part + in_tile * kHeadDim + thread % 4 * 2;
#pragma unroll
      for (int j = 0; j < kHeadDim / 8; ++j) {
        *reinterpret_cast<float2*>(to + 8 * j) = {output[4 * j + 2 * half], output[4 * j + 2 * half + 1]};
      }
      if (thread % 4 == 0) {
        *reinterpret_cast<float2*>(part + AttentionPart<kHeadDim>::kStatistics + 2 * in_tile) = {highest[half] * scale,
                                                                                                 sum[half]};
      }
    }
  }

 private:
  __device__ static void wait(std::uint64_t (&barriers)[kStages], int at) {
    ptx::barrier_wait(ptx::shared_address(&barriers[at % kStages]), at / kStages % 2);
  }
  __device__ void release(std::uint64_t (&barriers)[kStages], int at) const {
    if (thread % 32 == 0) ptx::barrier_arrive(ptx::shared_address(&barriers[at % kStages]));
  }

  __device__ void begin(const Segment& segment) {
    for (int half = 0; half < 2; ++half) {
      const int query_row = (segment.first_query + row + 8 * half) / tiles.group;
      last_key[half] = min(tiles.cached + query_row, p.shape.length - 1);
      highest[half] = kNoScore;
      sum[half] = 0;
    }
    first_hidden = tiles.cached + segment.first_query / tiles.group + 1;
    for (float& value : output) value = 0;
    load_queries(segment);
  }

  /// This warpgroup's queries, swizzled as a bulk copy would leave them; those beyond the last are zeros.
  __device__ void load_queries(const Segment& segment) const {
    constexpr int kPieces = kHeadDim / 8;  // of 16 bytes
    auto* const to = reinterpret_cast<unsigned char*>(shared.queries);
    ptx::named_barrier_sync<kGroupThreads>(kQueriesLoaded + group);  // all warps are done with the ones before
#pragma unroll
    for (int i = thread; i < kGroupRows * kPieces; i += kGroupThreads) {
      const int in_tile = group * kGroupRows + i / kPieces;
      const int piece = i % kPieces;
      const int query = segment.first_query + in_tile;
      uint4 words{};
      if (query < tiles.queries) {
        words = *reinterpret_cast<const uint4*>(static_cast<const T*>(p.queries) +
                                                tiles.head_of(segment.kv_head, query) * kHeadDim + piece * 8);
      }
      *reinterpret_cast<uint4*>(to + piece / 8 * kPanelBytes + in_tile * ptx::kPanelRowBytes +
                                (piece % 8 ^ in_tile % 8) * 16) = words;
    }
    ptx::proxy_fence_shared();
    ptx::named_barrier_sync<kGroupThreads>(kQueriesLoaded + group);
  }

  /// scores = queries · keysᵀ of this step, begun.
  __device__ void multiply_keys() {
    const std::uint32_t a = ptx::shared_address(shared.queries) + group * kGroupRows * ptx::kPanelRowBytes;
    const std::uint32_t b = ptx::shared_address(shared.keys[step % kStages]);
    ptx::pin(scores);
    ptx::product_fence();
#pragma unroll
    for (int k = 0; k < kHeadDim / 16; ++k) {
      const std::uint32_t offset = k / 4 * kPanelBytes + k % 4 * 32;
      ptx::multiply_panels<T>(scores, ptx::panel_descriptor(a + offset), ptx::panel_descriptor(b + offset), k > 0);
    }
    ptx::product_commit();
  }

  /// output += probabilities · values of step `at`, begun.
  __device__ void multiply_values(int at) {
    const std::uint32_t b = ptx::shared_address(shared.values[at % kStages]);
    ptx::pin(output);
    ptx::pin(probabilities);
    ptx::product_fence();
#pragma unroll
    for (int k = 0; k < kPrefillTile / 16; ++k) {
      ptx::multiply_registers<T>(output, probabilities + 4 * k,
                                 ptx::panel_descriptor(b + k * 16 * ptx::kPanelRowBytes, kPanelBytes));
    }
    ptx::product_commit();
  }

  /// Scores of a tile of keys become exp(score − maximum); `factor` is what earlier outputs are multiplied with.
  __device__ void update_softmax(int key_tile, float (&factor)[2]) {
    const int first_key = key_tile * kPrefillTile;
    if (first_key + kPrefillTile > first_hidden) {
#pragma unroll
      for (int j = 0; j < kPrefillTile / 2; ++j) {
        const int key = first_key + j / 4 * 8 + thread % 4 * 2 + j % 2;
        if (key > last_key[j / 2 % 2]) scores[j] = kNoScore;
      }
    }
    for (int half = 0; half < 2; ++half) {
      float most = highest[half];
#pragma unroll
      for (int j = 0; j < kPrefillTile / 8; ++j) {
        most = fmaxf(most, fmaxf(scores[4 * j + 2 * half], scores[4 * j + 2 * half + 1]));
      }
      most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 1));
      most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 2));
      const float shift = most == kNoScore ? 0.0f : most * scale;  // nothing seen so far
      factor[half] = exp2f(highest[half] * scale - shift);
      highest[half] = most;
      float added = 0;
#pragma unroll
      for (int j = 0; j < kPrefillTile / 8; ++j) {
        for (int k = 0; k < 2; ++k) {
          float& score = scores[4 * j + 2 * half + k];
          score = exp2f(score * scale - shift);
          added += score;
        }
      }
      sum[half] = sum[half] * factor[half] + added;
    }
  }

  /// The first operand of the next linear layer: its layout is that of the scores.
  __device__ void pack_probabilities() {
#pragma unroll
    for (int j = 0; j < kPrefillTile / 4; ++j) probabilities[j] = ptx::pack<T>(scores[2 * j], scores[2 * j + 1]);
  }

  /// Rows of the last tile that are not part of the sequence: their probability is 0, but 0 times what happens to be in
  /// the cache need not be.
  __device__ void clear_values_beyond_the_end(int key_tile) const {
    const int valid = p.shape.length - key_tile * kPrefillTile;
    if (valid >= kPrefillTile) return;
    auto* const words = reinterpret_cast<unsigned char*>(shared.values[step % kStages]);
    constexpr int kPieces = kHeadDim / 8;
    for (int k = valid * kPieces + static_cast<int>(threadIdx.x); k < kPrefillTile * kPieces; k += kConsumers) {
      const int piece = k % kPieces;
      *reinterpret_cast<uint4*>(words + piece / 8 * kPanelBytes + k / kPieces * ptx::kPanelRowBytes + piece % 8 * 16) =
          uint4{};
    }
    ptx::proxy_fence_shared();
    ptx::named_barrier_sync<kConsumers>(kAllConsumers);
  }

  const PrefillAttentionParams& p;
  const QueryTiles& tiles;
  Memory& shared;
  const float scale;  // of the scores, as exponents of 2
  int thread;         // of the warpgroup
  int group;          // this warpgroup
  int row;            // of the tile of queries; the thread's other row is 8 further
  int step = 0;       // of the block: which part of the ring
  int last_key[2];    // that each row sees
  int first_hidden;   // first key that some row of the tile does not see
  float scores[kPrefillTile / 2];
  std::uint32_t probabilities[kPrefillTile / 4];
  float output[kHeadDim / 2];
  float highest[2];  // of the scores before scaling
  float sum[2];      // this thread's columns, until run() ends
};

}  // namespace specthink::inline kernels
