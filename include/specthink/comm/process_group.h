// Groups of ranks and the control messages between them (MPI).
//
// No code outside this module names the world communicator: a pair of models lives on a ProcessGroup, so that several
// groups can share one job.
#pragma once

#include <mpi.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "specthink/comm/failure_report.h"
#include "specthink/comm/fault.h"
#include "specthink/comm/rank_board.h"

namespace specthink::inline comm {

class NodeShare;
class Transport;

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

  // What the ranks of this node share; the same objects in every group.
  RankBoard& board() const;
  FailureReport& failure_report() const;
  std::atomic<std::uint32_t>& stop_flag() const;  ///< a stop signal to any of them; a signal handler may set it

  /// This rank now does something else, or has got on with it: RankBoard::publish().
  void mark(Phase phase, std::int64_t detail = 0) const;

  /// A collective that is only queued (on a GPU): counted, but nobody waits here.
  void count_collective() const;

  /// A failure that was asked for happens in mark(), at a collective, or where its phase is named by reach().
  void set_fault(const Fault& fault) const;
  void reach(FaultPhase phase) const;
  const std::optional<Fault>& fault() const;

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

  /// This rank enters and leaves a wait for others: the scope of one call.
  class Waiting {
   public:
    Waiting(const ProcessGroup& group, Wait wait);
    ~Waiting();
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    RankBoard& board_;
  };

  /// `share` is null for the world, which makes it.
  ProcessGroup(MPI_Comm comm, bool owned, std::shared_ptr<NodeShare> share);

  MPI_Comm comm_ = MPI_COMM_NULL;
  bool owned_ = false;
  int rank_ = 0;
  int size_ = 1;
  int local_rank_ = 0;
  int local_size_ = 1;
  int node_ = 0;
  std::shared_ptr<NodeShare> share_;
  std::unique_ptr<Transport> transport_;
};

/// MPI from construction to destruction. One per process.
class MpiSession {
 public:
  /// `joined`: a launcher waits for this process (is_joined()); otherwise MPI is to start without any help.
  explicit MpiSession(bool joined = true);
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  const ProcessGroup& world() const { return world_; }

  /// Library name and version in one line; works without a session.
  static std::string library_version();

 private:
  struct Start {
    explicit Start(bool joined);
  } start_;  // MPI must be up before the world group is made
  ProcessGroup world_;
};

/// Runs a start-up phase on every rank. When it throws anywhere, the lowest failing rank prints its message and every
/// rank throws ReportedError with that rank's exit code: nobody is left waiting in a later collective.
/// The phase must not contain a collective that a failing rank would leave out.
void together(const ProcessGroup& group, const std::function<void()>& phase);

}  // namespace specthink::inline comm
