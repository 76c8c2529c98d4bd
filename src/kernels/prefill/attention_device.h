// Attention of the new rows of a prefill over one sequence's cache, on Hopper; CUDA builds only.
//
// A block multiplies a tile of queries with one tile of keys and values after the other: one thread copies them, two
// warpgroups of 64 queries take turns at the linear layers, so that one's softmax runs beside the other's linear
// layers. The steps are distributed to as many blocks as the GPU has SMs (prefill_schedule.h); a second kernel merges
// what was split.
#pragma once

#include <cuda.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "kernels/decode/linear/linear.h"
#include "kernels/prefill/attention_schedule.h"

namespace specthink::inline kernels {

struct PrefillAttentionParams {
  CUtensorMap keys;    ///< make_panel_map() of [cache rows, kv_heads · head_dim], boxes of kPrefillTile rows
  CUtensorMap values;  ///< the same
  const void* queries = nullptr;  ///< [rows, heads, head_dim]
  void* output = nullptr;         ///< [rows, heads, head_dim]
  float* workspace = nullptr;     ///< prefill_attention_workspace() bytes; of one launch at a time
  AttentionRows shape;
  int head_dim = 0;         ///< 64 or 128
  const std::int32_t* pages = nullptr;  ///< of the sequence: its keys [128·t, 128·t + 128) are page pages[t] of the maps
  int settled = 0;  ///< positions whose keys and values the kernel before does not write
  float scale = 0;          ///< of the scores
};

/// True where the kernel runs: compute capability 9.0, head_dim 64 or 128.
bool takes_prefill_attention(int device, int head_dim);

/// Bytes.
std::int64_t prefill_attention_workspace(int device, int head_dim);

/// On the current device.
void launch_prefill_attention(const PrefillAttentionParams& params, ElementType type, cudaStream_t stream);

}  // namespace specthink::inline kernels
