// Queues the kernels of a decode step on a stream: directly, or to be captured into a graph; CUDA builds only.
//
// The first kernel of a step waits for the whole step before; the others start early and wait inside
// (programmatic dependent launch).
#pragma once

#include <ATen/core/Tensor.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/decode/attention/attention.h"
#include "kernels/decode/buffers.h"
#include "kernels/decode/linear/linear.h"
#include "kernels/decode/timeline.h"
#include "specthink/comm/collectives.h"
#include "specthink/kernels/decode_step.h"

namespace specthink::inline kernels {

class DecodeQueue {
 public:
  /// All that is passed by reference must outlive it. `results`: mapped memory, that of DecodeSampling::results
  /// and behind it that of its statistics. `rows`: of the largest step.
  DecodeQueue(const LoadedShard& model, DecodeBuffers& buffers, Collectives& collectives,
              const DecodeStep::Options& options, int rows, SpinLimit limit, std::uint64_t* results,
              cudaStream_t stream);

  /// How the rows of a step are computed.
  enum class Kind {
    one,       ///< few rows of one sequence
    several,   ///< of any sequences
    batch,     ///< many rows of any sequences, with the linear layers of short prefills
    portable,  ///< of any number, with StepKernels::portable
  };

  /// Before a step of Kind::portable is captured: LibTorch sets up in its first product of a kind what must not be set
  /// up during capture.
  void warm_up_products(int rows);

  /// A step over the rows of the layout, up to `rows` of them (one of kStepRowCounts or kBatchRowCounts).
  void step(int rows, Kind kind);

  /// The next token behind the one row of the layout, from a hidden state after the final norm, [hidden] or [1,
  /// hidden]. Not for capture.
  void choice(const at::Tensor& hidden);

  std::vector<KernelTimes> timeline() const { return timeline_.times(); }

  /// Device memory beside that of the buffers.
  std::int64_t bytes() const;

 private:
  /// Of steps of Kind::portable.
  struct PortableMemory {
    at::Tensor sums;     // float32: what a product of several rows gives
    at::Tensor queries;  // [rows, heads · head_dim]
    at::Tensor results;  // PortableAttention::results and arrived, of the step that needs most
    at::Tensor arrived;
  };
  PortableMemory portable_memory(int rows) const;
  void warm_up_collectives();
  LinearParams linear(DecodeLinear which, const WeightMatrix& weights, int rows, LinearInput input,
                      LinearOutput output) const;
  void normed_linear(DecodeLinear which, int slot, const at::Tensor& norm_weight, const WeightMatrix& weights, int rows,
                     LinearOutput output, void* y);
  void summed_linear(DecodeLinear which, int slot, const WeightMatrix& weights, const at::Tensor& bias, int rows,
                     const void* x);
  /// `norm`: of one row, instead of x.
  void portable_linear(const WeightMatrix& weights, int rows, const void* x, LinearOutput output, void* y,
                       const PartialsOutput& partials, const NormInput* norm = nullptr);
  void portable_attention(std::int64_t layer, int rows);
  void batch_linear(const WeightMatrix& weights, int rows, const void* x, void* activated, const PartialsOutput& sums);
  void reduce_slot(int rows);
  AttentionParams attention_params(std::int64_t layer, int rows) const;
  void attention(std::int64_t layer, int rows);
  void sampling(int rows, int last_slot);

  /// Whether the next kernel may start before the one before it has ended: not after a collective.
  bool dependent() { return !std::exchange(after_collective_, false) && has_dependent_launches_; }
  /// Activations lie row by row.
  bool is_row_major() const { return kind_ == Kind::batch || kind_ == Kind::portable; }

  const LoadedShard& model_;
  DecodeBuffers& buffers_;
  Collectives& collectives_;
  const DecodeStep::Options& options_;
  ElementType type_;
  std::int64_t hidden_;
  SpinLimit limit_;
  std::uint64_t* results_;
  cudaStream_t stream_;
  int sms_ = 0;
  bool has_dependent_launches_ = false;
  Kind kind_ = Kind::one;  // of the step that is being queued
  bool after_collective_ = false;
  DecodeTimeline timeline_;
  PortableMemory portable_;
};

}  // namespace specthink::inline kernels
