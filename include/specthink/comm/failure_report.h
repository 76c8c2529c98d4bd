// What a failure means for the user, which rank says so, and how the job ends then.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "specthink/base/error.h"

namespace specthink::inline comm {

class ProcessGroup;

/// Exit code and message of a failure.
struct Failure {
  ExitCode code;
  std::string message;
};
Failure describe_current_exception();

/// Prints one line on stderr: `specthink: message`, with `rank R: ` before it in a group of several.
void report_failure(const std::string& message, int rank, int ranks);

/// A failure that one rank has printed already; all ranks end with its code.
class ReportedError : public Error {
 public:
  explicit ReportedError(ExitCode code) : Error(code, "") {}
};

class FailureReport {
 public:
  /// `claimed` is shared by the ranks of the node, 0 at first, and outlives the report.
  explicit FailureReport(std::atomic<std::uint32_t>& claimed) : claimed_(claimed) {}
  FailureReport(const FailureReport&) = delete;
  FailureReport& operator=(const FailureReport&) = delete;

  /// Called inside a catch block, for a failure that the other ranks do not know of and before anything is destroyed (a
  /// communicator whose ranks wait for this one cannot be). With a watchdog it does not return.
  void fail_now() const {
    if (handler_) handler_();
  }
  void set_handler(std::function<void()> handler) { handler_ = std::move(handler); }

  /// Ends the job with this code, whatever the ranks wait for. The first rank of the node that calls this prints the
  /// message, as one of `rank`, runs the abort hooks and aborts; the others end with it.
  [[noreturn]] void end_job(const ProcessGroup& world, int rank, const std::string& message, ExitCode code);

  /// A function that end_job() calls, from any thread, for as long as this object lives: it ends collectives on GPUs
  /// that would wait for ever.
  class AbortHook {
   public:
    AbortHook(FailureReport& report, std::function<void()> hook);
    ~AbortHook();
    AbortHook(const AbortHook&) = delete;
    AbortHook& operator=(const AbortHook&) = delete;

   private:
    FailureReport& report_;
    int id_;
  };

 private:
  void run_abort_hooks();

  std::atomic<std::uint32_t>& claimed_;
  std::function<void()> handler_;
  std::mutex hooks_mutex_;
  std::map<int, std::function<void()>> hooks_;
  int next_hook_ = 0;
};

}  // namespace specthink::inline comm
