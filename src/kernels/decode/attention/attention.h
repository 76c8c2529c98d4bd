// Attention of a decode step over the paged cache: split over the context, for grouped queries.
//
// One cluster of blocks works on one KV head and a few queries of one sequence. Its warps take turns over tiles of 16
// positions (a page holds whole tiles), each with a ring of tiles in shared memory and an online softmax of its own;
// the cluster then merges them through its shared memory. The length is read on the device, so one launch serves every
// context. Tiles of earlier positions do not depend on the kernel before: the rings fill while that one still runs.
//
// The clusters of a few KV heads lie in few GPCs, whose share of the memory bandwidth bounds long contexts. There
// further clusters per KV head, its helpers (plan.h), take their share of the tiles and leave their results
// in global memory; the main cluster adds them to its own. As in exchange.h there are no flags: a word that differs
// from kNotYet has arrived. Its reader puts kNotYet back for the next launch, whose helpers write after this one has
// ended.
//
// A step of several sequences has a cluster per KV head and tile of eight queries of a sequence. Which rows belong to
// which sequence is read on the device, too: the grid has as many clusters as the rows could need, and the others end
// at once. Sequences are of unequal lengths: each is cut into parts of about the same number of tiles, so many that all
// clusters together fill the GPU, and has a helper for each part but the first.
//
// Helpers come first in the grid and wait for no other cluster, so that they run or have ended when a main cluster
// waits for them: results are right even where the clusters do not all run at the same time.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/decode/attention/plan.h"
#include "kernels/decode/slot_state.h"
#include "kernels/exchange/exchange.h"
#include "specthink/kernels/element_type.h"

namespace specthink::inline kernels {

constexpr int kSplitQueries = 8;  ///< steps of more per KV head are not split

/// Lets helper clusters take a part of a long context.
struct AttentionSplit {
  void* results = nullptr;  ///< attention_split_bytes() of kNotYet, of one stream's launches; null: no split
  /// Clusters per KV head; -1: chosen. Of one sequence up to kMaxAttentionHelpers, by plan_attention(); of several for
  /// all of them together, by plan_entry_helpers().
  int helpers = -1;
  int at_once = 0;               ///< several sequences: clusters per KV head that run at once; set by the launch
  int* tiles_of_part = nullptr;  ///< several sequences: of launch_entry_parts()
  int from_position = -1;        ///< one sequence: shorter contexts are not split; -1: attention_split_position()
  SpinLimit limit;               ///< ends the wait for the helpers' results
};

/// [helpers][kv_heads][queries · head_dim], whatever the size of a cluster, of 16 bytes: an element of the result, the
/// maximum and the sum of its query, and a zero.
constexpr std::int64_t attention_split_bytes(std::int64_t kv_heads, std::int64_t head_dim) {
  return std::max<std::int64_t>(kMaxAttentionHelpers * kv_heads, kMaxEntryHelperClusters) * kSplitQueries * head_dim *
         16;
}

struct AttentionParams {
  const StepLayout* layout = nullptr;
  const float* qkv = nullptr;                 // [rows, (heads + 2·kv_heads)·head_dim] float32
  const void* bias = nullptr;                 // the same columns; null: none
  const void* norm_weight = nullptr;          // [heads + kv_heads, head_dim]; null: queries and keys are not normed
  const void* cos = nullptr;                  // [positions, head_dim]
  const void* sin = nullptr;                  // [positions, head_dim], negated in the first half
  void* keys = nullptr;                       // [pages, page_tokens, kv_heads, head_dim]: new rows are written
  void* values = nullptr;                     // likewise
  const std::int32_t* page_tables = nullptr;  // [kMaxSlots, pages_per_slot]: page of each page_tokens positions
  std::int64_t pages_per_slot = 0;
  void* output = nullptr;     // heads·head_dim columns
  bool is_row_major = false;  ///< the output; else it has the activation layout
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;  ///< 64 or 128
  int page_tokens = 0;
  float eps = 0;
  float scale = 0;  ///< factor of the scores: 1 / sqrt(head_dim)
  AttentionSplit split;
  std::uint64_t* marks = nullptr;  // kernels/device/kernel_timeline.cuh
};

/// Clusters of blocks with one query tile that the GPU runs at once.
AttentionClusters attention_clusters(ElementType type, int head_dim);
EntryClusters attention_entry_clusters(ElementType type, int head_dim);

/// The shared memory of a block, in bytes, in a step of `queries` per KV head. head_dim 64 or 128, `cluster` 8 or 16
/// blocks.
std::size_t attention_shared_bytes(int head_dim, int cluster, int queries);

// Both read the keys and values of each sequence once per tile of its queries (8 or 16 per KV head; the second reading
// comes from the L2 cache): 4 · kv_heads · head_dim bytes a position.

/// A step of one sequence, the first entry of the layout. `rows`: 1 to 16; rows beyond the entry's are computed like
/// its last one. `cluster`: 8 or 16 blocks; 0: by plan_attention().
void launch_decode_attention(const AttentionParams& params, ElementType type, int rows, int cluster, bool dependent,
                             cudaStream_t stream);

/// Cuts the contexts of a step's sequences into parts for its layers' attention, which has the same parameters. The
/// kernel behind it in the stream must not start before it has ended.
void launch_entry_parts(const AttentionParams& params, ElementType type, int rows, int cluster, cudaStream_t stream);

/// A step of the layout's sequences, `rows` (up to kMaxBatchRows) or fewer in all: rows beyond are not written. Without
/// AttentionParams::split no context is split.
/// `cluster`: 1, 2, 4 or 8 blocks; 0: by plan_entry_cluster().
void launch_entries_attention(const AttentionParams& params, ElementType type, int rows, int cluster, bool dependent,
                              cudaStream_t stream);

}  // namespace specthink::inline kernels
