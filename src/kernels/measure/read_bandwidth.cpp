#include "specthink/kernels/read_bandwidth.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/measure/read_bandwidth_device.h"
#include "specthink/base/error.h"

namespace specthink::inline kernels {
namespace {

constexpr std::size_t kHostBytes = std::size_t{256} << 20;  // several times the caches of a CPU
constexpr int kHostPasses = 5;

/// Eight sums, so that the additions do not wait for each other.
std::uint64_t sum_of(const std::uint64_t* words, std::size_t count) {
  std::uint64_t sums[8] = {};
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) sums[lane] += words[i + lane];
  }
  for (; i < count; ++i) sums[0] += words[i];
  std::uint64_t sum = 0;
  for (const std::uint64_t part : sums) sum += part;
  return sum;
}

std::vector<double> time_host_passes() {
  const std::size_t count = kHostBytes / sizeof(std::uint64_t);
  const auto words = std::make_unique<std::uint64_t[]>(count);
  const auto length = static_cast<std::int64_t>(count);
  const std::int64_t grain = 1 << 20;
  // Pages that nobody has written share one page of zeros.
  at::parallel_for(0, length, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) words[static_cast<std::size_t>(i)] = static_cast<std::uint64_t>(i);
  });
  std::uint64_t expected = static_cast<std::uint64_t>(count) * (count - 1) / 2;
  std::vector<double> rates;
  for (int pass = 0; pass < kHostPasses; ++pass) {
    std::atomic<std::uint64_t> sum = 0;
    const auto start = std::chrono::steady_clock::now();
    at::parallel_for(0, length, grain, [&](std::int64_t begin, std::int64_t end) {
      sum += sum_of(words.get() + begin, static_cast<std::size_t>(end - begin));
    });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    check(sum == expected, "a pass over memory reads all of it");
    rates.push_back(static_cast<double>(kHostBytes) / seconds);
  }
  return rates;
}

}  // namespace

void throw_cuda_failure(const char* what, int status) {
  throw EnvironmentError("measuring the read bandwidth: {} failed with CUDA error {}", what, status);
}

void throw_no_memory_to_read(unsigned long long bytes) {
  throw EnvironmentError(
      "measuring the read bandwidth needs {} MiB of GPU memory beside the models, which are not there: lower "
      "--gpu-memory-utilization, or end what else runs on this GPU",
      bytes >> 20);
}

double measure_read_bandwidth(c10::Device device) {
  std::vector<double> rates;
  if (device.is_cuda()) rates = time_read_passes(device.index());
  if (device.is_cpu()) rates = time_host_passes();
  check(!rates.empty(), "the read bandwidth is measured on the CPU or a GPU");
  std::sort(rates.begin(), rates.end());
  return rates[rates.size() / 2];
}

}  // namespace specthink::inline kernels
