// Matrix products of a short prefill, on Hopper GPUs (compute capability 9.0): the weights stream at the speed of the
// memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "specthink/kernels/loaded_shard.h"

namespace specthink::inline kernels {

class PrefillLinear {
 public:
  static constexpr std::int64_t kMaxRows = 128;

  enum class Kind {
    plain,  ///< y = x · Wᵀ + bias
    gated,  ///< W = gate rows, then as many up rows; y = silu(x · gateᵀ) · (x · upᵀ), rounded as prefill_ops::silu_mul
  };

  /// `weights` [rows, k], contiguous, shared, not copied; no work on the stream writes them: they are fetched while the
  /// kernel before still runs. Those of 8 bits are rounded, times their factors, to `type`, that of x and y. Null where
  /// the kernel does not run: not a Hopper GPU, types other than bfloat16, float16 and float8, the outputs no multiple
  /// of 8, rows or, of 8-bit weights, blocks of factors that do not end with 16 bytes. Queues nothing.
  static std::unique_ptr<PrefillLinear> create(const WeightMatrix& weights, Kind kind, at::ScalarType type);
  virtual ~PrefillLinear() = default;

  /// x [1 to kMaxRows, k], y [the same, outputs], both contiguous; bias [outputs] or undefined, never with a gated
  /// linear layer. Sums in float32, in the same order each time. Queued on the current stream; starts before the kernel
  /// before it has ended and waits inside. Throws InternalError for shapes that do not fit, EnvironmentError when the
  /// launch fails.
  virtual void run(const at::Tensor& x, const at::Tensor& bias, at::Tensor& y) const = 0;
};

}  // namespace specthink::inline kernels
