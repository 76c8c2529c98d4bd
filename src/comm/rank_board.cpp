#include "specthink/comm/rank_board.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <new>

namespace specthink::inline comm {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

}  // namespace

std::size_t RankBoard::bytes_for(int ranks) { return sizeof(RankStatus) * static_cast<std::size_t>(ranks); }

// Atomics of zeros are valid: the memory needs no construction that one process would do for the others.
RankBoard::RankBoard(std::byte* table, int index, int ranks)
    : table_(std::launder(reinterpret_cast<RankStatus*>(table))), size_(ranks), own_(table_ + index) {
  struct stat info {};
  if (::stat("/proc/self/ns/pid", &info) == 0) own_->pid_namespace.store(info.st_ino, kRelaxed);
  own_->pid.store(::getpid(), kRelaxed);
}

std::vector<const RankStatus*> RankBoard::ranks() const {
  std::vector<const RankStatus*> result;
  for (int index = 0; index < size_; ++index) result.push_back(table_ + index);
  return result;
}

void RankBoard::progress() {
  own_->since.store(std::chrono::steady_clock::now().time_since_epoch().count(), kRelaxed);
  own_->progress.fetch_add(1, kRelaxed);
}

void RankBoard::publish(Phase phase, std::int64_t detail) {
  own_->detail.store(detail, kRelaxed);
  own_->phase.store(phase, kRelaxed);
  progress();
}

void RankBoard::begin_wait(Wait wait) {
  if (wait != Wait::answer) own_->collectives.fetch_add(1, kRelaxed);
  own_->wait.store(wait, kRelaxed);
  progress();
}

void RankBoard::end_wait() {
  own_->wait.store(Wait::none, kRelaxed);
  progress();
}

void RankBoard::count_collective() {
  own_->collectives.fetch_add(1, kRelaxed);
  progress();
}

void RankBoard::beat() { own_->beat.fetch_add(1, kRelaxed); }

void RankBoard::set_group(int group, int size) {
  own_->group.store(group, kRelaxed);
  group_size_.store(size, kRelaxed);
}

}  // namespace specthink::inline comm
