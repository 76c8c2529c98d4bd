// The graceful stop: SIGUSR1 (mpirun and Slurm forward it) and SIGTERM.
#pragma once

namespace specthink {

/// From now on these signals only set a flag; the run ends at the next request. On every rank.
void catch_stop_signals();

bool stop_requested();

}  // namespace specthink
