// Matrix products of a short prefill, on Hopper GPUs (compute capability 9.0): the weights stream at the speed of the
// memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

namespace specthink::inline kernels {

class PrefillLinear {
 public:
  static constexpr std::int64_t kMaxRows = 128;

  enum class Kind {
    plain,  ///< y = x · Wᵀ + bias
    gated,  ///< W = gate rows, then as many up rows; y = silu(x · gateᵀ) · (x · upᵀ), rounded as prefill_ops::silu_mul
  };

  /// `weights` [rows, k], contiguous, shared, not copied. Null where the kernel does not run: not a Hopper GPU, a type
  /// other than bfloat16 and float16, k or the outputs no multiple of 8. Queues nothing. `constant`: no work on the
  /// stream writes the weights, so that they are fetched while the kernel before still runs.
  static std::unique_ptr<PrefillLinear> create(const at::Tensor& weights, Kind kind, bool constant = true);
  virtual ~PrefillLinear() = default;

  /// x [1 to kMaxRows, k], y [the same, outputs], both contiguous; bias [outputs] or undefined, never with a gated
  /// linear layer. Sums in float32, in the same order each time. Queued on the current stream; starts before the kernel
  /// before it has ended and waits inside. Throws InternalError for shapes that do not fit, EnvironmentError when the
  /// launch fails.
  virtual void run(const at::Tensor& x, const at::Tensor& bias, at::Tensor& y) const = 0;
};

}  // namespace specthink::inline kernels
