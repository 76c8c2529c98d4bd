#include "app/doctor_checks.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <sstream>

#include "specthink/base/error.h"
#include "specthink/base/strings.h"

namespace specthink::doctor {
namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;
constexpr std::int64_t kLeastShm = 256 * kMiB;  // NCCL and MPI take some 10 MiB a rank; Docker gives 64 by default
constexpr std::int64_t kLeastLockedMemory = 64 * kMiB;  // what InfiniBand registers
constexpr std::int64_t kLeastOpenFiles = 1024;
constexpr double kSlowOnNode = 100;        // microseconds; NVLink takes 10 to 20, PCIe some 40
constexpr double kSlowBetweenNodes = 400;  // InfiniBand takes some 50, TCP more than this

std::string bytes_text(std::int64_t bytes) { return format_bytes(static_cast<std::uint64_t>(bytes)); }

std::string plural(std::size_t count, const char* noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string cuda_release(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

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
  if (!on_cpu) return check;
  for (const RankFacts& other : ranks) {
    if (other.threads <= other.cores) continue;
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

bool runs_on(const std::string& architectures, int compute_capability) {
  std::istringstream list(architectures);
  for (std::string entry; std::getline(list, entry, ',');) {
    if (entry == "native" || entry.starts_with("all")) return true;
    int built = 0;
    const auto [end, failure] = std::from_chars(entry.data(), entry.data() + entry.size(), built);
    if (failure != std::errc()) continue;
    const std::string_view suffix(end, static_cast<std::size_t>(entry.data() + entry.size() - end));
    if (suffix.starts_with('a')) {  // features of exactly this GPU
      if (built == compute_capability) return true;
      continue;
    }
    const bool has_binary = suffix.find("virtual") == suffix.npos;
    const bool has_ptx = suffix.find("real") == suffix.npos;  // compiled by the driver for any later GPU
    if (has_binary && built / 10 == compute_capability / 10 && built <= compute_capability) return true;
    if (has_ptx && built <= compute_capability) return true;
  }
  return false;
}

Check check_cuda(const CudaInfo& cuda, const std::string& architectures, Device device) {
  const bool wanted = device == Device::cuda;
  Check check{"CUDA", State::ok, "", ""};
  if (!cuda.is_built) {
    check.found = "this build has no CUDA code";
    if (wanted || cuda.has_driver) {
      check.state = wanted ? State::error : State::warning;
      check.advice = fmt::format("{}build with SPECTHINK_CUDA=ON ./launch/setup.sh",
                                 cuda.has_driver ? "there is an NVIDIA driver: " : "");
    }
    return check;
  }
  const std::string built = fmt::format("built with {} for {}", cuda_release(cuda.build_version), architectures);
  if (cuda.driver_version == 0) {
    check.found = fmt::format("{}, no usable driver{}", built, cuda.problem.empty() ? "" : " (" + cuda.problem + ")");
    check.state = wanted || cuda.has_driver ? State::error : State::warning;
    check.advice =
        "the models run on CPUs; for GPUs see that nvidia-smi works, in a container with docker run --gpus all or "
        "apptainer exec --nv";
    return check;
  }
  check.found = fmt::format("{}, driver {}{}, {}", built, cuda_release(cuda.driver_version),
                            cuda.driver_release.empty() ? "" : fmt::format(" ({})", cuda.driver_release),
                            plural(cuda.gpus.size(), "visible GPU"));
  if (cuda.driver_version / 1000 < cuda.build_version / 1000) {
    check.state = State::error;
    check.advice = fmt::format("the driver is too old: it runs CUDA {} at most; update it, or build with an older CUDA",
                               cuda_release(cuda.driver_version));
  } else if (cuda.runtime_version / 1000 != cuda.build_version / 1000) {
    check.state = State::error;
    check.advice = fmt::format("the CUDA runtime library that was loaded is {}: check LD_LIBRARY_PATH",
                               cuda_release(cuda.runtime_version));
  } else if (cuda.gpus.empty()) {
    check.state = wanted ? State::error : State::warning;
    check.found += cuda.problem.empty() ? "" : " (" + cuda.problem + ")";
    check.advice =
        "the models run on CPUs; for GPUs check nvidia-smi and CUDA_VISIBLE_DEVICES, and under Slurm that the "
        "job asks for GPUs (--gpus-per-node)";
  }
  return check;
}

Check check_gpu(int index, const GpuInfo& gpu, const std::string& architectures, double share) {
  Check check{fmt::format("GPU {}", index), State::ok, "", ""};
  check.found = fmt::format("{}, {}, {}", gpu.name, gpu.uuid, bytes_text(gpu.total_memory));
  if (gpu.free_memory >= 0) check.found += fmt::format(" ({} free)", bytes_text(gpu.free_memory));
  if (!runs_on(architectures, gpu.compute_capability)) {
    check.state = State::error;
    check.advice = fmt::format(
        "this build has no code for compute capability {}.{}: build with "
        "-DSPECTHINK_CUDA_ARCHITECTURES={}",
        gpu.compute_capability / 10, gpu.compute_capability % 10, gpu.compute_capability);
  } else if (gpu.free_memory >= 0 &&
             static_cast<double>(gpu.free_memory) < share * static_cast<double>(gpu.total_memory)) {
    check.state = State::warning;
    check.advice = fmt::format(
        "less is free than both models may take ({:.0f} %): end what else runs there (nvidia-smi), "
        "or lower --gpu-memory-utilization",
        100 * share);
  }
  return check;
}

std::vector<Check> check_links(const std::vector<GpuLink>& links) {
  if (links.empty()) return {};
  Check check{"GPU links", State::ok, "", ""};
  std::map<std::string, std::size_t> paths;
  std::vector<std::string> without_peer_access;
  for (const GpuLink& link : links) {
    ++paths[link.path + (link.type_is_known ? "" : " (guessed: no NVML)")];
    if (!link.peer_access) without_peer_access.push_back(fmt::format("{}-{}", link.a, link.b));
  }
  std::vector<std::string> texts;
  for (const auto& [path, pairs] : paths) texts.push_back(fmt::format("{}: {}", path, plural(pairs, "pair")));
  check.found = fmt::format("{}", fmt::join(texts, ", "));
  const bool all_nvlink = std::ranges::all_of(links, [](const GpuLink& link) { return link.nvlink; });
  if (!without_peer_access.empty()) {
    check.state = State::warning;
    check.found += fmt::format("; no peer access between {}", fmt::join(without_peer_access, ", "));
    check.advice =
        "every decode step goes through host memory: look for IOMMU or ACS settings of the host, or choose GPUs "
        "that are joined (nvidia-smi topo -m)";
  } else if (!all_nvlink) {
    check.state = State::warning;
    check.advice =
        "PCIe works, but each layer waits longer; choose GPUs that NVLink joins if there are (nvidia-smi topo -m)";
  } else {
    check.found += ", peer access everywhere";
  }
  return {check};
}

Check check_rank_gpus(const std::vector<RankFacts>& ranks) {
  Check check{"rank to GPU", State::ok, fmt::format("each of {} has its own", plural(ranks.size(), "rank")), ""};
  std::map<std::string, std::size_t> owner;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const RankFacts& facts = ranks[rank];
    const std::size_t gpus = facts.gpu_uuids.size();
    const auto index = gpus == 1 ? 0 : static_cast<std::size_t>(facts.local_rank);
    if (index >= gpus) {
      check.state = State::error;
      check.found = fmt::format("{} on {}, but {}", plural(static_cast<std::size_t>(facts.local_size), "rank"),
                                facts.host, plural(gpus, "visible GPU"));
      check.advice =
          "start as many ranks a node as there are GPUs; under Slurm --gpus-per-node must be --ntasks-per-node";
      return check;
    }
    const auto [first, is_new] = owner.emplace(facts.host + facts.gpu_uuids[index], rank);
    if (is_new) continue;
    check.state = State::error;
    check.found = fmt::format("ranks {} and {} are both on {}", first->second, rank, facts.gpu_uuids[index]);
    check.advice = "start fewer ranks, or check CUDA_VISIBLE_DEVICES and the task binding of Slurm (--gpu-bind=none)";
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

}  // namespace specthink::doctor
