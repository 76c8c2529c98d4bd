#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "kernels/device/tensor_map.h"
#include "kernels/device/weight_matrix.h"
#include "kernels/prefill/linear_device.h"
#include "specthink/base/error.h"
#include "specthink/kernels/prefill_linear.h"

namespace specthink::inline kernels {
namespace {

constexpr int kBoxRowsStep = 8;  // of the swizzle's pattern

class CudaPrefillLinear final : public PrefillLinear {
 public:
  CudaPrefillLinear(const WeightMatrix& weights, Kind kind, at::ScalarType type)
      : weights_(weights), type_(type), params_(prefill_linear_params(weights, kind == Kind::gated)) {}

  void run(const at::Tensor& x, const at::Tensor& bias, at::Tensor& y) const override {
    const auto fits = [&](const at::Tensor& tensor, std::int64_t columns) {
      return tensor.dim() == 2 && tensor.size(0) == x.size(0) && tensor.size(1) == columns && tensor.is_contiguous() &&
             tensor.scalar_type() == type_ && tensor.device() == weights_.data.device();
    };
    check(x.size(0) >= 1 && x.size(0) <= kMaxRows && fits(x, params_.k) && fits(y, params_.outputs),
          "prefill product: shapes");
    check(!bias.defined() || (!params_.gated && bias.numel() == params_.outputs && bias.is_contiguous() &&
                              bias.scalar_type() == type_ && bias.device() == weights_.data.device()),
          "prefill product: bias");
    PrefillLinearParams params = params_;
    set_x(params, x.const_data_ptr(), static_cast<int>(x.size(0)));
    params.bias = bias.defined() ? bias.const_data_ptr() : nullptr;
    params.y = y.mutable_data_ptr();
    const ElementType type = type_ == at::kBFloat16 ? ElementType::bfloat16 : ElementType::float16;
    launch_prefill_linear(params, type, c10::cuda::getCurrentCUDAStream());
  }

 private:
  WeightMatrix weights_;
  at::ScalarType type_;
  PrefillLinearParams params_;  // what does not depend on x
};

}  // namespace

bool fits_prefill_linear(const WeightMatrix& weights, bool gated) {
  constexpr std::int64_t kCopiedBytes = 16;  // that a row of the matrix has a multiple of
  constexpr std::int64_t kConvertedColumns = 16;
  const at::Tensor& data = weights.data;
  const bool takes_type = weights.type == WeightType::float8
                              ? weights.scales.is_contiguous() && weights.scale_columns % kConvertedColumns == 0
                              : weights.type != WeightType::float32;
  return data.is_cuda() && data.is_contiguous() && takes_type && data.size(0) % (gated ? 16 : 8) == 0 &&
         data.size(1) * static_cast<std::int64_t>(data.element_size()) % kCopiedBytes == 0 &&
         takes_prefill_linear(data.get_device());
}

PrefillLinearParams prefill_linear_params(const WeightMatrix& matrix, bool gated) {
  const at::Tensor& weights = matrix.data;
  const c10::cuda::CUDAGuard guard(weights.device());
  static const LinearBlocks blocks = prefill_linear_blocks();  // a process uses one GPU
  PrefillLinearParams params;
  params.gated = gated;
  params.k = static_cast<int>(weights.size(1));
  params.outputs = static_cast<int>(weights.size(0) / (gated ? 2 : 1));
  params.format = format_of(matrix);
  params.scales = scales_of(matrix);
  params.plan = plan_prefill_linear(weights.size(0), weights.size(1), gated, blocks, params.format);
  const auto make_map = params.format == WeightFormat::float8 ? make_byte_map : make_panel_map;
  params.weights =
      make_map(weights.const_data_ptr(), weights.size(0), weights.size(1), params.plan.width / (gated ? 2 : 1));
  return params;
}

void set_x(PrefillLinearParams& params, const void* x, int rows) {
  params.rows = rows;
  params.box_rows = (rows + kBoxRowsStep - 1) / kBoxRowsStep * kBoxRowsStep;
  params.x = make_panel_map(x, rows, params.k, params.box_rows);
}

std::unique_ptr<PrefillLinear> PrefillLinear::create(const WeightMatrix& weights, Kind kind, at::ScalarType type) {
  static_assert(kMaxRows == kLinearTileRows);
  if (!fits_prefill_linear(weights, kind == Kind::gated)) return nullptr;
  return std::make_unique<CudaPrefillLinear>(weights, kind, type);
}

}  // namespace specthink::inline kernels
