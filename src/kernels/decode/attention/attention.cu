// Attention of steps of one sequence.
#include "kernels/decode/attention/kernel.cuh"

namespace specthink::inline kernels {
namespace {

template <typename T>
AttentionClusters clusters_at_once(int head_dim) {
  if (head_dim == 64) return {most_clusters<T, 64, 8, false>(), most_clusters<T, 64, 16, false>()};
  return {most_clusters<T, 128, 8, false>(), most_clusters<T, 128, 16, false>()};
}

template <typename T, int kHeadDim, int kQueryTiles, int kBlocks>
void launch(const AttentionParams& params, int rows, bool dependent, cudaStream_t stream) {
  using Memory = Shared<T, kHeadDim, kQueryTiles, kBlocks>;
  const int queries = rows * params.heads / params.kv_heads;
  const int of_kv_head = (queries + Memory::kAll - 1) / Memory::kAll + params.split.helpers;
  const LaunchShape shape{dim3(static_cast<unsigned>(params.kv_heads * of_kv_head * kBlocks)), Memory::kThreads,
                          sizeof(Memory), kBlocks, dependent};
  launch_kernel("decode_attention", configured_kernel<T, kHeadDim, kQueryTiles, kBlocks, false>(), shape, stream,
                params, rows);
}

template <typename T, int kHeadDim, int kBlocks>
void launch_tiles(const AttentionParams& params, int rows, bool dependent, cudaStream_t stream) {
  const int queries = rows * params.heads / params.kv_heads;
  if (queries <= kQueries) {
    launch<T, kHeadDim, 1, kBlocks>(params, rows, dependent, stream);
  } else {
    launch<T, kHeadDim, 2, kBlocks>(params, rows, dependent, stream);
  }
}

template <typename T>
void launch_shape(AttentionParams params, int rows, int cluster, bool dependent, cudaStream_t stream) {
  const int queries = rows * params.heads / params.kv_heads;
  // Several clusters per KV head fill the GPU with small ones.
  if (queries > 2 * kQueries) cluster = 8;
  const bool may_split = queries <= kSplitQueries && params.split.results;
  const AttentionPlan plan = plan_attention(params.kv_heads, clusters_at_once<T>(params.head_dim), cluster,
                                            may_split ? params.split.helpers : 0);
  params.split.helpers = plan.helpers;
  if (params.split.from_position < 0) params.split.from_position = attention_split_position(plan.cluster);
  const auto is = [&](int head_dim, int blocks) { return params.head_dim == head_dim && plan.cluster == blocks; };
  if (is(64, 8)) return launch_tiles<T, 64, 8>(params, rows, dependent, stream);
  if (is(64, 16)) return launch_tiles<T, 64, 16>(params, rows, dependent, stream);
  if (is(128, 8)) return launch_tiles<T, 128, 8>(params, rows, dependent, stream);
  if (is(128, 16)) return launch_tiles<T, 128, 16>(params, rows, dependent, stream);
  fail_launch("decode_attention", "head_dim must be 64 or 128, a cluster 8 or 16 blocks");
}

}  // namespace

AttentionClusters attention_clusters(ElementType type, int head_dim) {
  return type == ElementType::bfloat16 ? clusters_at_once<__nv_bfloat16>(head_dim) : clusters_at_once<__half>(head_dim);
}

std::size_t attention_shared_bytes(int head_dim, int cluster, int queries) {
  const auto of = [&]<int kHeadDim, int kQueryTiles>() {
    using T = __nv_bfloat16;  // __half is as large
    return cluster == 8 ? sizeof(Shared<T, kHeadDim, kQueryTiles, 8>) : sizeof(Shared<T, kHeadDim, kQueryTiles, 16>);
  };
  if (head_dim == 64) return queries <= kQueries ? of.operator()<64, 1>() : of.operator()<64, 2>();
  return queries <= kQueries ? of.operator()<128, 1>() : of.operator()<128, 2>();
}

void launch_decode_attention(const AttentionParams& params, ElementType type, int rows, int cluster, bool dependent,
                             cudaStream_t stream) {
  if (rows < 1 || rows > kMaxStepRows || params.heads % params.kv_heads != 0) {
    fail_launch("decode_attention", "rows must be 1 to 16, and KV heads divide the heads");
  }
  if (params.split.helpers > kMaxAttentionHelpers) fail_launch("decode_attention", "more than three helpers");
  if (type == ElementType::bfloat16) {
    launch_shape<__nv_bfloat16>(params, rows, cluster, dependent, stream);
  } else {
    launch_shape<__half>(params, rows, cluster, dependent, stream);
  }
}

}  // namespace specthink::inline kernels
