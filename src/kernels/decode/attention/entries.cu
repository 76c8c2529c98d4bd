// Attention of steps of several sequences.
#include "kernels/decode/attention/kernel.cuh"

namespace specthink::inline kernels {
namespace {

template <typename T, int kHeadDim>
EntryClusters clusters_at_once() {
  static_assert(kEntryClusterSizes == std::array{8, 4, 2, 1});
  return {most_clusters<T, kHeadDim, 8, true>(), most_clusters<T, kHeadDim, 4, true>(),
          most_clusters<T, kHeadDim, 2, true>(), most_clusters<T, kHeadDim, 1, true>()};
}

/// How a step's attention is launched.
struct EntriesLaunch {
  int cluster = 1;           // blocks
  bool takes_turns = false;  // more blocks than SMs
  int clusters = 0;          // main ones, over all KV heads
};

/// `params` with what it says of helpers settled.
template <typename T, int kHeadDim>
EntriesLaunch plan_launch(AttentionParams& params, int rows, int cluster) {
  const int items = most_entry_clusters(rows, params.heads / params.kv_heads, kQueries);
  EntriesLaunch plan{cluster, false, params.kv_heads * items};
  const EntryClusters fit = clusters_at_once<T, kHeadDim>();
  if (cluster == 0) {
    plan.takes_turns = plan.clusters > fit.back();
    plan.cluster = plan_entry_cluster(plan.clusters, fit);
  }
  const auto* const size = std::ranges::find(kEntryClusterSizes, plan.cluster);
  if (size == kEntryClusterSizes.end()) {
    fail_launch("decode_attention", "a cluster of a step of several sequences has 1, 2, 4 or 8 blocks");
  }
  const int all_at_once = plan.takes_turns ? most_blocks_of_batch<T, kHeadDim>()
                                           : fit[static_cast<std::size_t>(size - kEntryClusterSizes.begin())];
  AttentionSplit& split = params.split;
  split.at_once = all_at_once / params.kv_heads;
  if (split.helpers < 0) split.helpers = plan_entry_helpers(items, split.at_once);
  split.helpers = split.results ? std::min(split.helpers, kMaxEntryHelperClusters / params.kv_heads) : 0;
  return plan;
}

template <typename T, int kHeadDim, int kBlocks, int kWarpsOfBlock = warps_of_block(1)>
void launch(const AttentionParams& params, int rows, int clusters, bool dependent, cudaStream_t stream) {
  using Memory = Shared<T, kHeadDim, 1, kBlocks, kWarpsOfBlock>;
  const int all = clusters + params.split.helpers * params.kv_heads;
  const LaunchShape shape{dim3(static_cast<unsigned>(all * kBlocks)), Memory::kThreads, sizeof(Memory), kBlocks,
                          dependent};
  launch_kernel("decode_attention", configured_kernel<T, kHeadDim, 1, kBlocks, true, kWarpsOfBlock>(), shape, stream,
                params, rows);
}

template <typename T, int kHeadDim>
void launch_attention(AttentionParams params, int rows, int cluster, bool dependent, cudaStream_t stream) {
  const EntriesLaunch plan = plan_launch<T, kHeadDim>(params, rows, cluster);
  if (plan.takes_turns) return launch<T, kHeadDim, 1, kWarpsOfBatch>(params, rows, plan.clusters, dependent, stream);
  switch (plan.cluster) {
    case 1:
      return launch<T, kHeadDim, 1>(params, rows, plan.clusters, dependent, stream);
    case 2:
      return launch<T, kHeadDim, 2>(params, rows, plan.clusters, dependent, stream);
    case 4:
      return launch<T, kHeadDim, 4>(params, rows, plan.clusters, dependent, stream);
    default:
      return launch<T, kHeadDim, 8>(params, rows, plan.clusters, dependent, stream);
  }
}

/// One warp.
__global__ void entry_parts(const __grid_constant__ AttentionParams p, int rows, int least_part) {
  const int part = tiles_of_part(p, rows, least_part);
  if (threadIdx.x == 0) *p.split.tiles_of_part = part;
}

template <typename T, int kHeadDim>
void launch_parts(AttentionParams params, int rows, int cluster, cudaStream_t stream) {
  static const bool configured = [] {
    prefer_shared_memory(entry_parts, "entry_parts");
    return true;
  }();
  (void)configured;
  const EntriesLaunch plan = plan_launch<T, kHeadDim>(params, rows, cluster);
  if (params.split.helpers > 0) {
    launch_kernel("entry_parts", entry_parts, LaunchShape{dim3(1), 32, 0, 1, false}, stream, params, rows,
                  least_entry_part(plan.cluster));
  }
}

/// Calls what<T, head_dim>() by the parameters.
template <typename What>
void with_types(const AttentionParams& params, ElementType type, int rows, const What& what) {
  if (rows < 1 || rows > kMaxBatchRows || params.heads % params.kv_heads != 0) {
    fail_launch("decode_attention", "rows must be 1 to 128, and KV heads divide the heads");
  }
  const bool is_bfloat16 = type == ElementType::bfloat16;
  if (params.head_dim == 64) {
    return is_bfloat16 ? what.template operator()<__nv_bfloat16, 64>() : what.template operator()<__half, 64>();
  }
  if (params.head_dim == 128) {
    return is_bfloat16 ? what.template operator()<__nv_bfloat16, 128>() : what.template operator()<__half, 128>();
  }
  fail_launch("decode_attention", "head_dim must be 64 or 128");
}

}  // namespace

EntryClusters attention_entry_clusters(ElementType type, int head_dim) {
  if (type == ElementType::bfloat16) {
    return head_dim == 64 ? clusters_at_once<__nv_bfloat16, 64>() : clusters_at_once<__nv_bfloat16, 128>();
  }
  return head_dim == 64 ? clusters_at_once<__half, 64>() : clusters_at_once<__half, 128>();
}

void launch_entry_parts(const AttentionParams& params, ElementType type, int rows, int cluster, cudaStream_t stream) {
  with_types(params, type, rows,
             [&]<typename T, int kHeadDim>() { launch_parts<T, kHeadDim>(params, rows, cluster, stream); });
}

void launch_entries_attention(const AttentionParams& params, ElementType type, int rows, int cluster, bool dependent,
                              cudaStream_t stream) {
  with_types(params, type, rows, [&]<typename T, int kHeadDim>() {
    launch_attention<T, kHeadDim>(params, rows, cluster, dependent, stream);
  });
}

}  // namespace specthink::inline kernels
