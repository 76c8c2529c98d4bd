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

/// `at_once`: clusters that the GPU runs at once.
template <typename T, int kHeadDim, int kBlocks, int kWarpsOfBlock = warps_of_block(1)>
void launch(AttentionParams params, int rows, int clusters, int at_once, bool dependent, cudaStream_t stream) {
  using Memory = Shared<T, kHeadDim, 1, kBlocks, kWarpsOfBlock>;
  int& helpers = params.split.helpers;
  params.split.at_once = at_once / params.kv_heads;
  if (helpers < 0) helpers = plan_entry_helpers(clusters / params.kv_heads, params.split.at_once);
  if (!params.split.results) helpers = 0;
  helpers = std::min(helpers, kMaxEntryHelperClusters / params.kv_heads);
  const int all = clusters + helpers * params.kv_heads;
  const LaunchShape shape{dim3(static_cast<unsigned>(all * kBlocks)), Memory::kThreads, sizeof(Memory), kBlocks,
                          dependent};
  launch_kernel("decode_attention", configured_kernel<T, kHeadDim, 1, kBlocks, true, kWarpsOfBlock>(), shape, stream,
                params, rows);
}

template <typename T, int kHeadDim>
void launch_size(const AttentionParams& params, int rows, int cluster, bool dependent, cudaStream_t stream) {
  const int clusters = params.kv_heads * most_entry_clusters(rows, params.heads / params.kv_heads, kQueries);
  const EntryClusters fit = clusters_at_once<T, kHeadDim>();
  if (cluster == 0) {
    if (clusters > fit.back()) {
      return launch<T, kHeadDim, 1, kWarpsOfBatch>(params, rows, clusters, most_blocks_of_batch<T, kHeadDim>(),
                                                   dependent, stream);
    }
    cluster = plan_entry_cluster(clusters, fit);
  }
  switch (cluster) {
    case 1:
      return launch<T, kHeadDim, 1>(params, rows, clusters, fit[3], dependent, stream);
    case 2:
      return launch<T, kHeadDim, 2>(params, rows, clusters, fit[2], dependent, stream);
    case 4:
      return launch<T, kHeadDim, 4>(params, rows, clusters, fit[1], dependent, stream);
    case 8:
      return launch<T, kHeadDim, 8>(params, rows, clusters, fit[0], dependent, stream);
  }
  fail_launch("decode_attention", "a cluster of a step of several sequences has 1, 2, 4 or 8 blocks");
}

template <typename T>
void launch_head_dim(const AttentionParams& params, int rows, int cluster, bool dependent, cudaStream_t stream) {
  if (params.head_dim == 64) return launch_size<T, 64>(params, rows, cluster, dependent, stream);
  if (params.head_dim == 128) return launch_size<T, 128>(params, rows, cluster, dependent, stream);
  fail_launch("decode_attention", "head_dim must be 64 or 128");
}

}  // namespace

EntryClusters attention_entry_clusters(ElementType type, int head_dim) {
  if (type == ElementType::bfloat16) {
    return head_dim == 64 ? clusters_at_once<__nv_bfloat16, 64>() : clusters_at_once<__nv_bfloat16, 128>();
  }
  return head_dim == 64 ? clusters_at_once<__half, 64>() : clusters_at_once<__half, 128>();
}

void launch_entries_attention(const AttentionParams& params, ElementType type, int rows, int cluster, bool dependent,
                              cudaStream_t stream) {
  if (rows < 1 || rows > kMaxBatchRows || params.heads % params.kv_heads != 0) {
    fail_launch("decode_attention", "rows must be 1 to 128, and KV heads divide the heads");
  }
  if (type == ElementType::bfloat16) {
    launch_head_dim<__nv_bfloat16>(params, rows, cluster, dependent, stream);
  } else {
    launch_head_dim<__half>(params, rows, cluster, dependent, stream);
  }
}

}  // namespace specthink::inline kernels
