// How fast a device reads its memory: the limit of every decode step of few rows.
#pragma once

#include <c10/core/Device.h>

namespace specthink::inline kernels {

/// Bytes per second, the median of several passes over a buffer much larger than the caches. On a GPU by bulk copies
/// (cp.async.bulk) into shared memory, which read faster than loads do; on a CPU by a plain streaming read with all of
/// torch's threads. The buffer is a device allocation of its own, given back at the end. Waits for the device.
///
/// Throws EnvironmentError when the device has no memory left for it.
double measure_read_bandwidth(c10::Device device);

}  // namespace specthink::inline kernels
