#include "kernels/decode_attention.h"

#include <cooperative_groups.h>

#include <algorithm>

#include "kernels/kernel_launch.cuh"
#include "kernels/product.h"
#include "kernels/ptx.cuh"

namespace specthink {
namespace {

namespace cg = cooperative_groups;

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * 32;
constexpr int kTile = 16;    // positions of a tile
constexpr int kQueries = 8;  // of one matrix instruction
constexpr float kNever = -INFINITY;

/// Shared memory of a block that works on kQueryTiles x 8 queries.
template <typename T, int kHeadDim, int kQueryTiles>
struct Shared {
  static constexpr int kAll = kQueries * kQueryTiles;
  static constexpr int kStride = kHeadDim + 1;  // against bank conflicts

  alignas(16) T queries[kAll][kHeadDim];
  alignas(16) T new_keys[kTile][kHeadDim];  // of this step's rows; zeros beyond them
  alignas(16) T new_values[kTile][kHeadDim];
  float partial[kWarps][kAll][kStride];
  float partial_max[kWarps][kAll];
  float partial_sum[kWarps][kAll];
  float merged[kAll][kHeadDim];  // of the block; the cluster reads it
  float merged_max[kAll];
  float merged_sum[kAll];
};

/// 16 positions of K or V. Lane 4g + t holds elements 32j + 8t .. + 7 of positions g and g + 8.
template <int kHeadDim>
struct Tile {
  static constexpr int kParts = kHeadDim / 32;
  uint4 low[kParts];
  uint4 high[kParts];

  template <typename T>
  __device__ __forceinline__ void load_global(const T* low_row, const T* high_row, bool has_low, bool has_high, int t) {
#pragma unroll
    for (int j = 0; j < kParts; ++j) {
      low[j] = has_low ? ptx::load_streaming_16(low_row + 32 * j + 8 * t) : uint4{0, 0, 0, 0};
      high[j] = has_high ? ptx::load_streaming_16(high_row + 32 * j + 8 * t) : uint4{0, 0, 0, 0};
    }
  }

  template <typename T>
  __device__ __forceinline__ void load_shared(const T (&rows)[kTile][kHeadDim], int g, int t) {
#pragma unroll
    for (int j = 0; j < kParts; ++j) {
      low[j] = ptx::load_shared_16(ptx::shared_address(&rows[g][32 * j + 8 * t]));
      high[j] = ptx::load_shared_16(ptx::shared_address(&rows[g + 8][32 * j + 8 * t]));
    }
  }
};

__device__ __forceinline__ std::uint32_t word(const uint4& v, int i) {
  return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
}

/// One warp's softmax over the positions that it has seen, and the values weighted by it. Lane 4g + t holds queries 2t
/// and 2t + 1 of each query tile.
template <typename T, int kHeadDim, int kQueryTiles>
struct Accumulator {
  static constexpr int kParts = kHeadDim / 32;
  float output[kQueryTiles][2 * kParts][4] = {};  // see store(): dims of lane g, queries 2t, 2t + 1
  float highest[kQueryTiles][2];
  float sum[kQueryTiles][2] = {};  // over this lane's positions only

  __device__ __forceinline__ Accumulator() {
#pragma unroll
    for (int q = 0; q < kQueryTiles; ++q) highest[q][0] = highest[q][1] = kNever;
  }

  /// `scores`: [query tile] (position g, queries 2t, 2t + 1), (position g + 8, the same), in units of log2; turned into
  /// weights as the matrix instruction's B operand.
  __device__ __forceinline__ void softmax(float (&scores)[kQueryTiles][4], std::uint32_t (&weights)[kQueryTiles][2]) {
#pragma unroll
    for (int q = 0; q < kQueryTiles; ++q) {
      float rescale[2];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float top = fmaxf(scores[q][i], scores[q][i + 2]);
#pragma unroll
        for (int offset = 4; offset < 32; offset *= 2) top = fmaxf(top, __shfl_xor_sync(~0u, top, offset));
        top = fmaxf(top, highest[q][i]);
        rescale[i] = exp2f(highest[q][i] - top);
        highest[q][i] = top;
        scores[q][i] = exp2f(scores[q][i] - top);
        scores[q][i + 2] = exp2f(scores[q][i + 2] - top);
        sum[q][i] = sum[q][i] * rescale[i] + scores[q][i] + scores[q][i + 2];
      }
#pragma unroll
      for (int d = 0; d < 2 * kParts; ++d) {
        output[q][d][0] *= rescale[0];
        output[q][d][1] *= rescale[1];
        output[q][d][2] *= rescale[0];
        output[q][d][3] *= rescale[1];
      }
      weights[q][0] = ptx::transpose_8x8(ptx::pack<T>(scores[q][0], scores[q][1]));
      weights[q][1] = ptx::transpose_8x8(ptx::pack<T>(scores[q][2], scores[q][3]));
    }
  }

  /// output += Vᵀ · weights. Transposing register i of part j puts element 32j + 8·(g/2) + 2i + g%2 into lane g's row.
  __device__ __forceinline__ void add_values(const Tile<kHeadDim>& values,
                                             const std::uint32_t (&weights)[kQueryTiles][2]) {
#pragma unroll
    for (int j = 0; j < kParts; ++j) {
#pragma unroll
      for (int pair = 0; pair < 2; ++pair) {
        const std::uint32_t a0 = ptx::transpose_8x8(word(values.low[j], 2 * pair));
        const std::uint32_t a1 = ptx::transpose_8x8(word(values.low[j], 2 * pair + 1));
        const std::uint32_t a2 = ptx::transpose_8x8(word(values.high[j], 2 * pair));
        const std::uint32_t a3 = ptx::transpose_8x8(word(values.high[j], 2 * pair + 1));
#pragma unroll
        for (int q = 0; q < kQueryTiles; ++q) {
          ptx::mma<T>(output[q][2 * j + pair], a0, a1, a2, a3, weights[q][0], weights[q][1]);
        }
      }
    }
  }

  __device__ __forceinline__ void store(Shared<T, kHeadDim, kQueryTiles>& shared, int warp, int g, int t) {
#pragma unroll
    for (int q = 0; q < kQueryTiles; ++q) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float total = sum[q][i];
#pragma unroll
        for (int offset = 4; offset < 32; offset *= 2) total += __shfl_xor_sync(~0u, total, offset);
        const int query = q * kQueries + 2 * t + i;
        if (g == 0) {
          shared.partial_max[warp][query] = highest[q][i];
          shared.partial_sum[warp][query] = total;
        }
#pragma unroll
        for (int d = 0; d < 2 * kParts; ++d) {
          const int first = 32 * (d / 2) + 8 * (g / 2) + 4 * (d % 2) + g % 2;
          shared.partial[warp][query][first] = output[q][d][i];
          shared.partial[warp][query][first + 2] = output[q][d][i + 2];
        }
      }
    }
  }
};

/// One head of one row of the qkv product by one warp: bias, norm, rotation. Lane l gets elements kPer·l … of the result.
template <typename T, int kHeadDim>
struct HeadVector {
  static constexpr int kPer = kHeadDim / 32;
  float x[kPer];

  __device__ __forceinline__ HeadVector(const AttentionParams& p, int row, int head, bool normed, bool rotated,
                                        int position) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int columns = (p.heads + 2 * p.kv_heads) * kHeadDim;
    const int column = head * kHeadDim + kPer * lane;
#pragma unroll
    for (int i = 0; i < kPer; ++i) {
      x[i] = __ldcg(p.qkv + static_cast<std::int64_t>(row) * columns + column + i);
      if (p.bias) x[i] += ptx::to_float(__ldg(static_cast<const T*>(p.bias) + column + i));
    }
    if (normed && p.norm_weight) {
      float squares = 0;
#pragma unroll
      for (int i = 0; i < kPer; ++i) squares += x[i] * x[i];
#pragma unroll
      for (int offset = 16; offset; offset >>= 1) squares += __shfl_xor_sync(~0u, squares, offset);
      const float scale = rsqrtf(squares / kHeadDim + p.eps);
#pragma unroll
      for (int i = 0; i < kPer; ++i) {
        x[i] *= scale * ptx::to_float(__ldg(static_cast<const T*>(p.norm_weight) + column + i));
      }
    }
    if (rotated) {
      const std::int64_t entry = static_cast<std::int64_t>(position) * kHeadDim + kPer * lane;
#pragma unroll
      for (int i = 0; i < kPer; ++i) {
        const float other = __shfl_xor_sync(~0u, x[i], 16);  // half a head away
        x[i] = x[i] * ptx::to_float(__ldg(static_cast<const T*>(p.cos) + entry + i)) +
               other * ptx::to_float(__ldg(static_cast<const T*>(p.sin) + entry + i));
      }
    }
  }

  __device__ __forceinline__ void store(T* to) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
    for (int i = 0; i < kPer; ++i) to[kPer * lane + i] = ptx::from_float<T>(x[i]);
  }
};

template <typename T, int kHeadDim>
__device__ __forceinline__ void store_zeros(T* to) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int i = 0; i < kHeadDim / 32; ++i) to[kHeadDim / 32 * lane + i] = ptx::from_float<T>(0);
}

template <typename T, int kHeadDim, int kQueryTiles>
__global__ void __launch_bounds__(kThreads, 1) decode_attention(const __grid_constant__ AttentionParams p, int rows) {
  extern __shared__ __align__(16) unsigned char bytes[];
  using Memory = Shared<T, kHeadDim, kQueryTiles>;
  Memory& shared = *reinterpret_cast<Memory*>(bytes);
  const cg::cluster_group cluster = cg::this_cluster();
  const int blocks = static_cast<int>(cluster.num_blocks());
  const int block = static_cast<int>(cluster.block_rank());
  const int cluster_index = static_cast<int>(blockIdx.x) / blocks;
  const int kv_head = cluster_index % p.kv_heads;
  const int first_query = cluster_index / p.kv_heads * Memory::kAll;
  const int group = p.heads / p.kv_heads;  // query heads of a KV head; query i is head i % group of row i / group
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int g = lane / 4;
  const int t = lane % 4;

  ptx::launch_dependents();

  // --- What earlier steps have left in the cache: independent of the kernel before.
  const int position = p.state->position;
  const int valid_rows = min(p.state->rows, rows);
  const int tiles = (position + kTile - 1) / kTile;
  const std::int64_t row_elements = static_cast<std::int64_t>(p.kv_heads) * kHeadDim;
  const auto row_offset = [&](int at) {
    const std::int64_t page = p.page_table[at / p.page_tokens];
    return (page * p.page_tokens + at % p.page_tokens) * row_elements + kv_head * kHeadDim;
  };
  const auto load = [&](Tile<kHeadDim>& tile, const void* cache, int index) {
    const int low = index * kTile + g;
    const T* const row = static_cast<const T*>(cache) + row_offset(index * kTile) + g * row_elements;
    tile.load_global(row, row + 8 * row_elements, low < position, low + 8 < position, t);
  };
  const int stride = blocks * kWarps;
  int tile = block * kWarps + warp;
  Tile<kHeadDim> keys;
  Tile<kHeadDim> values;
  if (tile < tiles) {
    load(keys, p.keys, tile);
    load(values, p.values, tile);
  }

  // --- This step's rows: queries of this cluster; new keys and values in the block that attends to them.
  ptx::wait_for_predecessors();
  const bool last_block = block == blocks - 1;
  const int vectors = Memory::kAll + (last_block ? 2 * kTile : 0);
  for (int v = warp; v < vectors; v += kWarps) {
    if (v < Memory::kAll) {
      const int query = first_query + v;
      const int row = query / group;
      if (row < valid_rows) {
        HeadVector<T, kHeadDim>(p, row, kv_head * group + query % group, true, true, position + row)
            .store(shared.queries[v]);
      } else {
        store_zeros<T, kHeadDim>(shared.queries[v]);
      }
      continue;
    }
    const bool is_key = v < Memory::kAll + kTile;
    const int row = (v - Memory::kAll) % kTile;
    T* const to = is_key ? shared.new_keys[row] : shared.new_values[row];
    if (row >= valid_rows) {
      store_zeros<T, kHeadDim>(to);
      continue;
    }
    const int head = p.heads + (is_key ? 0 : p.kv_heads) + kv_head;
    const HeadVector<T, kHeadDim> vector(p, row, head, is_key, is_key, position + row);
    vector.store(to);
    if (first_query == 0) vector.store(static_cast<T*>(is_key ? p.keys : p.values) + row_offset(position + row));
  }
  __syncthreads();

  uint4 queries[kQueryTiles][Tile<kHeadDim>::kParts];
#pragma unroll
  for (int q = 0; q < kQueryTiles; ++q) {
#pragma unroll
    for (int j = 0; j < Tile<kHeadDim>::kParts; ++j) {
      queries[q][j] = ptx::load_shared_16(ptx::shared_address(&shared.queries[q * kQueries + g][32 * j + 8 * t]));
    }
  }
  const float scale = p.scale * 1.44269504f;  // to powers of two
  const auto score = [&](float (&scores)[kQueryTiles][4]) {
#pragma unroll
    for (int q = 0; q < kQueryTiles; ++q) {
      scores[q][0] = scores[q][1] = scores[q][2] = scores[q][3] = 0;
#pragma unroll
      for (int j = 0; j < Tile<kHeadDim>::kParts; ++j) {
        ptx::mma<T>(scores[q], keys.low[j].x, keys.high[j].x, keys.low[j].y, keys.high[j].y, queries[q][j].x,
                    queries[q][j].y);
        ptx::mma<T>(scores[q], keys.low[j].z, keys.high[j].z, keys.low[j].w, keys.high[j].w, queries[q][j].z,
                    queries[q][j].w);
      }
    }
  };

  Accumulator<T, kHeadDim, kQueryTiles> accumulator;
  float scores[kQueryTiles][4];
  std::uint32_t weights[kQueryTiles][2];
  while (tile < tiles) {
    score(scores);
    const int first = tile * kTile;
    tile += stride;
    if (tile < tiles) load(keys, p.keys, tile);
#pragma unroll
    for (int q = 0; q < kQueryTiles; ++q) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        scores[q][i] = first + g + i / 2 * 8 < position ? scores[q][i] * scale : kNever;
      }
    }
    accumulator.softmax(scores, weights);
    accumulator.add_values(values, weights);
    if (tile < tiles) load(values, p.values, tile);
  }
  if (last_block && warp == kWarps - 1) {  // the rows of this step, each of which sees those before it
    keys.load_shared(shared.new_keys, g, t);
    values.load_shared(shared.new_values, g, t);
    score(scores);
#pragma unroll
    for (int q = 0; q < kQueryTiles; ++q) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int key_row = g + i / 2 * 8;
        const int query_row = (first_query + q * kQueries + 2 * t + i % 2) / group;
        scores[q][i] = key_row <= query_row ? scores[q][i] * scale : kNever;
      }
    }
    accumulator.softmax(scores, weights);
    accumulator.add_values(values, weights);
  }
  accumulator.store(shared, warp, g, t);
  __syncthreads();

  // --- Merge the warps of the block, then the blocks of the cluster.
  for (int i = static_cast<int>(threadIdx.x); i < Memory::kAll * kHeadDim; i += kThreads) {
    const int query = i / kHeadDim;
    const int element = i % kHeadDim;
    float highest = kNever;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) highest = fmaxf(highest, shared.partial_max[w][query]);
    float sum = 0;
    float value = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      const float own = shared.partial_max[w][query];
      const float weight = own == kNever ? 0 : exp2f(own - highest);
      sum += weight * shared.partial_sum[w][query];
      value += weight * shared.partial[w][query][element];
    }
    shared.merged[query][element] = value;
    if (element == 0) {
      shared.merged_max[query] = highest;
      shared.merged_sum[query] = sum;
    }
  }
  cluster.sync();
  const int share = Memory::kAll * kHeadDim / blocks;
  for (int i = static_cast<int>(threadIdx.x); i < share; i += kThreads) {
    const int query = (block * share + i) / kHeadDim;
    const int element = (block * share + i) % kHeadDim;
    float highest = kNever;
    for (int b = 0; b < blocks; ++b) highest = fmaxf(highest, *cluster.map_shared_rank(&shared.merged_max[query], b));
    float sum = 0;
    float value = 0;
    for (int b = 0; b < blocks; ++b) {
      const float own = *cluster.map_shared_rank(&shared.merged_max[query], b);
      const float weight = own == kNever ? 0 : exp2f(own - highest);
      sum += weight * *cluster.map_shared_rank(&shared.merged_sum[query], b);
      value += weight * *cluster.map_shared_rank(&shared.merged[query][element], b);
    }
    const int row = (first_query + query) / group;
    const int head = kv_head * group + (first_query + query) % group;
    if (row < rows) {
      static_cast<T*>(p.output)[activation_index(rows, row, head * kHeadDim + element)] = ptx::from_float<T>(value / sum);
    }
  }
  cluster.sync();  // nobody leaves while the others read its shared memory
}

template <typename T, int kHeadDim, int kQueryTiles>
auto configured_kernel() {
  const auto kernel = decode_attention<T, kHeadDim, kQueryTiles>;
  static const bool configured = [&] {
    allow_large_shared_memory(kernel, "decode_attention");
    if (cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1) != cudaSuccess) {
      check_launch("decode_attention");
    }
    return true;
  }();
  (void)configured;
  return kernel;
}

template <typename T, int kHeadDim, int kQueryTiles>
void launch(const AttentionParams& params, int rows, int cluster, bool dependent, cudaStream_t stream) {
  using Memory = Shared<T, kHeadDim, kQueryTiles>;
  const int queries = rows * params.heads / params.kv_heads;
  const int clusters = params.kv_heads * ((queries + Memory::kAll - 1) / Memory::kAll);
  const LaunchShape shape{dim3(static_cast<unsigned>(clusters * cluster)), kThreads, sizeof(Memory), cluster, dependent};
  launch_kernel("decode_attention", configured_kernel<T, kHeadDim, kQueryTiles>(), shape, stream, params, rows);
}

template <typename T, int kHeadDim>
void launch_tiles(const AttentionParams& params, int rows, int cluster, bool dependent, cudaStream_t stream) {
  if (rows * params.heads / params.kv_heads <= kQueries) {
    launch<T, kHeadDim, 1>(params, rows, cluster, dependent, stream);
  } else {
    launch<T, kHeadDim, 2>(params, rows, cluster, dependent, stream);
  }
}

template <typename T>
void launch_head_dim(const AttentionParams& params, int rows, int cluster, bool dependent, cudaStream_t stream) {
  switch (params.head_dim) {
    case 64:
      return launch_tiles<T, 64>(params, rows, cluster, dependent, stream);
    case 128:
      return launch_tiles<T, 128>(params, rows, cluster, dependent, stream);
  }
  fail_launch("decode_attention", "head_dim must be 64 or 128");
}

template <typename T, int kHeadDim>
bool takes_cluster(int cluster) {
  using Memory = Shared<T, kHeadDim, 2>;  // the larger one
  cudaLaunchConfig_t config{};
  config.gridDim = static_cast<unsigned>(cluster);
  config.blockDim = kThreads;
  config.dynamicSmemBytes = sizeof(Memory);
  cudaLaunchAttribute attribute;
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim = {static_cast<unsigned>(cluster), 1, 1};
  config.attrs = &attribute;
  config.numAttrs = 1;
  int clusters = 0;
  const cudaError_t status =
      cudaOccupancyMaxActiveClusters(&clusters, configured_kernel<T, kHeadDim, 2>(), &config);
  cudaGetLastError();  // a refusal is an answer
  return status == cudaSuccess && clusters > 0;
}

}  // namespace

int attention_cluster_size(ElementType type, int head_dim) {
  const bool bf16 = type == ElementType::bfloat16;
  const bool takes_16 = head_dim == 64 ? (bf16 ? takes_cluster<__nv_bfloat16, 64>(16) : takes_cluster<__half, 64>(16))
                                       : (bf16 ? takes_cluster<__nv_bfloat16, 128>(16) : takes_cluster<__half, 128>(16));
  return takes_16 ? 16 : 8;
}

void launch_decode_attention(const AttentionParams& params, ElementType type, int rows, int cluster, bool dependent,
                             cudaStream_t stream) {
  if (rows < 1 || rows > kMaxStepRows || params.heads % params.kv_heads != 0) {
    fail_launch("decode_attention", "rows must be 1 to 16, and KV heads divide the heads");
  }
  if (type == ElementType::bfloat16) {
    launch_head_dim<__nv_bfloat16>(params, rows, cluster, dependent, stream);
  } else {
    launch_head_dim<__half>(params, rows, cluster, dependent, stream);
  }
}

}  // namespace specthink
