#include "kernels/device/hopper.h"
#include "kernels/prefill/linear_kernel.cuh"

namespace specthink::inline kernels {
namespace {

int most_clusters(int blocks) {
  cudaLaunchConfig_t config{};
  config.gridDim = static_cast<unsigned>(blocks);
  config.blockDim = kThreads;
  config.dynamicSmemBytes = kSharedBytes;
  cudaLaunchAttribute attribute;
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim = {static_cast<unsigned>(blocks), 1, 1};
  config.attrs = &attribute;
  config.numAttrs = 1;
  int clusters = 0;
  const cudaError_t status = cudaOccupancyMaxActiveClusters(
      &clusters, configured_kernel<WeightFormat::elements, __nv_bfloat16, kLeastLinearWidth, 2>(), &config);
  cudaGetLastError();  // a refusal is an answer
  return status == cudaSuccess ? clusters : 0;
}

}  // namespace

bool takes_prefill_linear(int device) { return has_wgmma_code(device); }

LinearBlocks prefill_linear_blocks() {
  int device = 0;
  LinearBlocks blocks;
  if (cudaGetDevice(&device) != cudaSuccess ||
      cudaDeviceGetAttribute(&blocks.single, cudaDevAttrMultiProcessorCount, device) != cudaSuccess) {
    check_launch("prefill_linear");
  }
  blocks.clusters_of_2 = most_clusters(2);
  blocks.clusters_of_4 = most_clusters(4);
  return blocks;
}

void launch_prefill_linear(const PrefillLinearParams& params, ElementType type, cudaStream_t stream) {
  if (params.rows < 1 || params.rows > kLinearTileRows || params.outputs % 2 != 0 ||
      (params.gated && (params.plan.splits != 1 || !params.y))) {
    fail_launch("prefill_linear", "rows must be 1 to 128, outputs even, a gated product whole, with a y");
  }
  if (params.format == WeightFormat::float8) {
    launch_float8_prefill_linear(params, type, stream);
  } else {
    launch_of_format<WeightFormat::elements>(params, type, stream);
  }
}

}  // namespace specthink::inline kernels
