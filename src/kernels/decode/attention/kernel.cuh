// The kernel of attention.h by its phases; attention.cu and attention_entries.cu compile it.
#pragma once

#include <algorithm>

#include "kernels/decode/attention/attention.h"
#include "kernels/decode/attention/merge.cuh"
#include "kernels/decode/attention/new_rows.cuh"
#include "kernels/decode/attention/tiles.cuh"
#include "kernels/decode/attention/work.cuh"
#include "kernels/device/hopper.cuh"
#include "kernels/device/kernel_launch.cuh"
#include "kernels/device/kernel_timeline.cuh"
#include "kernels/device/ptx.cuh"

namespace specthink::inline kernels {

/// Registers of a thread. Beside a block of linear.cu with its 17 warps of 56 registers, eight warps have 116 each:
/// where both blocks' shared memory fits an SM, the rings of this one fill while the queries are computed.
constexpr int kRegisters = 112;
constexpr int kRegistersOfTwoTiles = 168;
constexpr float kLog2E = 1.44269504f;

/// `kEntries`: rows of several sequences; else of one.
template <typename T, int kHeadDim, int kQueryTiles, int kBlocks, bool kEntries, int kWarpsOfBlock>
__global__ void __maxnreg__((kQueryTiles == 1 ? kRegisters : kRegistersOfTwoTiles))
    decode_attention(const __grid_constant__ AttentionParams p, int rows) {
#if SPECTHINK_HOPPER_CODE
  static_assert(!kEntries || kQueryTiles == 1);
  extern __shared__ __align__(128) unsigned char bytes[];
  using Memory = Shared<T, kHeadDim, kQueryTiles, kBlocks, kWarpsOfBlock>;
  constexpr int kWarps = Memory::kWarps;
  Memory& shared = *reinterpret_cast<Memory*>(bytes);
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = thread / 32;

  ptx::launch_dependents();
  AttentionWork work;
  if constexpr (kEntries) {
    work = work_of_entries<kBlocks>(p, rows);
    if (work.valid_rows == 0) return;
  } else {
    work = work_of_sequence<kQueryTiles, kBlocks>(p, rows);
    // Its SM is free at once; that the main clusters wait for the kernels before keeps this kernel from ending first.
    if (work.is_helper() && work.helping == 0) return;
  }
  ptx::cluster_arrive_relaxed();
  record(p.marks, Mark::started, work.first_main);

  // --- What earlier steps have left in the cache: independent of the kernel before.
  const int position = work.position;
  const std::int32_t* const pages = p.page_tables + work.slot * p.pages_per_slot;
  const int tiles = (position + kTile - 1) / kTile;
  constexpr int kStages = Memory::kStages;
  // The warps of all blocks take turns: first one of each block, so that the tiles of the last turn, which not all get,
  // lie on many SMs. Helpers have the fewest tiles: the main cluster waits for them.
  const int blocks = (1 + work.helping) * kBlocks;
  const int stride = blocks * kWarps;
  const int first_tile = warp * blocks + (1 + work.helper) * kBlocks + work.block;
  const TileLoader<T, kHeadDim> loader(p, pages, work.kv_head, position);
  auto& ring = shared.warps[warp].ring;
#pragma unroll
  for (int stage = 0; stage < kStages; ++stage) {
    const int tile = first_tile + stage * stride;
    if (tile < tiles) loader.copy(ring[stage], tile, loader.page_of(tile));
    ptx::copy_async_commit();
  }
  // Has the fewest tiles of its cluster, and attends to the rows of this step.
  const bool last_block = work.block == kBlocks - 1 && !work.is_helper();
  if (last_block) {
    auto* const words = reinterpret_cast<uint4*>(&shared.new_rows);
    for (int i = thread; i < static_cast<int>(sizeof(shared.new_rows) / sizeof(uint4)); i += Memory::kThreads) {
      words[i] = {0, 0, 0, 0};
    }
    __syncthreads();
  }

  // --- This step's rows.
  NewRows<T, kHeadDim, kQueryTiles, kBlocks, kWarpsOfBlock> new_rows(p, work, pages, last_block);
  ptx::wait_for_predecessors();
  record(p.marks, Mark::released, work.first_main);
  new_rows.finish(shared);
  __syncthreads();
  record(p.marks, Mark::first, work.first_main);  // queries and new rows are there

  // --- The tiles of each warp.
  const std::uint32_t query_rows = ptx::shared_address(shared.queries);
  const float scale = p.scale * kLog2E;
  Accumulator<T, kHeadDim, kQueryTiles> accumulator;
  int stage = 0;
  int next_page = first_tile + kStages * stride < tiles ? loader.page_of(first_tile + kStages * stride) : 0;
  for (int tile = first_tile; tile < tiles; tile += stride) {
    const int ahead = tile + kStages * stride;
    const int page = next_page;
    if (ahead + stride < tiles) next_page = loader.page_of(ahead + stride);
    ptx::copy_async_wait<kStages - 1>();
    __syncwarp();
    accumulator.add(ptx::shared_address(ring[stage].keys), ptx::shared_address(ring[stage].values), query_rows, scale,
                    [&](int row, int) { return tile * kTile + row < position; });
    __syncwarp();
    if (ahead < tiles) loader.copy(ring[stage], ahead, page);
    ptx::copy_async_commit();
    stage = stage + 1 == kStages ? 0 : stage + 1;
  }
  ptx::copy_async_wait<0>();
  if (last_block && warp == kWarps - 1) {
    accumulator.add(ptx::shared_address(shared.new_rows.keys), ptx::shared_address(shared.new_rows.values), query_rows,
                    scale, [&](int row, int query) { return row <= (work.first_query + query) / work.group; });
  }
  __syncwarp();
  const int queries = work.queries<kEntries>();
  accumulator.store(shared.warps[warp].partial, queries);
  __syncthreads();
  record(p.marks, Mark::second, work.first_main);  // all tiles of the block are done

  // --- The results of the warps, then of the blocks.
  ptx::cluster_wait();  // they all run
  send_shares<Memory, kHeadDim, kBlocks>(shared, work.block, queries);
  ptx::cluster_arrive();
  ptx::cluster_wait();
  record(p.marks, Mark::third, work.first_main);  // the others' shares have arrived
  merge_shares<T, Memory, kHeadDim, kBlocks, kEntries>(p, work, shared);
  record(p.marks, Mark::ended, work.first_main);
#endif
}

template <typename T, int kHeadDim, int kQueryTiles, int kBlocks, bool kEntries,
          int kWarpsOfBlock = warps_of_block(kQueryTiles)>
auto configured_kernel() {
  const auto kernel = decode_attention<T, kHeadDim, kQueryTiles, kBlocks, kEntries, kWarpsOfBlock>;
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

/// Blocks of many sequences that the GPU runs at once.
template <typename T, int kHeadDim>
int most_blocks_of_batch() {
  static const int most = [] {
    using Memory = Shared<T, kHeadDim, 1, 1, kWarpsOfBatch>;
    int of_sm = 0;
    int device = 0;
    int sms = 0;
    const auto kernel = configured_kernel<T, kHeadDim, 1, 1, true, kWarpsOfBatch>();
    const bool known = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&of_sm, kernel, Memory::kThreads,
                                                                     sizeof(Memory)) == cudaSuccess &&
                       cudaGetDevice(&device) == cudaSuccess &&
                       cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, device) == cudaSuccess;
    cudaGetLastError();  // a refusal is an answer
    return known ? of_sm * sms : 0;
  }();
  return most;
}

/// Clusters that the GPU runs at once with an SM to each block, of blocks with one query tile; 0: it takes none.
template <typename T, int kHeadDim, int kBlocks, bool kEntries>
int most_clusters() {
  static const int most = [] {
    using Memory = Shared<T, kHeadDim, 1, kBlocks>;
    constexpr std::size_t kHalfOfAnSm = 114 * 1024;  // two blocks with more do not fit
    cudaLaunchConfig_t config{};
    config.gridDim = kBlocks;
    config.blockDim = Memory::kThreads;
    config.dynamicSmemBytes = std::max(sizeof(Memory), kHalfOfAnSm + 1);
    cudaLaunchAttribute attribute;
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim = {kBlocks, 1, 1};
    config.attrs = &attribute;
    config.numAttrs = 1;
    int clusters = 0;
    const cudaError_t status =
        cudaOccupancyMaxActiveClusters(&clusters, configured_kernel<T, kHeadDim, 1, kBlocks, kEntries>(), &config);
    cudaGetLastError();  // a refusal is an answer
    return status == cudaSuccess ? clusters : 0;
  }();
  return most;
}

}  // namespace specthink::inline kernels
