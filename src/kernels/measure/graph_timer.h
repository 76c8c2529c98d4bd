// How long a CUDA graph takes; CUDA builds only, not for .cu files (fmt).
#pragma once

#include <algorithm>
#include <array>

#include "kernels/device/cuda_handles.h"

namespace specthink::inline kernels {

/// A point in a stream, for times.
class Event {
 public:
  Event() { check_cuda(cudaEventCreate(&event_), "cudaEventCreate"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(cudaStream_t stream) { check_cuda(cudaEventRecord(event_, stream), "cudaEventRecord"); }
  double seconds_since(const Event& start) const {
    float milliseconds = 0;
    check_cuda(cudaEventElapsedTime(&milliseconds, start.event_, event_), "cudaEventElapsedTime");
    return milliseconds / 1e3;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Seconds of a replay: once to warm up, then the median of five.
inline double seconds_of_graph(const Graph& graph, cudaStream_t stream) {
  constexpr std::size_t kReplays = 5;
  // Queued all at once: a graph's start on the host's side is hidden behind the replay before it.
  std::array<Event, kReplays + 1> ends;
  for (Event& end : ends) {
    graph.launch(stream);
    end.record(stream);
  }
  check_cuda(cudaStreamSynchronize(stream), "timing a graph");
  std::array<double, kReplays> seconds;
  for (std::size_t i = 0; i < kReplays; ++i) seconds[i] = ends[i + 1].seconds_since(ends[i]);
  std::sort(seconds.begin(), seconds.end());
  return seconds[kReplays / 2];
}

}  // namespace specthink::inline kernels
