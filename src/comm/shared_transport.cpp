#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "comm/shared_memory.h"
#include "comm/transport.h"

namespace specthink::inline comm {
namespace {

using Clock = std::chrono::steady_clock;
using Word = std::atomic<std::uint32_t>;
static_assert(sizeof(Word) == sizeof(std::uint32_t) && Word::is_always_lock_free, "the kernel waits on it");

/// What a rank tells the others. Collectives are numbered, 1 being the first; longer ones are cut into parts with a
/// number each.
struct alignas(128) Row {
  Word written{0};   ///< the last one in which this rank had nothing left to write
  Word finished{0};  ///< the last one that this rank has left
  Word sleepers{0};  ///< ranks that sleep until one of the two changes
  Word core{0};      ///< where this rank ran when it last changed one of them
};

constexpr std::size_t kPartBytes = std::size_t{64} << 10;

/// Buffers take turns, so that a rank may write its next part while others still read the last one.
constexpr std::uint32_t kBuffers = 2;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

bool has_reached(const Word& word, std::uint32_t number) {
  return static_cast<std::int32_t>(word.load(std::memory_order_acquire) - number) >= 0;  // numbers wrap around
}

std::uint32_t current_core() { return static_cast<std::uint32_t>(::sched_getcpu()); }

void futex(Word& word, int operation, std::uint32_t value) {
  ::syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

class SharedTransport final : public Transport {
 public:
  static std::size_t bytes_for(int ranks) {
    return static_cast<std::size_t>(ranks) * (sizeof(Row) + kBuffers * kPartBytes);
  }

  SharedTransport(SharedMemory memory, int rank, int ranks, std::chrono::nanoseconds spin_time)
      : memory_(std::move(memory)),
        rows_(std::launder(static_cast<Row*>(memory_.data())), static_cast<std::size_t>(ranks)),
        buffers_(static_cast<std::byte*>(memory_.data()) + rows_.size_bytes()),
        rank_(static_cast<std::size_t>(rank)),
        spin_time_(spin_time) {}

  void broadcast(std::span<std::byte> data, int root) override {
    const auto from = static_cast<std::size_t>(root);
    while (!data.empty()) {
      const auto part = data.first(std::min(data.size(), kPartBytes));
      ++number_;
      if (from == rank_) {
        write(part);
      } else {
        wait_for(rows_[from].written, rows_[from], number_);
        std::memcpy(part.data(), buffer_of(from), part.size());
      }
      set(rows_[rank_].finished);
      data = data.subspan(part.size());
    }
  }

  void all_gather(std::span<const std::byte> local, std::span<std::byte> result) override {
    for (std::size_t begin = 0; begin < local.size(); begin += kPartBytes) {
      const auto part = local.subspan(begin, std::min(local.size() - begin, kPartBytes));
      ++number_;
      write(part);
      for (std::size_t from = 0; from < rows_.size(); ++from) {
        wait_for(rows_[from].written, rows_[from], number_);
        std::memcpy(result.data() + from * local.size() + begin, buffer_of(from), part.size());
      }
      set(rows_[rank_].finished);
    }
  }

  void barrier() override {
    ++number_;
    set(rows_[rank_].written);
    for (Row& row : rows_) wait_for(row.written, row, number_);
    set(rows_[rank_].finished);
  }

 private:
  std::byte* buffer_of(std::size_t rank) const {
    return buffers_ + (number_ % kBuffers * rows_.size() + rank) * kPartBytes;
  }

  void write(std::span<const std::byte> part) {
    for (Row& row : rows_) {
      if (&row != &rows_[rank_]) wait_for(row.finished, row, number_ - kBuffers);
    }
    std::memcpy(buffer_of(rank_), part.data(), part.size());
    set(rows_[rank_].written);
  }

  // Either this rank sees the sleeper or the sleeper sees the new value: both sides write one word before they read the
  // other, in an order that all see alike.
  void set(Word& word) {
    rows_[rank_].core.store(current_core(), std::memory_order_relaxed);
    word.store(number_, std::memory_order_seq_cst);
    if (rows_[rank_].sleepers.load(std::memory_order_seq_cst) != 0) futex(word, FUTEX_WAKE, INT_MAX);
  }

  void wait_for(Word& word, Row& row, std::uint32_t number) {
    if (has_reached(word, number) || spin(word, row, number)) return;
    row.sleepers.fetch_add(1, std::memory_order_seq_cst);
    while (true) {
      const std::uint32_t seen = word.load(std::memory_order_seq_cst);
      if (has_reached(word, number)) break;
      futex(word, FUTEX_WAIT, seen);  // returns at once when the word is another by now
    }
    row.sleepers.fetch_sub(1, std::memory_order_relaxed);
  }

  /// False when the rank of that row has not come in time, or could not as long as this one has its core.
  bool spin(const Word& word, const Row& row, std::uint32_t number) const {
    if (row.core.load(std::memory_order_relaxed) == current_core()) return false;
    constexpr int kLooksPerTime = 32;
    const auto end = Clock::now() + spin_time_;
    do {
      for (int look = 0; look < kLooksPerTime; ++look) {
        if (has_reached(word, number)) return true;
        pause();
      }
    } while (Clock::now() < end);
    return false;
  }

  SharedMemory memory_;
  std::span<Row> rows_;  // [ranks]
  std::byte* buffers_;   // [kBuffers, ranks, kPartBytes]
  std::size_t rank_;
  std::chrono::nanoseconds spin_time_;
  std::uint32_t number_ = 0;  // of the collective that this rank is in
};

}  // namespace

std::unique_ptr<Transport> make_shared_transport(MPI_Comm comm, std::chrono::nanoseconds spin_time) {
  int rank = 0;
  int ranks = 1;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  std::optional<SharedMemory> memory = SharedMemory::share(comm, SharedTransport::bytes_for(ranks));
  if (!memory) return nullptr;
  return std::make_unique<SharedTransport>(std::move(*memory), rank, ranks, spin_time);
}

}  // namespace specthink::inline comm
