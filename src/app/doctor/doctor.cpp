// specthink doctor: what this machine offers, and what is wrong with it, on one screen.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "app/commands.h"
#include "app/doctor/checks.h"
#include "app/job/job.h"
#include "specthink/base/stopwatch.h"
#include "specthink/comm/collectives.h"
#include "specthink/comm/device.h"
#include "specthink/comm/launcher.h"
#include "specthink/comm/rank_groups.h"
#include "specthink/model/memory_plan.h"

namespace specthink::inline app {
namespace {

using doctor::Check;
using doctor::Launcher;
using doctor::RankFacts;
using doctor::State;

constexpr std::int64_t kElements = 5120;  // 10 KB of bfloat16: what a layer of Qwen3-32B sums in a decode step
constexpr int kWarmUpRounds = 20;
constexpr int kRounds = 200;

RankFacts facts_of_this_rank(const ProcessGroup& group, const CudaInfo& cuda) {
  RankFacts facts;
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  facts.host = host;
  facts.local_rank = group.local_rank();
  facts.local_size = group.local_size();
  cpu_set_t cores;
  CPU_ZERO(&cores);
  facts.cores = sched_getaffinity(0, sizeof cores, &cores) == 0 ? std::max(1, CPU_COUNT(&cores)) : 1;
  // As a job with models shares the cores among the ranks of a node.
  facts.threads = std::getenv("OMP_NUM_THREADS") ? at::get_num_threads() : std::max(1, facts.cores / facts.local_size);
  for (const GpuInfo& gpu : cuda.gpus) facts.gpu_uuids.push_back(gpu.uuid);
  return facts;
}

std::vector<RankFacts> gather(const ProcessGroup& group, const RankFacts& mine) {
  const Json json{mine.host, mine.local_rank, mine.local_size, mine.cores, mine.threads, mine.gpu_uuids};
  std::vector<RankFacts> ranks;
  for (const std::string& text : group.all_gather(json.dump())) {
    const Json rank = parse_json(text, "facts of a rank");
    ranks.push_back({rank[0], rank[1], rank[2], rank[3], rank[4], rank[5]});
  }
  return ranks;
}

// Before MPI starts: Open MPI sets variables of a launcher for a process that has none.
Launcher find_launcher() {
  if (std::getenv("OMPI_COMM_WORLD_RANK")) return Launcher::mpirun;
  return started_by_launcher() ? Launcher::srun : Launcher::none;
}

std::int64_t available_host_memory() {
  std::ifstream info("/proc/meminfo");
  std::string key;
  for (std::int64_t kibibytes = 0; info >> key >> kibibytes; info.ignore(256, '\n')) {
    if (key == "MemAvailable:") return kibibytes << 10;
  }
  return 0;
}

/// What differs from node to node, found by the first rank of each.
std::vector<Check> check_node(const RankGroups& groups, const Settings& settings, const CudaInfo& cuda,
                              Launcher launcher, bool on_cpu, bool one_node) {
  const ProcessGroup& world = groups.world();
  std::vector<Check> checks{doctor::check_cuda(cuda, SPECTHINK_CUDA_ARCHITECTURES, settings.models.device)};
  const ModelSettings& models = settings.models;
  const auto& shares = models.gpu_memory_utilization;
  const double share = shares ? (*shares)[0] + (models.draft ? (*shares)[1] : 0) : kAutomaticUtilization;
  std::int64_t gpu_memory = 0;
  for (std::size_t i = 0; i < cuda.gpus.size(); ++i) {
    const GpuInfo& gpu = cuda.gpus[i];
    checks.push_back(doctor::check_gpu(static_cast<int>(i), gpu, SPECTHINK_CUDA_ARCHITECTURES, share));
    gpu_memory = gpu_memory == 0 ? gpu.total_memory : std::min(gpu_memory, gpu.total_memory);
  }
  std::ranges::move(doctor::check_links(cuda.links), std::back_inserter(checks));
  std::ranges::move(doctor::check_limits(doctor::read_limits(), world.local_size(), !on_cpu, one_node),
                    std::back_inserter(checks));

  // One process is not how a job on several GPUs runs: it is asked about as many of them as surely divide the heads.
  const int gpus = static_cast<int>(std::bit_floor(cuda.gpus.size()));
  doctor::Machine machine;
  machine.ranks = launcher != Launcher::none || on_cpu ? groups.own().size() : std::max(1, gpus);
  machine.gpu_memory = on_cpu ? 0 : gpu_memory;
  machine.host_memory = available_host_memory();
  machine.local_ranks = world.local_size();
  const int count = models.draft ? 2 : 1;
  if (models.target.empty()) {
    checks.push_back({"models", State::ok, "none given: --config, --target and --draft have them checked, too", ""});
  } else {
    std::ranges::move(doctor::check_model(Role::target, models.target, models, count, machine),
                      std::back_inserter(checks));
  }
  if (models.draft) {
    std::ranges::move(doctor::check_model(Role::draft, *models.draft, models, count, machine),
                      std::back_inserter(checks));
  }
  return checks;
}

/// Rank 0's node as it is; of the others, what is not as it should be.
std::vector<Check> gather_nodes(const ProcessGroup& group, const std::vector<Check>& mine, const std::string& host) {
  Json list = Json::array();
  for (const Check& check : mine) list.push_back(Json(doctor::to_json(check)));
  const std::vector<std::string> texts =
      group.all_gather(Json{host, list}.dump(-1, ' ', false, Json::error_handler_t::replace));
  std::vector<Check> checks;
  for (std::size_t rank = 0; rank < texts.size(); ++rank) {
    const Json node = parse_json(texts[rank], "checks of a node");
    for (const Json& json : node[1]) {
      Check check = doctor::parse_check(json);
      if (rank > 0 && check.state == State::ok) continue;
      if (rank > 0) check.found = node[0].get<std::string>() + ": " + check.found;
      checks.push_back(std::move(check));
    }
  }
  return checks;
}

struct AllReduceTiming {
  double microseconds = 0;
  bool correct = false;
};

AllReduceTiming time_all_reduce(const ProcessGroup& group, c10::Device device) {
  const auto collectives = Collectives::create(group, device);
  at::Tensor ones = at::ones({kElements}, at::TensorOptions().dtype(at::kBFloat16).device(device));
  collectives->all_reduce(ones);
  AllReduceTiming result;
  result.correct = (ones == group.size()).all().item<bool>();
  at::Tensor zeros = at::zeros_like(ones);
  for (int round = 0; round < kWarmUpRounds; ++round) collectives->all_reduce(zeros);
  synchronize(device);
  group.barrier();
  const Stopwatch watch;
  for (int round = 0; round < kRounds; ++round) collectives->all_reduce(zeros);
  synchronize(device);
  result.microseconds = 1e6 * watch.seconds() / kRounds;
  return result;
}

/// Every group times its own; rank 0 reports that of its group, and any that fails.
Check check_collectives(const RankGroups& groups, bool on_cpu) {
  const std::string library = on_cpu ? "MPI on CPUs" : "NCCL " + nccl_version();
  const ProcessGroup& group = groups.own();
  if (group.size() == 1) {
    return {"all-reduce", State::ok, library + "; timed with several ranks only: mpirun -np N specthink doctor", ""};
  }
  const c10::Device device = select_device(groups.world(), on_cpu ? DeviceChoice::cpu : DeviceChoice::cuda);
  AllReduceTiming result;
  std::string failure;
  try {
    result = time_all_reduce(group, device);
  } catch (...) {
    failure = describe_current_exception().message;
  }
  const std::vector<std::string> failures = groups.world().all_gather(failure);
  for (std::size_t rank = 0; rank < failures.size(); ++rank) {
    if (failures[rank].empty()) continue;
    return {"all-reduce", State::error, fmt::format("rank {}: {}", rank, failures[rank]),
            on_cpu ? "" : "NCCL_DEBUG=INFO shows what NCCL tried"};
  }
  bool correct = true;
  for (const std::int64_t rank_is_correct : groups.world().all_gather(static_cast<std::int64_t>(result.correct))) {
    correct &= rank_is_correct != 0;
  }
  const bool one_node = group.local_size() == group.size();
  return doctor::check_all_reduce(result.microseconds, correct, library, on_cpu, one_node);
}

/// How --tp divides the ranks.
Check check_groups(const RankGroups& groups) {
  const bool crosses = groups.own().local_size() < groups.own().size();
  std::int64_t crossing = 0;  // ranks
  for (const std::int64_t rank_crosses : groups.world().all_gather(static_cast<std::int64_t>(crosses))) {
    crossing += rank_crosses;
  }
  Check check{"groups", State::ok, fmt::format("{} of {} ranks", groups.count(), groups.own().size()), ""};
  if (crossing == 0) return check;
  check.state = State::warning;
  check.found += fmt::format(", {} of them over several nodes", crossing / groups.own().size());
  check.advice = "sums of such a group go over the network: start a multiple of --tp ranks on each node";
  return check;
}

/// Prints as it finds, so that a check that hangs or aborts is the one after the last line.
class Screen {
 public:
  Screen(bool is_root, bool as_json) : prints_(is_root && !as_json) {}

  void add(Check check) {
    if (prints_) std::cout << doctor::to_text(check) << std::flush;
    checks_.push_back(std::move(check));
  }

  const std::vector<Check>& checks() const { return checks_; }

 private:
  bool prints_;
  std::vector<Check> checks_;
};

// The lines, and for programs the GPUs of rank 0's node as data.
std::string as_json(const std::vector<Check>& checks, int ranks, const CudaInfo& cuda) {
  OrderedJson list = OrderedJson::array();
  for (const Check& check : checks) list.push_back(doctor::to_json(check));
  OrderedJson gpus = OrderedJson::array();
  for (const GpuInfo& gpu : cuda.gpus) {
    gpus.push_back({{"name", gpu.name},
                    {"uuid", gpu.uuid},
                    {"compute_capability", gpu.compute_capability},
                    {"total_memory", gpu.total_memory},
                    {"free_memory", gpu.free_memory < 0 ? OrderedJson() : OrderedJson(gpu.free_memory)},
                    {"nvlinks", gpu.nvlinks < 0 ? OrderedJson() : OrderedJson(gpu.nvlinks)}});
  }
  OrderedJson links = OrderedJson::array();
  for (const GpuLink& link : cuda.links) {
    links.push_back(
        {{"gpus", {link.a, link.b}}, {"peer_access", link.peer_access}, {"nvlink", link.nvlink}, {"path", link.path}});
  }
  const OrderedJson json{{"state", doctor::name_of(doctor::worst(checks))},
                         {"ranks", ranks},
                         {"checks", list},
                         {"gpus", gpus},
                         {"gpu_links", links}};
  return to_line(json) + "\n";
}

int examine(const ProcessGroup& group, const Settings& settings, Launcher launcher) {
  const RankGroups groups(group, settings.models.tp);
  const CudaInfo cuda = inspect_cuda();
  const std::vector<RankFacts> ranks = gather(group, facts_of_this_rank(group, cuda));
  const bool one_node = std::ranges::all_of(ranks, [&](const RankFacts& rank) { return rank.host == ranks[0].host; });
  // The rule of select_device(): GPUs when every rank sees one.
  const bool everywhere = std::ranges::none_of(ranks, [](const RankFacts& rank) { return rank.gpu_uuids.empty(); });
  const bool on_cpu = settings.models.device == Device::cpu || !everywhere;

  const bool is_root = group.rank() == 0;
  const bool prints_json = settings.format == Format::json;
  Screen screen(is_root, prints_json);
  screen.add(doctor::check_mpi(MpiSession::library_version(), ranks, launcher));
  if (groups.count() > 1) screen.add(check_groups(groups));
  screen.add(doctor::check_cores(ranks, on_cpu));
  screen.add({"torch", State::ok, SPECTHINK_TORCH_VERSION, ""});
  std::vector<Check> node;
  if (group.local_rank() == 0) node = check_node(groups, settings, cuda, launcher, on_cpu, one_node);
  for (Check& check : gather_nodes(group, node, ranks[static_cast<std::size_t>(group.rank())].host)) {
    screen.add(std::move(check));
  }
  bool each_has_gpu = true;
  if (!on_cpu) {
    screen.add(doctor::check_rank_gpus(ranks, settings.models.oversubscribe_gpus));
    each_has_gpu = screen.checks().back().state == State::ok;
  }
  if (each_has_gpu) screen.add(check_collectives(groups, on_cpu));

  if (is_root) {
    std::cout << (prints_json ? as_json(screen.checks(), group.size(), cuda) : doctor::summary_text(screen.checks()));
  }
  return doctor::worst(screen.checks()) == State::error ? kExitEnvironment : kExitSuccess;
}

}  // namespace

int run_doctor(const Invocation& invocation) {
  const Launcher launcher = find_launcher();
  return run_on_ranks([&](const ProcessGroup& group) { return examine(group, invocation.settings, launcher); });
}

}  // namespace specthink::inline app
