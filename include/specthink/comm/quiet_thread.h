// Threads beside the main one.
#pragma once

#include <functional>
#include <thread>

namespace specthink::inline comm {

/// A thread that no signal interrupts: signals are for the main thread.
std::thread start_quiet_thread(std::function<void()> body);

}  // namespace specthink::inline comm
