// What a build without CUDA code has in place of the kernels. CMake chooses this file or the CUDA ones.
#include "kernels/measure/random_fill_device.h"
#include "kernels/measure/read_bandwidth_device.h"
#include "specthink/base/error.h"
#include "specthink/kernels/decode_step.h"
#include "specthink/kernels/kernel_benchmark.h"
#include "specthink/kernels/peer_sum.h"
#include "specthink/kernels/prefill_attention.h"
#include "specthink/kernels/prefill_linear.h"
#include "specthink/kernels/prefill_ops.h"

namespace specthink::inline kernels {
namespace {

/// Callers ask first whether there is a kernel.
[[noreturn]] void no_kernel(const char* what) {
  throw InternalError("this build has no CUDA code, but {} was called", what);
}

}  // namespace

std::string step_obstacle(const LoadedShard&, StepKernels) { return "this build has no CUDA code"; }

std::string batch_obstacle(const LoadedShard& model, StepKernels kernels) { return step_obstacle(model, kernels); }

std::unique_ptr<DecodeStep> DecodeStep::create(LoadedShard, const ProcessGroup&, Collectives&, const Options&) {
  no_kernel("DecodeStep::create");
}

std::unique_ptr<PeerSum> PeerSum::create(const ProcessGroup&, c10::Device, const Options&) { return nullptr; }

std::unique_ptr<PrefillAttention> PrefillAttention::create(std::span<const Layer>, double) { return nullptr; }

std::unique_ptr<PrefillLinear> PrefillLinear::create(const WeightMatrix&, Kind, at::ScalarType) { return nullptr; }

void random_fill_on_device(at::Tensor&, const MatrixSlice&, std::uint64_t, float) { no_kernel("random_fill"); }

std::vector<double> time_read_passes(int, const ReadPasses&) { no_kernel("time_read_passes"); }

c10::Device kernel_benchmark_device() {
  throw EnvironmentError(
      "the decode kernels run on a GPU, and this build has no CUDA code: build with SPECTHINK_CUDA=ON");
}

std::vector<KernelTime> time_kernels(const ModelDescription&, ElementType, c10::Device) { no_kernel("time_kernels"); }

std::vector<PrefillLinearTime> time_prefill_linears(const ModelDescription&, ElementType, c10::Device) {
  no_kernel("time_prefill_linears");
}

std::vector<PrefillAttentionTime> time_prefill_attention(const ModelDescription&, ElementType, c10::Device) {
  no_kernel("time_prefill_attention");
}

namespace prefill_ops {

bool available(c10::Device, at::ScalarType) { return false; }

void embed_rows(const at::Tensor&, const at::Tensor&, std::int64_t, at::Tensor&) { no_kernel("embed_rows"); }

void embed_new_rows(const NewRows&, const at::Tensor&, std::int64_t, at::Tensor&, RowIndices&) {
  no_kernel("embed_new_rows");
}

void rms_norm(const at::Tensor&, const at::Tensor&, double, at::Tensor&) { no_kernel("rms_norm"); }

void add_rms_norm(at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, double, at::Tensor&) {
  no_kernel("add_rms_norm");
}

void qk_norm_rope_store(const at::Tensor&, const at::Tensor&, double, const RopeTables&, const RowIndices&, at::Tensor&,
                        at::Tensor&, at::Tensor&) {
  no_kernel("qk_norm_rope_store");
}

void silu_mul(const at::Tensor&, at::Tensor&) { no_kernel("silu_mul"); }

void dequantize(const WeightMatrix&, at::Tensor&) { no_kernel("dequantize"); }

}  // namespace prefill_ops

}  // namespace specthink::inline kernels
