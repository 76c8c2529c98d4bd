#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "kernels/device/tensor_map.h"
#include "kernels/prefill/linear_device.h"
#include "specthink/base/error.h"
#include "specthink/kernels/prefill_linear.h"

namespace specthink::inline kernels {
namespace {

constexpr int kBoxRowsStep = 8;  // of the swizzle's pattern

class CudaPrefillLinear final : public PrefillLinear {
 public:
  CudaPrefillLinear(const at::Tensor& weights, Kind kind, bool constant) : weights_(weights) {
    params_.dependent = constant;
    const c10::cuda::CUDAGuard guard(weights.device());
    static const LinearBlocks blocks = prefill_linear_blocks();  // a process uses one GPU
    params_.gated = kind == Kind::gated;
    params_.k = static_cast<int>(weights.size(1));
    params_.outputs = static_cast<int>(weights.size(0) / (params_.gated ? 2 : 1));
    params_.plan = plan_prefill_linear(weights.size(0), weights.size(1), params_.gated, blocks);
    params_.weights = make_panel_map(weights.const_data_ptr(), weights.size(0), weights.size(1),
                                     params_.plan.width / (params_.gated ? 2 : 1));
  }

  void run(const at::Tensor& x, const at::Tensor& bias, at::Tensor& y) const override {
    const auto fits = [&](const at::Tensor& tensor, std::int64_t columns) {
      return tensor.dim() == 2 && tensor.size(0) == x.size(0) && tensor.size(1) == columns && tensor.is_contiguous() &&
             tensor.scalar_type() == weights_.scalar_type() && tensor.device() == weights_.device();
    };
    check(x.size(0) >= 1 && x.size(0) <= kMaxRows && fits(x, params_.k) && fits(y, params_.outputs),
          "prefill product: shapes");
    check(!bias.defined() || (!params_.gated && bias.numel() == params_.outputs && bias.is_contiguous() &&
                              bias.scalar_type() == weights_.scalar_type() && bias.device() == weights_.device()),
          "prefill product: bias");
    PrefillLinearParams params = params_;
    params.rows = static_cast<int>(x.size(0));
    params.box_rows = (params.rows + kBoxRowsStep - 1) / kBoxRowsStep * kBoxRowsStep;
    params.x = make_panel_map(x.const_data_ptr(), x.size(0), params_.k, params.box_rows);
    params.bias = bias.defined() ? bias.const_data_ptr() : nullptr;
    params.y = y.mutable_data_ptr();
    const ElementType type = weights_.scalar_type() == at::kBFloat16 ? ElementType::bfloat16 : ElementType::float16;
    launch_prefill_linear(params, type, c10::cuda::getCurrentCUDAStream());
  }

 private:
  at::Tensor weights_;
  PrefillLinearParams params_;  // what does not depend on x
};

}  // namespace

std::unique_ptr<PrefillLinear> PrefillLinear::create(const at::Tensor& weights, Kind kind, bool constant) {
  static_assert(kMaxRows == kLinearTileRows);
  const std::int64_t alignment = kind == Kind::gated ? 16 : 8;
  const bool fits = weights.is_cuda() && weights.is_contiguous() &&
                    (weights.scalar_type() == at::kBFloat16 || weights.scalar_type() == at::kHalf) &&
                    weights.size(0) % alignment == 0 && weights.size(1) % 8 == 0 &&
                    takes_prefill_linear(weights.get_device());
  if (!fits) return nullptr;
  return std::make_unique<CudaPrefillLinear>(weights, kind, constant);
}

}  // namespace specthink::inline kernels
