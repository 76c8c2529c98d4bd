// How the bytes of a group's collectives travel between its ranks on CPUs. A rank that waits for another spins for a
// moment only, then it gives its core away: on a busy machine the other one may need it.
#pragma once

#include <mpi.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>

namespace specthink::inline comm {

/// All ranks call the same operations in the same order, from one thread at a time.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Root's bytes reach every rank; all pass the same length.
  virtual void broadcast(std::span<std::byte> data, int root) = 0;

  /// Every rank's bytes, concatenated in rank order; all pass the same length.
  virtual void all_gather(std::span<const std::byte> local, std::span<std::byte> result) = 0;

  virtual void barrier() = 0;
};

/// How long a wait spins at first. About what it costs to sleep and to be woken: a shorter wait is then no slower than
/// one that only spins, and a longer one takes at most twice the time of one that sleeps at once.
constexpr std::chrono::microseconds kSpinTime{50};

/// Shared memory; null on every rank where the ranks of `comm` are on several nodes or cannot share memory. Collective.
std::unique_ptr<Transport> make_shared_transport(MPI_Comm comm, std::chrono::nanoseconds spin_time);

/// MPI, polled. `comm` outlives it.
std::unique_ptr<Transport> make_mpi_transport(MPI_Comm comm);

}  // namespace specthink::inline comm
