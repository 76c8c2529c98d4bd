// What a build without CUDA code has in place of GPUs: there are none. CMake chooses this file or the CUDA ones.
#include "comm/gpu/gpu.h"
#include "comm/gpu/nccl_collectives.h"
#include "specthink/base/error.h"

namespace specthink::inline comm {
namespace {

/// Callers count first.
[[noreturn]] void no_gpu(const char* what) {
  throw InternalError("this build has no CUDA code, but {} was called", what);
}

}  // namespace

namespace gpu {

int count() { return 0; }
const char* why_none() { return "this build has no CUDA code; build with -DSPECTHINK_CUDA=ON"; }
void use(int) { no_gpu("gpu::use"); }
void use_own_stream(int) { no_gpu("gpu::use_own_stream"); }
std::string name(int) { no_gpu("gpu::name"); }
std::string uuid(int) { no_gpu("gpu::uuid"); }
std::int64_t total_memory(int) { no_gpu("gpu::total_memory"); }
std::int64_t free_memory(int) { no_gpu("gpu::free_memory"); }
void release_unused_memory() { no_gpu("gpu::release_unused_memory"); }
at::Tensor pinned_memory(std::int64_t) { no_gpu("gpu::pinned_memory"); }
void synchronize(int) { no_gpu("gpu::synchronize"); }
std::string cuda_version() { return "none"; }
std::string nccl_version() { return "none"; }
CudaInfo inspect() { return {}; }

}  // namespace gpu

std::unique_ptr<Collectives> make_nccl_collectives(const ProcessGroup&, c10::Device) {
  no_gpu("make_nccl_collectives");
}

}  // namespace specthink::inline comm
