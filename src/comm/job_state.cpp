#include "specthink/comm/job_state.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <new>
#include <utility>

#include "comm/shared_memory.h"

namespace specthink {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr std::size_t kHeaderBytes = alignof(RankStatus);

}  // namespace

JobState::JobState() : JobState(SharedMemory::make_private(bytes_for(1)), 0, 1) {}

JobState::JobState(SharedMemory memory, int index, int size)
    : memory_(std::make_unique<SharedMemory>(std::move(memory))), size_(size), own_(statuses() + index) {
  static_assert(sizeof(Header) <= kHeaderBytes);
  struct stat info {};
  if (::stat("/proc/self/ns/pid", &info) == 0) own_->pid_namespace.store(info.st_ino, kRelaxed);
  own_->pid.store(::getpid(), kRelaxed);
}

JobState::~JobState() = default;

std::size_t JobState::bytes_for(int ranks) {
  return kHeaderBytes + sizeof(RankStatus) * static_cast<std::size_t>(ranks);
}

// Atomics of zeros are valid: the memory needs no construction that one process would do for the others.
JobState::Header& JobState::header() const { return *std::launder(static_cast<Header*>(memory_->data())); }
RankStatus* JobState::statuses() const {
  return std::launder(reinterpret_cast<RankStatus*>(static_cast<std::byte*>(memory_->data()) + kHeaderBytes));
}

std::vector<const RankStatus*> JobState::ranks() const {
  std::vector<const RankStatus*> result;
  for (int index = 0; index < size_; ++index) result.push_back(statuses() + index);
  return result;
}

void JobState::tick() {
  own_->since.store(std::chrono::steady_clock::now().time_since_epoch().count(), kRelaxed);
  own_->progress.fetch_add(1, kRelaxed);
}

void JobState::mark(Phase phase, std::int64_t detail) {
  own_->detail.store(detail, kRelaxed);
  own_->phase.store(phase, kRelaxed);
  tick();
  if (!fault_) return;
  switch (phase) {
    case Phase::start:
      return fault_->reach(FaultPhase::start);
    case Phase::load:
      return fault_->reach(FaultPhase::load);
    case Phase::prefill:
      return fault_->reach(FaultPhase::prefill);
    case Phase::decode:
      return fault_->reach(FaultPhase::decode);
    case Phase::input:
    case Phase::idle:
    case Phase::finished:
      return;
  }
}

JobState::Waiting::Waiting(JobState& job, Wait wait) : job_(job) {
  if (wait != Wait::answer) {
    job.reach(FaultPhase::collective);
    job.own_->collectives.fetch_add(1, kRelaxed);
  }
  job.own_->wait.store(wait, kRelaxed);
  job.tick();
}

JobState::Waiting::~Waiting() {
  job_.own_->wait.store(Wait::none, kRelaxed);
  job_.tick();
}

void JobState::count_collective() {
  reach(FaultPhase::collective);
  own_->collectives.fetch_add(1, kRelaxed);
  tick();
}

void JobState::set_group(int group, int size) {
  own_->group.store(group, kRelaxed);
  group_size_.store(size, kRelaxed);
}

void JobState::beat() { own_->beat.fetch_add(1, kRelaxed); }

bool JobState::claim_report() {
  std::uint32_t none = 0;
  return header().reported.compare_exchange_strong(none, 1);
}

bool JobState::is_reported() const { return header().reported.load() != 0; }

std::atomic<std::uint32_t>& JobState::stop_flag() { return header().stop; }

int JobState::add_abort_hook(std::function<void()> hook) {
  const std::lock_guard lock(hooks_mutex_);
  hooks_.emplace(next_hook_, std::move(hook));
  return next_hook_++;
}

void JobState::remove_abort_hook(int id) {
  const std::lock_guard lock(hooks_mutex_);
  hooks_.erase(id);
}

void JobState::run_abort_hooks() {
  const std::lock_guard lock(hooks_mutex_);
  for (const auto& [id, hook] : hooks_) hook();
}

}  // namespace specthink
