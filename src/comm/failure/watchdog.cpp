#include "specthink/comm/watchdog.h"

#include <chrono>

#include "comm/failure/process_handle.h"
#include "comm/failure/stall_detector.h"
#include "specthink/comm/quiet_thread.h"

namespace specthink::inline comm {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A launcher that saw a rank die gives the others a second before it kills them: time for several looks.
constexpr milliseconds kTick{100};
constexpr milliseconds kGrace{300};  // for the end of another process to be seen
// Nodes that cannot name the rank let those speak first that can.
constexpr seconds kUnnamedDelay{2};

}  // namespace

Watchdog::Watchdog(const ProcessGroup& world, double collective_timeout) : world_(world), timeout_(collective_timeout) {
  const RankStatus& own = world_.board().own();
  for (const RankStatus* rank : world_.board().ranks()) {
    const bool comparable = rank != &own && rank->pid_namespace.load() == own.pid_namespace.load();
    processes_.push_back(comparable ? std::make_unique<ProcessHandle>(rank->pid.load()) : nullptr);
  }
  world_.board().beat();
  world_.barrier();
  if (world_.size() == 1) return;
  world_.failure_report().set_handler([this] { fail(describe_current_exception()); });
  thread_ = start_quiet_thread([this] { run(); });
}

Watchdog::~Watchdog() {
  world_.failure_report().set_handler({});
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stop_changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::vector<RankSnapshot> Watchdog::look() const {
  const std::vector<const RankStatus*> ranks = world_.board().ranks();
  std::vector<RankSnapshot> result;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    // Before the status is read: who says that it has finished may be gone right after.
    const bool gone = processes_[i] && processes_[i]->is_gone();
    result.push_back(snapshot(*ranks[i]));
    result.back().gone = gone;
  }
  return result;
}

void Watchdog::run() {
  RankBoard& board = world_.board();
  StallDetector detector({.own_rank = world_.rank(), .world_size = world_.size(), .timeout = timeout_});
  auto last = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (!stop_changed_.wait_for(lock, kTick, [this] { return stop_; })) {
    board.beat();
    const auto now = std::chrono::steady_clock::now();
    const double passed = std::chrono::duration<double>(now - last).count();
    last = now;
    detector.set_group_size(board.group_size());
    if (const auto finding = detector.look(look(), passed)) end_job(*finding, kExitEnvironment);
  }
}

void Watchdog::fail(const Failure& failure) {
  const RankSnapshot own = snapshot(world_.board().own());
  if (failure.code == kExitEnvironment) std::this_thread::sleep_for(kGrace);
  if (const auto gone = find_gone(look())) end_job(*gone, kExitEnvironment);
  end_job({world_.rank(), fmt::format("{}; last: {}", failure.message, describe(own))}, failure.code);
}

void Watchdog::end_job(const Finding& finding, ExitCode code) const {
  if (!finding.rank) std::this_thread::sleep_for(kUnnamedDelay);
  world_.failure_report().end_job(world_, finding.rank.value_or(world_.rank()), finding.message, code);
}

}  // namespace specthink::inline comm
