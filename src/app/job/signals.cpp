#include "app/job/signals.h"

#include <csignal>

namespace specthink::inline app {
namespace {

// Signal handlers take no argument of ours.
std::atomic<std::atomic<std::uint32_t>*> flag{nullptr};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free, "set in a signal handler");

extern "C" void on_stop_signal(int) {
  if (std::atomic<std::uint32_t>* current = flag.load()) current->store(1);
}

}  // namespace

StopSignals::StopSignals(std::atomic<std::uint32_t>& node_flag) {
  flag.store(&node_flag);
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

// The handlers stay and do nothing: a signal during the last moments must not change the exit code.
StopSignals::~StopSignals() { flag.store(nullptr); }

bool stop_requested() {
  const std::atomic<std::uint32_t>* current = flag.load();
  return current && current->load() != 0;
}

}  // namespace specthink::inline app
