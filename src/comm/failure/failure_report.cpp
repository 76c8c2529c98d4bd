#include "specthink/comm/failure_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "specthink/comm/process_group.h"

namespace specthink::inline comm {
namespace {

constexpr std::chrono::seconds kAbortTime{3};  // MPI_Abort and hooks may themselves wait for what is broken

/// The process ends with this code even if nothing else works any more.
void exit_after(std::chrono::seconds time, ExitCode code) {
  std::thread([time, code] {
    std::this_thread::sleep_for(time);
    std::_Exit(code);
  }).detach();
}

// Out of memory on the host or the GPU reaches us as exceptions of libraries that we do not name here.
bool is_out_of_memory(const std::string& message) {
  return std::ranges::any_of(std::array{"out of memory", "not enough memory", "allocate memory"},
                             [&](const char* words) { return message.find(words) != std::string::npos; });
}

}  // namespace

void report_failure(const std::string& message, int rank, int ranks) {
  const std::string prefix = ranks > 1 ? fmt::format("specthink: rank {}: ", rank) : "specthink: ";
  std::string line = prefix + message;
  // Libraries write several lines, and what a message quotes from a file may hold escape sequences.
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7F; };
  std::ranges::replace_if(line, is_control, ' ');
  line += '\n';
  // One write, so that the lines of several ranks do not mix.
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

Failure describe_current_exception() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.exit_code(), error.what()};
  } catch (const std::bad_alloc&) {
    return {kExitEnvironment, "out of host memory: use a smaller model, a smaller --max-model-len or more ranks"};
  } catch (const std::system_error& error) {
    const bool is_short =
        error.code() == std::errc::resource_unavailable_try_again || error.code() == std::errc::not_enough_memory;
    if (is_short) {  // of a thread that cannot be started
      return {kExitEnvironment, fmt::format("the system refuses a thread or memory ({}): raise its limits (ulimit -u, "
                                            "ulimit -v), or use fewer ranks on this machine",
                                            error.what())};
    }
    return {kExitInternal, fmt::format("{} (this is a bug in specthink, please report it)", error.what())};
  } catch (const std::exception& error) {
    const std::string what = error.what();
    const std::string message = what.substr(0, what.find('\n'));  // libraries add their stack
    if (is_out_of_memory(message)) {
      return {kExitEnvironment,
              "out of memory: lower --gpu-memory-utilization or --max-model-len, or use more ranks (" + message + ")"};
    }
    return {kExitInternal, message + " (this is a bug in specthink, please report it)"};
  } catch (...) {
    return {kExitInternal, "unknown exception"};
  }
}

void FailureReport::end_job(const ProcessGroup& world, int rank, const std::string& message, ExitCode code) {
  std::uint32_t none = 0;
  if (claimed_.compare_exchange_strong(none, 1)) {
    report_failure(message, rank, world.size());
    exit_after(kAbortTime, code);
    run_abort_hooks();
    world.abort(code);
  }
  // Another rank of the node ends the job; should it fail to, this process ends all the same.
  std::this_thread::sleep_for(2 * kAbortTime);
  std::_Exit(code);
}

FailureReport::AbortHook::AbortHook(FailureReport& report, std::function<void()> hook) : report_(report) {
  const std::lock_guard lock(report_.hooks_mutex_);
  id_ = report_.next_hook_++;
  report_.hooks_.emplace(id_, std::move(hook));
}

FailureReport::AbortHook::~AbortHook() {
  const std::lock_guard lock(report_.hooks_mutex_);
  report_.hooks_.erase(id_);
}

void FailureReport::run_abort_hooks() {
  const std::lock_guard lock(hooks_mutex_);
  for (const auto& [id, hook] : hooks_) hook();
}

}  // namespace specthink::inline comm
