#include "specthink/replay/machine.h"

#include <bit>
#include <cstddef>

#include "specthink/kernels/read_bandwidth.h"

namespace specthink::inline replay {

std::vector<double> measure_read_bandwidths(const ProcessGroup& group, c10::Device device) {
  group.barrier();  // ranks that share a memory read it at the same time, as they do in a step
  double rate = 0;
  together(group, [&] { rate = measure_read_bandwidth(device); });
  std::vector<double> rates;
  for (const std::int64_t bits : group.all_gather(std::bit_cast<std::int64_t>(rate))) {
    rates.push_back(std::bit_cast<double>(bits));
  }
  return rates;
}

std::vector<RankMemory> gather_memory(const ProcessGroup& group, c10::Device device, std::int64_t planned_bytes) {
  const std::int64_t total = total_memory(device);
  const auto planned = group.all_gather(planned_bytes);
  const auto in_use = group.all_gather(total - free_memory(device));
  const auto totals = group.all_gather(total);
  if (total == 0) return {};
  std::vector<RankMemory> memory;
  for (std::size_t rank = 0; rank < planned.size(); ++rank) {
    memory.push_back({planned[rank], in_use[rank], totals[rank]});
  }
  return memory;
}

}  // namespace specthink::inline replay
