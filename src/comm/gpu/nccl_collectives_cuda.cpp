#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <nccl.h>

#include <optional>
#include <utility>

#include "comm/gpu/nccl_collectives.h"

namespace specthink::inline comm {
namespace {

#define SPECTHINK_CHECK_NCCL(call)                                                                  \
  do {                                                                                              \
    const ncclResult_t status = (call);                                                             \
    if (status != ncclSuccess) {                                                                    \
      throw EnvironmentError("{}:{}: NCCL: {}: {}", __FILE__, __LINE__, ncclGetErrorString(status), \
                             ncclGetLastError(nullptr));                                            \
    }                                                                                               \
  } while (false)

ncclDataType_t nccl_type(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return ncclFloat32;
    case at::kBFloat16:
      return ncclBfloat16;
    case at::kHalf:
      return ncclFloat16;
    default:
      throw InternalError("no NCCL reduction for {}", c10::toString(type));
  }
}

/// A raw communicator: no process-group watchdog may touch one that a captured graph uses.
class NcclCollectives final : public Collectives {
 public:
  NcclCollectives(const ProcessGroup& group, c10::Device device)
      : Collectives(group.rank(), group.size()), group_(group) {
    const c10::cuda::CUDAGuard guard(device);
    ncclUniqueId id{};
    if (group.rank() == 0) SPECTHINK_CHECK_NCCL(ncclGetUniqueId(&id));
    group.broadcast(std::as_writable_bytes(std::span(&id, 1)));
    SPECTHINK_CHECK_NCCL(ncclCommInitRank(&comm_, group.size(), id, group.rank()));
    // From the watchdog's thread: kernels that wait for a rank that is gone end, and the GPU is free again.
    abort_hook_.emplace(group.failure_report(), [this] { ncclCommAbort(comm_); });
  }

  ~NcclCollectives() override {
    abort_hook_.reset();
    ncclCommDestroy(comm_);
  }

  void all_reduce(at::Tensor& tensor) override {
    if (ranks() == 1) return;
    check(tensor.is_contiguous(), "all_reduce needs a contiguous tensor");
    group_.count_collective();
    void* data = tensor.mutable_data_ptr();
    SPECTHINK_CHECK_NCCL(ncclAllReduce(data, data, static_cast<std::size_t>(tensor.numel()),
                                       nccl_type(tensor.scalar_type()), ncclSum, comm_,
                                       c10::cuda::getCurrentCUDAStream()));
  }

  void all_gather_into(at::Tensor& result, const at::Tensor& tensor) override {
    group_.count_collective();
    SPECTHINK_CHECK_NCCL(ncclAllGather(tensor.const_data_ptr(), result.mutable_data_ptr(), tensor.nbytes(), ncclInt8,
                                       comm_, c10::cuda::getCurrentCUDAStream()));
  }

 private:
  const ProcessGroup& group_;
  ncclComm_t comm_ = nullptr;
  std::optional<FailureReport::AbortHook> abort_hook_;
};

}  // namespace

std::unique_ptr<Collectives> make_nccl_collectives(const ProcessGroup& group, c10::Device device) {
  return std::make_unique<NcclCollectives>(group, device);
}

}  // namespace specthink::inline comm
