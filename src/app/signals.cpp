#include "app/signals.h"

#include <csignal>

namespace specthink {
namespace {

volatile std::sig_atomic_t requested = 0;

extern "C" void on_stop_signal(int) { requested = 1; }

}  // namespace

void catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool stop_requested() { return requested != 0; }

}  // namespace specthink
