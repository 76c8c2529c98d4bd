#include "specthink/comm/collectives.h"

#include <ATen/ATen.h>

#include "comm/gpu/nccl_collectives.h"

namespace specthink::inline comm {
namespace {

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

std::span<std::byte> writable_bytes_of(at::Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.mutable_data_ptr()), tensor.nbytes()};
}

/// Sums are formed from gathered parts in rank order: MPI_Allreduce may add in another order on another rank, and ranks
/// that differ in the last bit sample different tokens.
class CpuCollectives final : public Collectives {
 public:
  explicit CpuCollectives(const ProcessGroup& group) : Collectives(group.rank(), group.size()), group_(group) {}

  void all_reduce(at::Tensor& tensor) override {
    if (ranks() == 1) return;
    const at::Tensor parts = all_gather(tensor);  // [ranks, ...]
    if (tensor.scalar_type() == at::kFloat) {
      at::add_out(tensor, parts[0], parts[1]);
      for (int rank = 2; rank < ranks(); ++rank) tensor.add_(parts[rank]);
      return;
    }
    at::Tensor sum = parts[0].to(at::kFloat);
    for (int rank = 1; rank < ranks(); ++rank) sum.add_(parts[rank].to(at::kFloat));
    tensor.copy_(sum);
  }

  void all_gather_into(at::Tensor& result, const at::Tensor& tensor) override {
    group_.all_gather(bytes_of(tensor), writable_bytes_of(result));
  }

 private:
  const ProcessGroup& group_;
};

}  // namespace

at::Tensor Collectives::all_gather(const at::Tensor& tensor) {
  check(tensor.is_contiguous(), "all_gather needs a contiguous tensor");
  std::vector<std::int64_t> shape = tensor.sizes().vec();
  shape.insert(shape.begin(), ranks());
  at::Tensor result = at::empty(shape, tensor.options());
  all_gather_into(result, tensor);
  return result;
}

std::unique_ptr<Collectives> Collectives::create(const ProcessGroup& group, c10::Device device) {
  if (device.is_cuda()) return make_nccl_collectives(group, device);
  check(device.is_cpu(), "computations run on GPUs or CPUs");
  return std::make_unique<CpuCollectives>(group);
}

}  // namespace specthink::inline comm
