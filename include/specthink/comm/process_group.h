// Groups of ranks and the control messages between them (MPI).
//
// No code outside this module names the world communicator: a pair of models lives on a ProcessGroup, so that several
// groups can share one job.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "specthink/base/error.h"
#include "specthink/comm/job_state.h"

namespace specthink {

class ProcessGroup {
 public:
  ProcessGroup(ProcessGroup&& other) noexcept;
  ProcessGroup& operator=(ProcessGroup&& other) noexcept;
  ~ProcessGroup();

  int rank() const { return rank_; }
  int size() const { return size_; }

  /// Rank among the processes of this group on the same node, and how many they are.
  int local_rank() const { return local_rank_; }
  int local_size() const { return local_size_; }

  /// The lowest rank of this group on the same node: a name of the node.
  int node() const { return node_; }

  /// What this process says of itself to the others of its node; the same object in every group.
  JobState& job() const { return *job_; }
  void mark(Phase phase, std::int64_t detail = 0) const { job_->mark(phase, detail); }

  /// Root's bytes reach every rank; all pass the same length.
  void broadcast(std::span<std::byte> data, int root = 0) const;
  void broadcast(std::string& text, int root = 0) const;

  /// Every rank's value, in rank order.
  std::vector<std::int64_t> all_gather(std::int64_t value) const;
  std::vector<std::string> all_gather(const std::string& text) const;

  /// Every rank's bytes, concatenated in rank order; all pass the same length. `result` holds size() times as many.
  void all_gather(std::span<const std::byte> local, std::span<std::byte> result) const;

  void barrier() const;

  /// A new group of the ranks that pass the same color, ordered by rank.
  ProcessGroup split(int color) const;

  /// Ends the whole job at once with this exit code.
  [[noreturn]] void abort(int exit_code) const;

 private:
  friend class MpiSession;
  friend class Mailbox;
  ProcessGroup(MPI_Comm comm, bool owned, std::shared_ptr<JobState> job);

  MPI_Comm comm_ = MPI_COMM_NULL;
  bool owned_ = false;
  int rank_ = 0;
  int size_ = 1;
  int local_rank_ = 0;
  int local_size_ = 1;
  int node_ = 0;
  std::shared_ptr<JobState> job_;
};

/// MPI from construction to destruction. One per process.
class MpiSession {
 public:
  MpiSession();
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  const ProcessGroup& world() const { return world_; }

  /// Library name and version in one line; works without a session.
  static std::string library_version();

 private:
  struct Start {
    Start();
  } start_;  // MPI must be up before the world group is made
  ProcessGroup world_;
};

/// A failure that one rank has printed already; all ranks end with its code.
class ReportedError : public Error {
 public:
  explicit ReportedError(ExitCode code) : Error(code, "") {}
};

/// Runs a start-up phase on every rank. When it throws anywhere, the lowest failing rank prints its message and every
/// rank throws ReportedError with that rank's exit code: nobody is left waiting in a later collective.
/// The phase must not contain a collective that a failing rank would leave out.
void together(const ProcessGroup& group, const std::function<void()>& phase);

/// Prints one line on stderr: `specthink: message`, with `rank R: ` before it in a group of several.
void report_failure(const std::string& message, int rank, int ranks);

/// What a failure means for the user: exit code and message of any exception.
struct Failure {
  ExitCode code;
  std::string message;
};
Failure describe_current_exception();

}  // namespace specthink
