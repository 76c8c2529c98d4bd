// Attention of a decode step over the paged cache: split over the context, for grouped queries.
//
// One cluster of blocks works on a KV head and a few tiles of its queries. Its warps take turns over tiles of 16
// positions (a page holds whole tiles), each with a ring of tiles in shared memory and an online softmax of its own;
// the cluster then merges them through its shared memory. The length is read on the device, so one launch serves every
// context. Tiles of earlier positions do not depend on the kernel before: the rings fill while that one still runs.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/request_state.h"
#include "specthink/kernels/element_type.h"

namespace specthink {

struct AttentionParams {
  const RequestState* state = nullptr;
  const float* qkv = nullptr;                // [rows, (heads + 2·kv_heads)·head_dim] float32
  const void* bias = nullptr;                // the same columns; null: none
  const void* norm_weight = nullptr;         // [heads + kv_heads, head_dim]; null: queries and keys are not normed
  const void* cos = nullptr;                 // [positions, head_dim]
  const void* sin = nullptr;                 // [positions, head_dim], negated in the first half
  void* keys = nullptr;                      // [pages, page_tokens, kv_heads, head_dim]: new rows are written
  void* values = nullptr;                    // likewise
  const std::int32_t* page_table = nullptr;  // page of each page_tokens positions
  void* output = nullptr;                    // activation layout, heads·head_dim columns
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;  ///< 64 or 128
  int page_tokens = 0;
  float eps = 0;
  float scale = 0;                 ///< of the scores: 1 / sqrt(head_dim)
  std::uint64_t* marks = nullptr;  // kernels/timeline.cuh
};

/// Blocks of a cluster that the GPU can hold: 16 where it takes such clusters, else 8.
int attention_cluster_size(ElementType type, int head_dim);

/// `rows`: 1 to 16 consecutive positions of one sequence. `cluster`: 8 or 16.
void launch_decode_attention(const AttentionParams& params, ElementType type, int rows, int cluster, bool dependent,
                             cudaStream_t stream);

}  // namespace specthink
