#include "specthink/comm/process_group.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <optional>
#include <utility>

#include "comm/check_mpi.h"
#include "comm/shared_memory.h"

namespace specthink {
namespace {

using Waiting = JobState::Waiting;

/// A status that all processes of a node see. Where they cannot share memory each has its own, and only the launcher
/// notices that one of them is gone.
std::shared_ptr<JobState> share_job_state(const ProcessGroup& node) {
  const std::size_t bytes = JobState::bytes_for(node.size());
  std::optional<SharedMemory> memory = node.rank() == 0 ? SharedMemory::create(bytes) : std::nullopt;
  std::string name = memory ? memory->name() : "";
  node.broadcast(name);
  if (node.rank() > 0 && !name.empty()) {
    if (auto opened = SharedMemory::open(name, bytes)) memory.emplace(std::move(*opened));
  }
  bool everywhere = true;
  for (const std::int64_t has_memory : node.all_gather(std::int64_t{memory.has_value()})) everywhere &= has_memory != 0;
  if (!everywhere) return std::make_shared<JobState>();
  memory->remove_name();  // all have opened it
  return std::make_shared<JobState>(std::move(*memory), node.rank(), node.size());
}

// Out of memory on the host or the GPU reaches us as exceptions of libraries that we do not name here.
bool is_out_of_memory(const std::string& message) {
  return message.find("out of memory") != std::string::npos || message.find("not enough memory") != std::string::npos;
}

}  // namespace

ProcessGroup::ProcessGroup(MPI_Comm comm, bool owned, std::shared_ptr<JobState> job)
    : comm_(comm), owned_(owned), job_(std::move(job)) {
  MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
  MPI_Comm_rank(comm_, &rank_);
  MPI_Comm_size(comm_, &size_);
  MPI_Comm node = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(comm_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &node), "MPI_Comm_split_type");
  MPI_Comm_rank(node, &local_rank_);
  MPI_Comm_size(node, &local_size_);
  node_ = rank_;
  MPI_Bcast(&node_, 1, MPI_INT, 0, node);
  MPI_Comm_free(&node);
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
  job_ = other.job_;
  return *this;
}

ProcessGroup::~ProcessGroup() {
  if (owned_ && comm_ != MPI_COMM_NULL) MPI_Comm_free(&comm_);
}

void ProcessGroup::broadcast(std::span<std::byte> data, int root) const {
  if (size_ == 1) return;
  const Waiting waiting(*job_, Wait::broadcast);
  check_mpi(MPI_Bcast(data.data(), to_count(data.size()), MPI_BYTE, root, comm_), "MPI_Bcast");
}

void ProcessGroup::broadcast(std::string& text, int root) const {
  std::uint64_t length = text.size();
  broadcast(std::as_writable_bytes(std::span(&length, 1)), root);
  text.resize(length);
  broadcast(std::as_writable_bytes(std::span(text)), root);
}

void ProcessGroup::all_gather(std::span<const std::byte> local, std::span<std::byte> result) const {
  check(result.size() == local.size() * static_cast<std::size_t>(size_), "all_gather: wrong size of the result");
  const int count = to_count(local.size());
  const Waiting waiting(*job_, Wait::all_gather);
  check_mpi(MPI_Allgather(local.data(), count, MPI_BYTE, result.data(), count, MPI_BYTE, comm_), "MPI_Allgather");
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
  const Waiting waiting(*job_, Wait::barrier);
  check_mpi(MPI_Barrier(comm_), "MPI_Barrier");
}

ProcessGroup ProcessGroup::split(int color) const {
  const Waiting waiting(*job_, Wait::split);
  MPI_Comm part = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split(comm_, color, rank_, &part), "MPI_Comm_split");
  return ProcessGroup(part, true, job_);
}

void ProcessGroup::abort(int exit_code) const {
  std::fflush(nullptr);
  MPI_Abort(comm_, exit_code);
  std::_Exit(exit_code);
}

MpiSession::Start::Start() {
  int provided = MPI_THREAD_SINGLE;
  // Several threads: the watchdog ends the job while the main thread waits in a collective, and rank 0 serves the
  // groups of a benchmark while it computes.
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS) {
    throw EnvironmentError("MPI does not start: try `mpirun -np 1 hostname`, and see that one MPI is installed");
  }
}

MpiSession::MpiSession() : world_(MPI_COMM_WORLD, false, std::make_shared<JobState>()) {
  world_.job_ = share_job_state(world_.split(world_.node()));
  world_.job_->own().rank.store(world_.rank());
}

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

void report_failure(const std::string& message, int rank, int ranks) {
  const std::string prefix = ranks > 1 ? fmt::format("specthink: rank {}: ", rank) : "specthink: ";
  std::string line = prefix + message;
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');  // of libraries' messages
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

}  // namespace specthink
