// Threads beside the main one.
#pragma once

#include <functional>
#include <thread>
#include <vector>

namespace specthink::inline comm {

/// A thread that no signal interrupts: signals are for the main thread. Throws std::system_error.
std::thread start_quiet_thread(std::function<void()> body);

/// So many threads with the same body, or as many as the system starts.
std::vector<std::thread> start_quiet_threads(int count, const std::function<void()>& body);

}  // namespace specthink::inline comm
