// Attention of a decode step over the paged cache, on any GPU: each row for itself, whosever it is.
//
// Blocks share a row's positions: each has a part of them and some queries of a KV head, and the last one of a head to
// end merges what the others have left. Of one row they make the queries themselves, and that with the last part the
// new key and value; of several rows, which attend to each other, a kernel before puts these into the cache and the
// queries aside.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/decode/attention/attention.h"

namespace specthink::inline kernels {

/// How the positions of the rows of a step are shared.
struct PortableSplit {
  int query_tiles = 0;  ///< of a KV head
  int parts = 0;        ///< of a row's positions, at most
};
PortableSplit portable_split(int heads, int kv_heads, int rows, int sms);

/// Bytes that `PortableAttention::results` and `arrived` need.
std::int64_t portable_results_bytes(const PortableSplit& split, int kv_heads, int head_dim, int rows);
std::int64_t portable_arrived_bytes(const PortableSplit& split, int kv_heads, int rows);

struct PortableAttention {
  AttentionParams step;  ///< without `split`, `marks`; the output is row-major
  PortableSplit split;
  int window = 0;           ///< positions that a row sees, itself included; 0: all
  void* queries = nullptr;  // [rows, heads, head_dim], of several rows
  float* results = nullptr;
  unsigned* arrived = nullptr;  // zeros; they are zeros again when the kernel has ended
};

/// The rows of the step's layout, up to `rows`; those beyond are not written. Reads keys and values of each row's
/// positions once for four queries: 4 · head_dim bytes a position and KV head. `dependent`: of one row, programmatic
/// dependent launch.
void launch_portable_attention(const PortableAttention& params, ElementType type, int rows, bool dependent,
                               cudaStream_t stream);

}  // namespace specthink::inline kernels
