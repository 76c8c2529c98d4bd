// What joins the sharded products of a prefill on the GPUs of one node: each rank reads the others' partial sums from
// their GPUs and goes on with residual and norm in the same kernel.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <memory>

#include "specthink/comm/process_group.h"
#include "specthink/config/settings.h"

namespace specthink::inline kernels {

/// Every rank gets the same bits: it rounds the sum over all ranks, in rank order, to the type of the partial sums, as
/// an all-reduce would. All ranks of the group make the same calls in the same order.
class PeerSum {
 public:
  struct Options {
    AllReduce all_reduce = AllReduce::automatic;  ///< nccl: create() returns null
    std::int64_t bytes = 0;                       ///< of a rank's partial sums at most
    double wait_limit_seconds = 300;              ///< for another rank
  };

  /// More ranks have less to transfer by NCCL's ring.
  static constexpr int kMaxRanks = 4;

  /// Null on every rank for one rank, for more than kMaxRanks, on CPUs and where some GPU cannot map another's memory.
  /// Collective.
  static std::unique_ptr<PeerSum> create(const ProcessGroup& group, c10::Device device, const Options& options);
  virtual ~PeerSum() = default;

  /// True for what the other functions take: it fits the memory, rows are whole 16-byte vectors.
  virtual bool takes(std::int64_t rows, std::int64_t hidden, at::ScalarType type) const = 0;

  /// Where this rank puts its partial sums for the next sum, [rows, hidden], by work queued on the current stream.
  virtual at::Tensor partial(std::int64_t rows, std::int64_t hidden, at::ScalarType type) = 0;

  /// residual += Σ over ranks of the partial sums (+ bias, which may be undefined), then output = rms_norm(residual).
  /// residual and output [rows, hidden] as the last partial(), bias and weight [hidden]. Queued on the current stream.
  virtual void add_rms_norm(at::Tensor& residual, const at::Tensor& bias, const at::Tensor& weight, double eps,
                            at::Tensor& output) = 0;

  /// The same for a residual of zeros, which need not be there: sum = Σ over ranks, output = rms_norm(sum).
  virtual void sum_rms_norm(at::Tensor& sum, const at::Tensor& weight, double eps, at::Tensor& output) = 0;

  /// Throws EnvironmentError when a kernel that has ended gave up waiting for another rank.
  virtual void check_arrived() const = 0;
};

}  // namespace specthink::inline kernels
