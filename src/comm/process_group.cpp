#include "specthink/comm/process_group.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

#include "comm/check_mpi.h"
#include "comm/node_share.h"
#include "comm/transport.h"

namespace specthink::inline comm {
namespace {

/// Where ranks share a core, the one that is waited for cannot run while another spins.
std::chrono::nanoseconds spin_time(int ranks_on_node) {
  const unsigned cores = std::thread::hardware_concurrency();  // that this process may use
  return static_cast<unsigned>(ranks_on_node) > cores ? std::chrono::nanoseconds(0) : kSpinTime;
}

/// While it lives, what libraries print to stdout goes to stderr: stdout is for results.
class StdoutToStderr {
 public:
  StdoutToStderr() : saved_(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)) {
    std::fflush(stdout);
    if (saved_ >= 0) ::dup2(STDERR_FILENO, STDOUT_FILENO);
  }
  ~StdoutToStderr() {
    if (saved_ < 0) return;
    std::fflush(stdout);
    ::dup2(saved_, STDOUT_FILENO);
    ::close(saved_);
  }
  StdoutToStderr(const StdoutToStderr&) = delete;
  StdoutToStderr& operator=(const StdoutToStderr&) = delete;

 private:
  int saved_;
};

}  // namespace

ProcessGroup::ProcessGroup(MPI_Comm comm, bool owned, std::shared_ptr<NodeShare> share)
    : comm_(comm), owned_(owned), share_(std::move(share)) {
  MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
  MPI_Comm_rank(comm_, &rank_);
  MPI_Comm_size(comm_, &size_);
  MPI_Comm node = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(comm_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &node), "MPI_Comm_split_type");
  MPI_Comm_rank(node, &local_rank_);
  MPI_Comm_size(node, &local_size_);
  node_ = rank_;
  MPI_Bcast(&node_, 1, MPI_INT, 0, node);
  if (!share_) share_ = NodeShare::create(node, rank_);
  MPI_Comm_free(&node);
  const auto ranks_on_node = static_cast<int>(share_->board.ranks().size());
  transport_ = make_shared_transport(comm_, spin_time(ranks_on_node));
  if (!transport_) transport_ = make_mpi_transport(comm_);
}

ProcessGroup::ProcessGroup(ProcessGroup&& other) noexcept { *this = std::move(other); }

ProcessGroup& ProcessGroup::operator=(ProcessGroup&& other) noexcept {
  std::swap(comm_, other.comm_);
  std::swap(owned_, other.owned_);
  rank_ = other.rank_;
  size_ = other.size_;
  local_rank_ = other.local_rank_;
  local_size_ = other.local_size_;
  node_ = other.node_;
  share_ = other.share_;
  std::swap(transport_, other.transport_);
  return *this;
}

RankBoard& ProcessGroup::board() const { return share_->board; }

FailureReport& ProcessGroup::failure_report() const { return share_->failure_report; }

std::atomic<std::uint32_t>& ProcessGroup::stop_flag() const { return share_->stop_flag; }

void ProcessGroup::set_fault(const Fault& fault) const { share_->fault = fault; }

const std::optional<Fault>& ProcessGroup::fault() const { return share_->fault; }

void ProcessGroup::reach(FaultPhase phase) const {
  if (!share_->fault) return;
  const std::lock_guard lock(share_->fault_mutex);
  share_->fault->reach(phase);
}

void ProcessGroup::mark(Phase phase, std::int64_t detail) const {
  share_->board.publish(phase, detail);
  switch (phase) {
    case Phase::start:
      return reach(FaultPhase::start);
    case Phase::load:
      return reach(FaultPhase::load);
    case Phase::prefill:
      return reach(FaultPhase::prefill);
    case Phase::decode:
      return reach(FaultPhase::decode);
    case Phase::input:
    case Phase::output:
    case Phase::idle:
    case Phase::finished:
      return;
  }
}

void ProcessGroup::count_collective() const {
  reach(FaultPhase::collective);
  share_->board.count_collective();
}

ProcessGroup::Waiting::Waiting(const ProcessGroup& group, Wait wait) : board_(group.board()) {
  if (wait != Wait::answer) group.reach(FaultPhase::collective);
  board_.begin_wait(wait);
}

ProcessGroup::Waiting::~Waiting() { board_.end_wait(); }

ProcessGroup::~ProcessGroup() {
  if (owned_ && comm_ != MPI_COMM_NULL) MPI_Comm_free(&comm_);
}

void ProcessGroup::broadcast(std::span<std::byte> data, int root) const {
  if (size_ == 1) return;
  const Waiting waiting(*this, Wait::broadcast);
  transport_->broadcast(data, root);
}

void ProcessGroup::broadcast(std::string& text, int root) const {
  std::uint64_t length = text.size();
  broadcast(std::as_writable_bytes(std::span(&length, 1)), root);
  text.resize(length);
  broadcast(std::as_writable_bytes(std::span(text)), root);
}

void ProcessGroup::all_gather(std::span<const std::byte> local, std::span<std::byte> result) const {
  check(result.size() == local.size() * static_cast<std::size_t>(size_), "all_gather: wrong size of the result");
  const Waiting waiting(*this, Wait::all_gather);
  transport_->all_gather(local, result);
}

std::vector<std::int64_t> ProcessGroup::all_gather(std::int64_t value) const {
  std::vector<std::int64_t> values(static_cast<std::size_t>(size_));
  all_gather(std::as_bytes(std::span(&value, 1)), std::as_writable_bytes(std::span(values)));
  return values;
}

std::vector<std::string> ProcessGroup::all_gather(const std::string& text) const {
  std::vector<std::string> texts(static_cast<std::size_t>(size_));
  for (int rank = 0; rank < size_; ++rank) {
    std::string& slot = texts[static_cast<std::size_t>(rank)];
    if (rank == rank_) slot = text;
    broadcast(slot, rank);
  }
  return texts;
}

void ProcessGroup::barrier() const {
  const Waiting waiting(*this, Wait::barrier);
  transport_->barrier();
}

ProcessGroup ProcessGroup::split(int color) const {
  const Waiting waiting(*this, Wait::split);
  MPI_Comm part = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split(comm_, color, rank_, &part), "MPI_Comm_split");
  return ProcessGroup(part, true, share_);
}

void ProcessGroup::abort(int exit_code) const {
  std::fflush(nullptr);
  MPI_Abort(comm_, exit_code);
  std::_Exit(exit_code);
}

MpiSession::Start::Start(bool joined) {
  const StdoutToStderr guard;
  // Without a launcher Open MPI would start a daemon of its own, and fail where that or a remote shell is not on PATH.
  if (!joined) ::setenv("OMPI_MCA_ess_singleton_isolated", "1", /*overwrite=*/0);
  int provided = MPI_THREAD_SINGLE;
  // Several threads: the watchdog ends the job while the main thread waits in a collective, and rank 0 serves the
  // groups of a benchmark while it computes.
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS) {
    throw EnvironmentError("MPI does not start: try `mpirun -np 1 hostname`, and see that one MPI is installed");
  }
}

MpiSession::MpiSession(bool joined) : start_(joined), world_(MPI_COMM_WORLD, false, nullptr) {}

MpiSession::~MpiSession() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (!finalized) MPI_Finalize();
}

std::string MpiSession::library_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string line(text, static_cast<std::size_t>(length));
  return line.substr(0, line.find_first_of(",\n"));
}

void together(const ProcessGroup& group, const std::function<void()>& phase) {
  Failure failure{kExitSuccess, ""};
  try {
    phase();
  } catch (...) {
    failure = describe_current_exception();
  }
  const std::vector<std::int64_t> codes = group.all_gather(static_cast<std::int64_t>(failure.code));
  for (int rank = 0; rank < group.size(); ++rank) {
    const auto code = static_cast<ExitCode>(codes[static_cast<std::size_t>(rank)]);
    if (code == kExitSuccess) continue;
    // A failure that all ranks share is the user's own matter: no rank number before it.
    const bool shared = static_cast<int>(codes.size()) == group.size() &&
                        std::all_of(codes.begin(), codes.end(), [&](std::int64_t other) { return other == code; });
    if (group.rank() == rank && !failure.message.empty())
      report_failure(failure.message, rank, shared ? 1 : group.size());
    group.barrier();  // the message is out before any rank leaves
    throw ReportedError(code);
  }
}

}  // namespace specthink::inline comm
