// What a replay measures of the ranks' devices. Both are collective over the group.
#pragma once

#include <cstdint>
#include <vector>

#include "specthink/comm/device.h"
#include "specthink/comm/process_group.h"
#include "specthink/replay/report.h"

namespace specthink::inline replay {

/// Bytes per second that each rank can read of its device's memory, all at the same time.
std::vector<double> measure_read_bandwidths(const ProcessGroup& group, c10::Device device);

/// The memory of each rank's GPU, of which the models were given `planned_bytes` on this rank; none on CPUs.
std::vector<RankMemory> gather_memory(const ProcessGroup& group, c10::Device device, std::int64_t planned_bytes);

}  // namespace specthink::inline replay
