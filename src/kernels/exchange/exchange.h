// How the partial sums of a sharded matrix product reach every rank inside the decode kernels.
//
// The linear layer's last instructions store its partial sums into a receive buffer of every rank; the next linear
// layer reads the partials of all ranks from its own GPU's buffer and adds them in rank order, so that every rank gets
// the same bits. There are no flags: a buffer is filled with kNotYet, and a word that differs has arrived. (kNotYet is
// a NaN that no arithmetic instruction produces.)
//
// A step uses its buffers in a fixed order of exchange slots: 0 is the embedding, then two a layer. Slot 0 has a buffer
// of its own, the others take turns over kTurns. Who reads slot p fills the buffer of slot p - 1 with kNotYet again:
// its readers have all ended by then, and no rank writes to it before it has received what this rank sends after that.
#pragma once

#include <cstdint>

namespace specthink::inline kernels {

constexpr int kMaxExchangeRanks = 8;
constexpr int kTurns = 4;
constexpr int kExchangeBuffers = kTurns + 1;
constexpr std::uint32_t kNotYet = 0xffffffffu;

constexpr int buffer_of_slot(int slot) { return slot == 0 ? kTurns : slot % kTurns; }

/// Ends a wait for words that do not come: the other rank is dead or stuck.
struct SpinLimit {
  std::uint32_t* failed = nullptr;       ///< device memory; set to 1 when a wait was given up, later waits end at once
  const std::uint32_t* abort = nullptr;  ///< host memory; the host sets it to 1 to end every wait
  std::uint64_t nanoseconds = 0;         ///< a wait lasts no longer
};

/// What a kernel reads: one partial sum of each rank, [ranks][rows · hidden] float32.
struct ReceivedPartials {
  const float* data = nullptr;  ///< of rank 0
  std::int64_t rank_stride = 0;
  int ranks = 1;
  float* reset = nullptr;  ///< buffer of the slot before this one, same layout; null: nothing to reset
};

/// Where a kernel sends its partial sums.
struct SentPartials {
  float* to[kMaxExchangeRanks] = {};  ///< this rank's part of each rank's buffer, [rows · hidden]
  int ranks = 1;
};

}  // namespace specthink::inline kernels
