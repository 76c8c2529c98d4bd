// Owners of CUDA objects, and the check of a call; CUDA builds only, not for .cu files (fmt).
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "specthink/base/error.h"

namespace specthink::inline kernels {

inline void check_cuda(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  cudaGetLastError();
  throw EnvironmentError("CUDA: {}: {}", call, cudaGetErrorString(status));
}

/// Host memory that the device can read and write.
template <typename T>
class MappedArray {
 public:
  explicit MappedArray(std::size_t count) {
    void* data = nullptr;
    check_cuda(cudaHostAlloc(&data, count * sizeof(T), cudaHostAllocMapped), "cudaHostAlloc");
    data_ = static_cast<T*>(data);
    for (std::size_t i = 0; i < count; ++i) data_[i] = T{};
  }
  ~MappedArray() { cudaFreeHost(data_); }
  MappedArray(const MappedArray&) = delete;
  MappedArray& operator=(const MappedArray&) = delete;

  T* data() const { return data_; }
  /// The element as the device last wrote it.
  T load(std::size_t index) const { return *static_cast<const volatile T*>(data_ + index); }
  void store(std::size_t index, T value) { *static_cast<volatile T*>(data_ + index) = value; }

 private:
  T* data_ = nullptr;
};

/// An executable graph of what `body` queues on `stream`.
class Graph {
 public:
  template <typename Body>
  Graph(cudaStream_t stream, Body&& body) {
    check_cuda(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
    cudaGraph_t graph = nullptr;
    try {
      body();
    } catch (...) {
      cudaStreamEndCapture(stream, &graph);
      if (graph) cudaGraphDestroy(graph);
      cudaGetLastError();
      throw;
    }
    check_cuda(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
    const cudaError_t status = cudaGraphInstantiate(&graph_, graph, 0);
    cudaGraphDestroy(graph);
    check_cuda(status, "cudaGraphInstantiate");
    check_cuda(cudaGraphUpload(graph_, stream), "cudaGraphUpload");
  }
  Graph(Graph&& other) noexcept : graph_(std::exchange(other.graph_, nullptr)) {}
  Graph& operator=(Graph&&) = delete;
  ~Graph() {
    if (graph_) cudaGraphExecDestroy(graph_);
  }

  void launch(cudaStream_t stream) const { check_cuda(cudaGraphLaunch(graph_, stream), "cudaGraphLaunch"); }

 private:
  cudaGraphExec_t graph_ = nullptr;
};

}  // namespace specthink::inline kernels
