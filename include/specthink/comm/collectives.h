// Collectives on tensors: what joins the sharded matrix products.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <memory>

#include "specthink/comm/process_group.h"

namespace specthink::inline comm {

/// NCCL on GPUs, the process group on CPUs. All ranks of the group call the same operations in the same order; every rank ends with
/// the same bits. Both models share one object. On a GPU the operations are queued on the current stream.
class Collectives {
 public:
  static std::unique_ptr<Collectives> create(const ProcessGroup& group, c10::Device device);
  virtual ~Collectives() = default;

  int rank() const { return rank_; }
  int ranks() const { return ranks_; }

  /// Sum over the ranks, in place. `tensor` is contiguous, of any floating type; sums are formed in float32 on CPUs.
  virtual void all_reduce(at::Tensor& tensor) = 0;

  /// [...] on each rank -> [ranks, ...] on all. `tensor` is contiguous.
  at::Tensor all_gather(const at::Tensor& tensor);

  /// The same into `result`, [ranks, ...]: allocates nothing, so that it can be part of a captured graph.
  virtual void all_gather_into(at::Tensor& result, const at::Tensor& tensor) = 0;

 protected:
  Collectives(int rank, int ranks) : rank_(rank), ranks_(ranks) {}

 private:
  int rank_;
  int ranks_;
};

}  // namespace specthink::inline comm
