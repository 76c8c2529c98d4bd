#include "app/doctor/checks.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "app/doctor/text.h"
#include "specthink/base/error.h"

namespace specthink::inline app::doctor {
namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;
constexpr std::int64_t kLeastShm = 256 * kMiB;  // NCCL and MPI take some 10 MiB a rank; Docker gives 64 by default
constexpr std::int64_t kLeastLockedMemory = 64 * kMiB;  // what InfiniBand registers
constexpr std::int64_t kLeastOpenFiles = 1024;
constexpr double kSlowOnNode = 100;        // microseconds; NVLink takes 10 to 20, PCIe some 40
constexpr double kSlowBetweenNodes = 400;  // InfiniBand takes some 50, TCP more than this

// Ranks of each node, in the order in which the nodes first appear.
std::vector<std::pair<std::string, std::size_t>> ranks_of_nodes(const std::vector<RankFacts>& ranks) {
  std::vector<std::pair<std::string, std::size_t>> nodes;
  for (const RankFacts& rank : ranks) {
    const auto node = std::ranges::find(nodes, rank.host, &std::pair<std::string, std::size_t>::first);
    if (node == nodes.end())
      nodes.emplace_back(rank.host, 1);
    else
      ++node->second;
  }
  return nodes;
}

}  // namespace

const char* name_of(State state) {
  switch (state) {
    case State::ok:
      return "ok";
    case State::warning:
      return "warning";
    case State::error:
      return "error";
  }
  throw InternalError("unknown state of a check");
}

OrderedJson to_json(const Check& check) {
  return {{"check", check.name}, {"state", name_of(check.state)}, {"found", check.found}, {"advice", check.advice}};
}

Check parse_check(const Json& json) {
  Check check{json.at("check"), State::ok, json.at("found"), json.at("advice")};
  for (const State state : {State::warning, State::error}) {
    if (json.at("state") == name_of(state)) check.state = state;
  }
  return check;
}

Check check_mpi(const std::string& version, const std::vector<RankFacts>& ranks, Launcher launcher) {
  const auto nodes = ranks_of_nodes(ranks);
  std::vector<std::string> names;
  for (const auto& [host, count] : nodes) names.push_back(fmt::format("{}: {}", host, count));
  const char* started = launcher == Launcher::mpirun ? ", started by mpirun"
                        : launcher == Launcher::srun ? ", started by srun"
                                                     : ", started without mpirun";
  Check check{"MPI", State::ok,
              fmt::format("{}; {} on {} ({}){}", version, plural(ranks.size(), "rank"), plural(nodes.size(), "node"),
                          fmt::join(names, ", "), started),
              ""};
  const auto [least, most] = std::ranges::minmax(nodes, {}, &std::pair<std::string, std::size_t>::second);
  if (least.second != most.second) {
    check.state = State::warning;
    check.advice =
        "nodes have different numbers of ranks: give --ntasks-per-node (srun) or --map-by ppr:N:node (mpirun)";
  }
  return check;
}

Check check_cores(const std::vector<RankFacts>& ranks, bool on_cpu) {
  const RankFacts& rank = ranks.at(0);
  Check check{
      "CPU", State::ok,
      fmt::format("{} for each of {} on the node, {} a rank", plural(static_cast<std::size_t>(rank.cores), "core"),
                  plural(static_cast<std::size_t>(rank.local_size), "rank"),
                  plural(static_cast<std::size_t>(rank.threads), "thread")),
      ""};
  for (const RankFacts& other : ranks) {
    if (!on_cpu && other.cores == 1) {
      check.state = State::warning;
      check.found = fmt::format("a rank on {} has 1 core", other.host);
      check.advice =
          "threads that read the weights take turns there, which takes several times as long: mpirun --bind-to none, "
          "srun --cpus-per-task=8";
      return check;
    }
    if (!on_cpu || other.threads <= other.cores) continue;
    check.state = State::warning;
    check.found =
        fmt::format("a rank on {} has {} for its {}", other.host, plural(static_cast<std::size_t>(other.cores), "core"),
                    plural(static_cast<std::size_t>(other.threads), "thread"));
    check.advice =
        "the threads wait for each other: mpirun --bind-to none, srun --cpus-per-task=N, or a smaller "
        "OMP_NUM_THREADS";
    return check;
  }
  return check;
}

Check check_all_reduce(double microseconds, bool correct, const std::string& library, bool on_cpu, bool one_node) {
  Check check{"all-reduce", State::ok, fmt::format("{}, 10 KB in {:.1f} us", library, microseconds), ""};
  if (!correct) {
    check.state = State::error;
    check.found += ", and the sum is wrong";
    check.advice = on_cpu
                       ? "the ranks do not run the same MPI: see the MPI line"
                       : "GPUs exchange wrong data: try NCCL_P2P_DISABLE=1, and report it to whoever runs the machine";
  } else if (!on_cpu && microseconds > (one_node ? kSlowOnNode : kSlowBetweenNodes)) {
    check.state = State::warning;
    check.advice =
        one_node ? "NVLink takes 10 to 20 us: NCCL_DEBUG=INFO shows the path that was chosen; is NCCL_P2P_DISABLE "
                   "set, or does the container lack --ipc=host?"
                 : "the network is slow: NCCL_DEBUG=INFO shows whether InfiniBand is used (NET/IB) or sockets, "
                   "NCCL_SOCKET_IFNAME and NCCL_IB_HCA choose";
  }
  return check;
}

Limits read_limits() {
  Limits limits;
  const auto limit_of = [](auto resource) {
    rlimit limit{};
    const bool known = getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    return known ? static_cast<std::int64_t>(limit.rlim_cur) : -1;
  };
  limits.locked_memory = limit_of(RLIMIT_MEMLOCK);
  limits.open_files = limit_of(RLIMIT_NOFILE);
  struct statvfs shm {};
  if (statvfs("/dev/shm", &shm) == 0) {
    limits.shm_total = static_cast<std::int64_t>(shm.f_blocks) * static_cast<std::int64_t>(shm.f_frsize);
    limits.shm_free = static_cast<std::int64_t>(shm.f_bavail) * static_cast<std::int64_t>(shm.f_frsize);
  }
  return limits;
}

std::vector<Check> check_limits(const Limits& limits, int local_ranks, bool on_gpu, bool one_node) {
  const auto text = [](std::int64_t limit) { return limit < 0 ? std::string("unlimited") : bytes_text(limit); };
  Check memlock{"memlock", State::ok, text(limits.locked_memory), ""};
  if (on_gpu && !one_node && limits.locked_memory >= 0 && limits.locked_memory <= kLeastLockedMemory) {
    memlock.state = State::warning;
    memlock.advice =
        "InfiniBand pins memory: ulimit -l unlimited (Slurm: PropagateResourceLimitsExcept=MEMLOCK; Docker: "
        "--ulimit memlock=-1)";
  }
  Check shm{"/dev/shm", State::ok,
            fmt::format("{} free of {}", bytes_text(limits.shm_free), bytes_text(limits.shm_total)), ""};
  if (local_ranks > 1 && limits.shm_free < kLeastShm) {
    shm.state = State::warning;
    shm.advice = "ranks of a node talk through it: docker run --ipc=host or --shm-size=1g, or remove old files there";
  }
  Check files{"open files", State::ok, limits.open_files < 0 ? "unlimited" : std::to_string(limits.open_files), ""};
  if (limits.open_files >= 0 && limits.open_files < kLeastOpenFiles) {
    files.state = State::warning;
    files.advice = fmt::format("models of many files and NCCL may need more: ulimit -n {}", 4 * kLeastOpenFiles);
  }
  return {memlock, shm, files};
}

std::string to_text(const Check& check) {
  constexpr int kNameWidth = 12;
  std::string text = fmt::format("{:<8} {:<{}} {}\n", name_of(check.state), check.name, kNameWidth, check.found);
  if (!check.advice.empty()) text += fmt::format("{:<8} {:<{}} -> {}\n", "", "", kNameWidth, check.advice);
  return text;
}

State worst(const std::vector<Check>& checks) {
  State state = State::ok;
  for (const Check& check : checks) state = std::max(state, check.state);
  return state;
}

std::string summary_text(const std::vector<Check>& checks) {
  const auto count = [&](State state) {
    return static_cast<std::size_t>(std::ranges::count(checks, state, &Check::state));
  };
  return fmt::format("\n{}, {}\n", plural(count(State::error), "error"), plural(count(State::warning), "warning"));
}

}  // namespace specthink::inline app::doctor
