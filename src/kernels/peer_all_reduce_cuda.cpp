#include "kernels/peer_all_reduce_cuda.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAStream.h>

#include "kernels/cuda_handles.h"
#include "kernels/peer_all_reduce_launch.h"
#include "specthink/base/error.h"
#include "specthink/comm/peer_memory.h"

namespace specthink {
namespace {

constexpr int kBufferTurns = 2;
constexpr std::int64_t kWordBytes = sizeof(uint4);

class PeerCollectives final : public Collectives {
 public:
  PeerCollectives(std::unique_ptr<Collectives> inner, std::unique_ptr<PeerMemory> peers, double wait_limit_seconds)
      : Collectives(inner->rank(), inner->ranks()),
        inner_(std::move(inner)),
        peers_(std::move(peers)),
        flags_(2),
        wait_limit_seconds_(wait_limit_seconds) {}

  void all_reduce(at::Tensor& tensor) override {
    const auto bytes = static_cast<std::int64_t>(tensor.nbytes());
    const bool fits = (tensor.scalar_type() == at::kBFloat16 || tensor.scalar_type() == at::kHalf) &&
                      tensor.is_contiguous() && bytes <= kPeerAllReduceBytes && bytes % kWordBytes == 0 &&
                      reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr()) % kWordBytes == 0;
    if (!fits) return inner_->all_reduce(tensor);
    if (flags_.load(kFailed) != 0) {
      throw EnvironmentError("another rank has not taken part in an all-reduce for {} s: it has died or is stuck",
                             wait_limit_seconds_);
    }
    PeerAllReduceParams params;
    params.data = tensor.mutable_data_ptr();
    params.words = bytes / kWordBytes;
    params.rank = rank();
    params.ranks = ranks();
    for (int other = 0; other < ranks(); ++other) {
      if (other == rank()) continue;
      params.sent[other] = buffer(other, rank());
      params.received[other] = buffer(rank(), other);
    }
    params.limit = {flags_.data() + kFailed, flags_.data() + kAbort,
                    static_cast<std::uint64_t>(wait_limit_seconds_ * 1e9)};
    turn_ = (turn_ + 1) % kBufferTurns;
    const ElementType type = tensor.scalar_type() == at::kBFloat16 ? ElementType::bfloat16 : ElementType::float16;
    launch_peer_all_reduce(params, type, c10::cuda::getCurrentCUDAStream());
  }

  at::Tensor all_gather(const at::Tensor& tensor) override { return inner_->all_gather(tensor); }
  void all_gather_into(at::Tensor& result, const at::Tensor& tensor) override {
    inner_->all_gather_into(result, tensor);
  }

 private:
  /// The part of `owner`'s memory that `sender` writes in this turn.
  uint4* buffer(int owner, int sender) const {
    return reinterpret_cast<uint4*>(peers_->of(owner) + (turn_ * ranks() + sender) * kPeerAllReduceBytes);
  }

  static constexpr std::size_t kFailed = 0;
  static constexpr std::size_t kAbort = 1;

  std::unique_ptr<Collectives> inner_;
  std::unique_ptr<PeerMemory> peers_;
  MappedArray<std::uint32_t> flags_;
  double wait_limit_seconds_;
  int turn_ = 0;
};

}  // namespace

std::unique_ptr<Collectives> with_peer_all_reduce_on_device(std::unique_ptr<Collectives> inner,
                                                            const ProcessGroup& group, c10::Device device,
                                                            double wait_limit_seconds) {
  if (group.size() > kMaxExchangeRanks) return inner;
  const auto bytes = static_cast<std::size_t>(kBufferTurns * group.size() * kPeerAllReduceBytes);
  auto peers = PeerMemory::create(group, device, bytes, 0xff);
  group.barrier();  // every rank's buffer is filled before another writes into it
  if (!peers) return inner;
  return std::make_unique<PeerCollectives>(std::move(inner), std::move(peers), wait_limit_seconds);
}

}  // namespace specthink
