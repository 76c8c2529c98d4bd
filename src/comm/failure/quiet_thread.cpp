#include "specthink/comm/quiet_thread.h"

#include <csignal>
#include <exception>
#include <system_error>
#include <utility>

namespace specthink::inline comm {

std::thread start_quiet_thread(std::function<void()> body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // a thread inherits the mask of its creator
  std::thread thread;
  std::exception_ptr failure;
  try {
    thread = std::thread(std::move(body));
  } catch (...) {
    failure = std::current_exception();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (failure) std::rethrow_exception(failure);
  return thread;
}

std::vector<std::thread> start_quiet_threads(int count, const std::function<void()>& body) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  try {
    while (std::cmp_less(threads.size(), count)) threads.push_back(start_quiet_thread(body));
  } catch (const std::system_error&) {
    // A limit on threads or memory.
  }
  return threads;
}

}  // namespace specthink::inline comm
