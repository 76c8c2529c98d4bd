#include <ATen/ATen.h>
#include <c10/cuda/CUDAStream.h>

#include "kernels/device/cuda_handles.h"
#include "kernels/exchange/peer_sum_device.h"
#include "specthink/base/error.h"
#include "specthink/comm/peer_memory.h"
#include "specthink/kernels/peer_sum.h"

namespace specthink::inline kernels {
namespace {

/// Two buffers take turns: who writes into one again has seen every rank arrive at the sum after the one that read it.
constexpr int kBuffers = 2;
constexpr std::int64_t kAlignment = 256;
static_assert(kMaxPeerSumRanks == PeerSum::kMaxRanks);
constexpr std::int64_t kSignalBytes = PeerSum::kMaxRanks * kSignalStride * sizeof(std::uint32_t);

class CudaPeerSum final : public PeerSum {
 public:
  CudaPeerSum(const ProcessGroup& group, c10::Device device, const Options& options, std::int64_t buffer_bytes,
              std::unique_ptr<PeerMemory> memory)
      : device_(device),
        rank_(group.rank()),
        buffer_bytes_(buffer_bytes),
        wait_limit_seconds_(options.wait_limit_seconds),
        memory_(std::move(memory)),
        flags_(2),
        failed_(at::zeros({1}, at::TensorOptions(device).dtype(at::kInt))),
        group_(group),
        abort_hook_(group.failure_report(), [this] { flags_.store(kAbort, 1); }) {
    limit_.failed = static_cast<std::uint32_t*>(failed_.mutable_data_ptr());
    limit_.abort = flags_.data() + kAbort;
    limit_.nanoseconds = static_cast<std::uint64_t>(wait_limit_seconds_ * 1e9);
  }

  bool takes(std::int64_t rows, std::int64_t hidden, at::ScalarType type) const override {
    const bool sixteen_bits = type == at::kBFloat16 || type == at::kHalf;
    return sixteen_bits && hidden % 8 == 0 && hidden <= kMaxPeerSumHidden && rows * hidden * 2 <= buffer_bytes_;
  }

  at::Tensor partial(std::int64_t rows, std::int64_t hidden, at::ScalarType type) override {
    check(takes(rows, hidden, type), "partial sums that the peers' memory does not take");
    return at::from_blob(buffer_of(rank_, sequence_ + 1), {rows, hidden}, at::TensorOptions(device_).dtype(type));
  }

  void add_rms_norm(at::Tensor& residual, const at::Tensor& bias, const at::Tensor& weight, double eps,
                    at::Tensor& output) override {
    launch(true, residual, bias, weight, eps, output);
  }

  void sum_rms_norm(at::Tensor& sum, const at::Tensor& weight, double eps, at::Tensor& output) override {
    launch(false, sum, {}, weight, eps, output);
  }

  void check_arrived() const override {
    if (flags_.load(kGaveUp) == 0) return;
    throw EnvironmentError("another rank's part of a sum has not come for {} s", wait_limit_seconds_);
  }

 private:
  enum Flag : std::size_t { kAbort, kGaveUp };

  void launch(bool adds, at::Tensor& residual, const at::Tensor& bias, const at::Tensor& weight, double eps,
              at::Tensor& output) {
    const std::int64_t hidden = weight.size(0);
    check(takes(output.size(0), hidden, output.scalar_type()) && output.dim() == 2 && output.size(1) == hidden &&
              residual.sizes() == output.sizes() && (!bias.defined() || bias.numel() == hidden),
          "peer sum: shapes");
    for (const at::Tensor* operand : {&std::as_const(residual), &weight, &std::as_const(output), &bias}) {
      check(!operand->defined() || (operand->is_contiguous() && operand->device() == device_ &&
                                    operand->scalar_type() == output.scalar_type()),
            "peer sum: operands are contiguous, of one type, on the device");
    }
    group_.count_collective();
    ++sequence_;
    PeerSumParams params;
    params.ranks = memory_->ranks();
    for (int rank = 0; rank < params.ranks; ++rank) {
      params.partials[rank] = buffer_of(rank, sequence_);
      params.signal[rank] = signals_of(rank) + rank_ * kSignalStride;
    }
    params.arrived = signals_of(rank_);
    params.sequence = sequence_;
    params.gave_up = flags_.data() + kGaveUp;
    params.limit = limit_;
    params.rank = rank_;
    params.adds = adds;
    params.residual = residual.mutable_data_ptr();
    params.bias = bias.defined() ? bias.const_data_ptr() : nullptr;
    params.weight = weight.const_data_ptr();
    params.output = output.mutable_data_ptr();
    params.rows = static_cast<int>(output.size(0));
    params.hidden = static_cast<int>(hidden);
    params.eps = static_cast<float>(eps);
    launch_peer_sum(params, output.scalar_type() == at::kBFloat16 ? ElementType::bfloat16 : ElementType::float16,
                    c10::cuda::getCurrentCUDAStream(device_.index()));
  }

  std::byte* buffer_of(int rank, std::uint32_t sequence) const {
    return memory_->of(rank) + kSignalBytes + sequence % kBuffers * buffer_bytes_;
  }
  std::uint32_t* signals_of(int rank) const { return reinterpret_cast<std::uint32_t*>(memory_->of(rank)); }

  c10::Device device_;
  int rank_;
  std::int64_t buffer_bytes_;
  double wait_limit_seconds_;
  std::unique_ptr<PeerMemory> memory_;  // of each rank: signals, then the buffers
  MappedArray<std::uint32_t> flags_;    // [Flag]
  at::Tensor failed_;                   // [1] int32: kernels look here rather than into host memory
  SpinLimit limit_;
  std::uint32_t sequence_ = 0;  // of the last sum
  const ProcessGroup& group_;
  FailureReport::AbortHook abort_hook_;
};

}  // namespace

std::unique_ptr<PeerSum> PeerSum::create(const ProcessGroup& group, c10::Device device, const Options& options) {
  const bool wanted = options.all_reduce != AllReduce::nccl && options.bytes > 0;
  if (!device.is_cuda() || !wanted || group.size() == 1 || group.size() > kMaxRanks) return nullptr;
  const std::int64_t bytes = (options.bytes + kAlignment - 1) / kAlignment * kAlignment;
  std::unique_ptr<PeerMemory> memory =
      PeerMemory::create(group, device, static_cast<std::size_t>(kSignalBytes + kBuffers * bytes), 0);
  if (!memory) return nullptr;
  return std::make_unique<CudaPeerSum>(group, device, options, bytes, std::move(memory));
}

}  // namespace specthink::inline kernels
