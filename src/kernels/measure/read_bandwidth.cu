// Reads a buffer through the bulk-copy engine and throws it away. One block per SM keeps a ring of copies in flight,
// which is what the weight streams of the decode kernels do: their limit. GPUs without that engine use ordinary loads.
#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/device/hopper.cuh"
#include "kernels/device/hopper.h"
#include "kernels/device/launch.h"
#include "kernels/device/ptx.cuh"
#include "kernels/measure/read_bandwidth_device.h"

namespace specthink::inline kernels {
namespace {

constexpr std::uint32_t kCopyBytes = 32 * 1024;  // of one bulk copy; smaller ones than 16 KiB lose speed
constexpr int kSlots = 6;                        // 192 KiB in flight on each SM
constexpr std::uint32_t kBarrierBytes = 128;     // before the slots, and their alignment
constexpr std::uint32_t kSharedBytes = kBarrierBytes + kSlots * kCopyBytes;

constexpr std::size_t kLeastBufferBytes = std::size_t{256} << 20;  // several times the L2 cache

static_assert(kSlots * sizeof(std::uint64_t) <= kBarrierBytes, "the barriers lie before the slots");

/// Block b reads copies [b·n/blocks, (b+1)·n/blocks) of the n copies in the buffer. One thread is enough: it only
/// starts copies and waits for them; nobody reads what arrives, so that a slot is free as soon as it is full.
__global__ void __launch_bounds__(32) read_all(const unsigned char* buffer, std::int64_t copies) {
#if SPECTHINK_HOPPER_CODE
  extern __shared__ __align__(128) unsigned char shared[];
  if (threadIdx.x != 0) return;
  const std::uint32_t barriers = ptx::shared_address(shared);
  const std::uint32_t slots = barriers + kBarrierBytes;
  const std::uint64_t policy = ptx::evict_first_policy();
  const std::int64_t first = copies * blockIdx.x / gridDim.x;
  const std::int64_t last = copies * (blockIdx.x + 1) / gridDim.x;
  for (int slot = 0; slot < kSlots; ++slot) ptx::barrier_init(barriers + slot * sizeof(std::uint64_t), 1);
  ptx::barrier_init_fence();

  const auto start_copy = [&](std::int64_t copy, int slot) {
    const std::uint32_t barrier = barriers + slot * static_cast<std::uint32_t>(sizeof(std::uint64_t));
    ptx::barrier_arrive_and_expect(barrier, kCopyBytes);
    ptx::bulk_copy(slots + slot * kCopyBytes, buffer + copy * kCopyBytes, kCopyBytes, barrier, policy);
  };
  std::int64_t next = first;
  for (int slot = 0; slot < kSlots && next < last; ++slot) start_copy(next++, slot);
  int slot = 0;
  std::uint32_t parity = 0;
  for (std::int64_t copy = first; copy < last; ++copy) {
    ptx::barrier_wait(barriers + slot * static_cast<std::uint32_t>(sizeof(std::uint64_t)), parity);
    if (next < last) start_copy(next++, slot);
    if (++slot == kSlots) {
      slot = 0;
      parity ^= 1;
    }
  }
#endif
}

constexpr int kLoadThreads = 512;
constexpr int kLoads = 8;  // that a thread has in flight

/// The same copies by 16-byte loads; `sink` keeps the compiler from leaving them out.
__global__ void __launch_bounds__(kLoadThreads) load_all(const uint4* buffer, std::int64_t vectors, unsigned* sink) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * kLoadThreads;
  unsigned seen = 0;
  for (std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kLoadThreads + threadIdx.x; first < vectors;
       first += kLoads * stride) {
    uint4 loaded[kLoads] = {};
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      if (first + i * stride < vectors) loaded[i] = __ldcs(buffer + first + i * stride);
    }
#pragma unroll
    for (const uint4& words : loaded) seen |= words.x ^ words.y ^ words.z ^ words.w;
  }
  if (seen == 1) *sink = seen;  // never: all bytes of the buffer are alike
}

void require(cudaError_t status, const char* what) {
  if (status != cudaSuccess) {
    cudaGetLastError();
    throw_cuda_failure(what, static_cast<int>(status));
  }
}

/// As much as there is of what is wanted.
class Buffer {
 public:
  explicit Buffer(std::size_t wanted) {
    const std::size_t least = std::min(wanted, kLeastBufferBytes);
    for (bytes_ = wanted; bytes_ >= least; bytes_ /= 2) {
      if (cudaMalloc(&data_, bytes_) == cudaSuccess) return;
      cudaGetLastError();
    }
    throw_no_memory_to_read(least);
  }
  ~Buffer() { cudaFree(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

class Event {
 public:
  Event() { require(cudaEventCreate(&event_), "cudaEventCreate"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  operator cudaEvent_t() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

class Stream {
 public:
  Stream() { require(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate"); }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

}  // namespace

std::vector<double> time_read_passes(int device, const ReadPasses& passes) {
  require(cudaSetDevice(device), "cudaSetDevice");
  require(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  int multiprocessors = 0;
  require(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device), "cudaDeviceGetAttribute");
  const bool bulk = has_hopper_code(device);
  if (bulk) {
    require(cudaFuncSetAttribute(read_all, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(kSharedBytes)),
            "cudaFuncSetAttribute");
  }
  const Buffer buffer(passes.buffer_bytes);
  const Stream stream;
  const Event begin;
  const Event end;
  // Memory that was never written may be compressed or not be there.
  require(cudaMemsetAsync(buffer.data(), 0x5A, buffer.bytes(), stream), "cudaMemset");
  const auto copies = static_cast<std::int64_t>(buffer.bytes() / kCopyBytes);

  std::vector<double> rates;
  for (int pass = 0; pass < passes.warm_up + passes.timed; ++pass) {
    require(cudaEventRecord(begin, stream), "cudaEventRecord");
    if (bulk) {
      read_all<<<multiprocessors, 32, kSharedBytes, stream>>>(static_cast<const unsigned char*>(buffer.data()), copies);
    } else {
      load_all<<<4 * multiprocessors, kLoadThreads, 0, stream>>>(
          static_cast<const uint4*>(buffer.data()), static_cast<std::int64_t>(buffer.bytes() / sizeof(uint4)),
          static_cast<unsigned*>(buffer.data()));
    }
    check_launch("read_all");
    require(cudaEventRecord(end, stream), "cudaEventRecord");
    require(cudaEventSynchronize(end), "read_all");
    float milliseconds = 0;
    require(cudaEventElapsedTime(&milliseconds, begin, end), "cudaEventElapsedTime");
    if (pass >= passes.warm_up) rates.push_back(1e3 * static_cast<double>(buffer.bytes()) / milliseconds);
  }
  return rates;
}

}  // namespace specthink::inline kernels
