// Attention of new rows over one sequence's cache, on Hopper GPUs (compute capability 9.0).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>

namespace specthink::inline kernels {

/// For one model's cache. Query heads are consecutive for each KV head, the same number for all.
class PrefillAttention {
 public:
  /// The planes of one layer, [pages · kPageTokens, kv_heads, head_dim].
  struct Layer {
    at::Tensor keys;
    at::Tensor values;
  };

  /// Null where the kernel does not run: not a Hopper GPU, a type other than bfloat16 and float16, a head_dim other
  /// than 64 and 128. Scores are multiplied by `scale`. Queues nothing.
  static std::unique_ptr<PrefillAttention> create(std::span<const Layer> layers, double scale);
  virtual ~PrefillAttention() = default;

  /// What create() takes of a GPU's memory at most, in bytes; for plans that know no GPU.
  static std::int64_t most_workspace_bytes(std::int64_t head_dim);

  /// A sequence's keys and values in the planes.
  struct Sequence {
    at::Tensor
        pages;  ///< [at least ceil(length / kPageTokens)] int32 on the device: page of each kPageTokens positions
    std::int64_t length = 0;
    std::int64_t settled = 0;  ///< positions that the kernel before on the stream does not write any more
  };

  /// queries [rows, heads, head_dim] are the last ones of the sequence; each sees itself and what came before it.
  /// output [rows, heads, head_dim]. Both contiguous. Queued on the current stream, one
  /// call at a time. Throws InternalError for shapes that do not fit, EnvironmentError when the launch fails.
  virtual void run(std::size_t layer, const at::Tensor& queries, const Sequence& sequence, at::Tensor& output) = 0;
};

}  // namespace specthink::inline kernels
