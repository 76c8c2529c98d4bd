#include "specthink/comm/launcher.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

namespace specthink::inline comm {
namespace {

// The variables that are looked at.
constexpr std::array kVariables{"OMPI_COMM_WORLD_RANK", "PMIX_RANK",   "PMI_RANK",
                                "OMPI_COMM_WORLD_SIZE", "PMI_SIZE",    "SLURM_STEP_NUM_TASKS",
                                "SLURM_NTASKS",         "SLURM_PROCID"};

std::optional<int> number(const LauncherEnvironment& environment, const char* name) {
  const char* text = environment(name);
  if (!text) return std::nullopt;
  int value = 0;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
  if (error != std::errc() || *end != '\0' || value < 0) return std::nullopt;
  return value;
}

// Set by a launcher that speaks with MPI: mpirun, or srun with a PMI.
bool knows_mpi(const LauncherEnvironment& environment) {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"}) {
    if (environment(name)) return true;
  }
  return false;
}

/// The number of ranks that was asked for, by the launcher that is nearest to us, and where it says so. An mpirun
/// inside an allocation sets its own variable besides Slurm's.
struct Asked {
  const char* variable;
  int ranks;
};
std::optional<Asked> asked_world(const LauncherEnvironment& environment) {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"}) {
    if (const auto ranks = number(environment, name)) return Asked{name, *ranks};
  }
  return std::nullopt;
}

const char* process_variable(const char* name) { return std::getenv(name); }

struct Ancestor {
  pid_t id = 0;
  std::string name;
};

/// The processes above this one, as far as /proc shows them.
std::vector<Ancestor> processes_above() {
  constexpr int kMaxLevels = 64;
  std::vector<Ancestor> ancestors;
  for (pid_t pid = ::getppid(); pid > 0 && ancestors.size() < kMaxLevels;) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string stat;
    std::getline(file, stat);
    const std::size_t begin = stat.find('('), end = stat.rfind(')');  // the name may hold either
    if (begin == stat.npos || end == stat.npos) break;
    ancestors.push_back({pid, stat.substr(begin + 1, end - begin - 1)});
    std::istringstream rest(stat.substr(end + 1));
    std::string state;
    pid = 0;
    rest >> state >> pid;
  }
  return ancestors;
}

std::vector<std::string> ancestors_of_this_process() {
  std::vector<std::string> names;
  for (Ancestor& ancestor : processes_above()) names.push_back(std::move(ancestor.name));
  return names;
}

bool is_mpi_launcher(const std::string& name) {
  static constexpr std::array<std::string_view, 10> kLaunchers{
      "mpirun", "mpiexec", "mpirun.openmpi", "mpiexec.openmpi", "orterun",
      "orted",  "prterun", "prted",          "hydra_pmi_proxy", "mpiexec.hydra"};
  return std::ranges::find(kLaunchers, name) != kLaunchers.end();
}

}  // namespace

LauncherEnvironment remember_launcher() {
  std::map<std::string, std::string> values;
  for (const char* name : kVariables) {
    if (const char* value = std::getenv(name)) values[name] = value;
  }
  return [values](const char* name) -> const char* {
    const auto found = values.find(name);
    return found == values.end() ? nullptr : found->second.c_str();
  };
}

int launcher_rank(const LauncherEnvironment& environment) {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"}) {
    if (const auto rank = number(environment, name)) return *rank;
  }
  // Without a PMI the tasks of an srun still have numbers. A batch script has number 0.
  return number(environment, "SLURM_PROCID").value_or(0);
}

int launcher_rank() { return launcher_rank(process_variable); }

bool is_joined(const LauncherEnvironment& environment, const std::vector<std::string>& ancestors) {
  if (!knows_mpi(environment)) return false;
  return std::ranges::any_of(ancestors,
                             [](const std::string& name) { return name == "slurmstepd" || is_mpi_launcher(name); });
}

bool is_joined() { return is_joined(process_variable, ancestors_of_this_process()); }

bool has_siblings() {
  const std::vector<std::string> ancestors = ancestors_of_this_process();
  if (is_joined(process_variable, ancestors)) return true;
  return number(process_variable, "SLURM_PROCID").has_value() &&
         std::ranges::find(ancestors, "slurmstepd") != ancestors.end();
}

bool started_by_launcher() {
  return knows_mpi(process_variable) || number(process_variable, "SLURM_STEP_NUM_TASKS").value_or(1) > 1;
}

void leave_default_binding() {
  // What Open MPI 4 sets always, and what it sets when somebody has asked for cores, a binding or a mapping.
  if (!process_variable("OMPI_MCA_orte_hnp_uri")) return;
  for (const char* name :
       {"OMPI_MCA_hwloc_base_binding_policy", "OMPI_MCA_hwloc_base_cpu_set", "OMPI_MCA_hwloc_base_cpu_list",
        "OMPI_MCA_rmaps_base_mapping_policy", "OMPI_MCA_rmaps_rank_file_path", "OMPI_MCA_orte_rankfile"}) {
    if (process_variable(name)) return;
  }
  // More ranks are bound to a socket or its like, where there are cores enough.
  constexpr int kThreadsOfCore = 2;
  cpu_set_t mine;
  CPU_ZERO(&mine);
  if (::sched_getaffinity(0, sizeof mine, &mine) != 0 || CPU_COUNT(&mine) > kThreadsOfCore) return;
  for (const Ancestor& ancestor : processes_above()) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    if (!is_mpi_launcher(ancestor.name)) continue;
    if (::sched_getaffinity(ancestor.id, sizeof cores, &cores) == 0) ::sched_setaffinity(0, sizeof cores, &cores);
    return;
  }
}

std::optional<std::string> launch_problem(const LauncherEnvironment& environment) {
  const int tasks = number(environment, "SLURM_STEP_NUM_TASKS").value_or(1);
  if (tasks <= 1 || knows_mpi(environment)) return std::nullopt;
  return fmt::format(
      "srun has started {} copies (SLURM_STEP_NUM_TASKS) that MPI cannot join to one job: use `srun --mpi=pmix` "
      "(`srun --mpi=list` shows what this Slurm has), or mpirun inside the allocation",
      tasks);
}

std::optional<std::string> world_problem(const LauncherEnvironment& environment, int ranks,
                                         const std::string& library) {
  const std::optional<Asked> asked = asked_world(environment);
  if (!asked || asked->ranks == ranks) return std::nullopt;
  const std::string variable = asked->variable;
  std::string fix;
  if (variable == "SLURM_NTASKS" && !knows_mpi(environment)) {
    fix =
        fmt::format("start it with `srun --mpi=pmix` or `mpirun -np {}`; for one rank on purpose, with `mpirun -np 1`",
                    asked->ranks);
  } else if (variable == "OMPI_COMM_WORLD_SIZE" || variable == "PMI_SIZE") {
    fix = fmt::format("use the mpirun of the MPI that this program runs on ({}); inside a container, the same version",
                      library);
  } else {
    fix = fmt::format("use `srun --mpi=pmix` (`srun --mpi=list` shows what this Slurm has), or mpirun ({})", library);
  }
  return fmt::format("{} rank{} asked for ({}), but MPI has joined {}{}: {}", asked->ranks,
                     asked->ranks == 1 ? " was" : "s were", variable, ranks,
                     ranks == 1 ? ", so that each copy believes to be alone" : "", fix);
}

}  // namespace specthink::inline comm
