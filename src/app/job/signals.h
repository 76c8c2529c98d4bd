// The graceful stop: SIGUSR1 (mpirun and Slurm forward it) and SIGTERM.
#pragma once

#include <atomic>
#include <cstdint>

namespace specthink::inline app {

/// As long as it lives these signals only set a flag; the run ends at the next request. On every rank. `node_flag` is
/// one that the ranks of the node share: a signal to any of them reaches the one that asks.
class StopSignals {
 public:
  explicit StopSignals(std::atomic<std::uint32_t>& node_flag);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
};

/// True after a signal to this rank or to another one of its node.
bool stop_requested();

}  // namespace specthink::inline app
