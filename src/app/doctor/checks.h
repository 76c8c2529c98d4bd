// What `specthink doctor` makes of the facts that it finds. Pure but for check_model(), which reads a model folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "specthink/base/json.h"
#include "specthink/comm/gpu_info.h"
#include "specthink/config/settings.h"
#include "specthink/model/transformer.h"
#include "specthink/report/jsonl.h"

namespace specthink::inline app::doctor {

enum class State { ok, warning, error };
const char* name_of(State state);

/// One line of the screen.
struct Check {
  std::string name;  ///< "GPU 0"
  State state = State::ok;
  std::string found;
  std::string advice;  ///< what to do; empty when there is nothing to do, or `found` says it already

  friend bool operator==(const Check&, const Check&) = default;
};
OrderedJson to_json(const Check& check);
Check parse_check(const Json& json);

/// What every rank says about itself.
struct RankFacts {
  std::string host;
  int local_rank = 0;
  int local_size = 1;
  int cores = 1;                       ///< that this process may run on
  int threads = 1;                     ///< of its CPU computations
  std::vector<std::string> gpu_uuids;  ///< visible to it
};

/// How ranks were started, from the environment.
enum class Launcher { none, mpirun, srun };

/// `version` is MPI's.
Check check_mpi(const std::string& version, const std::vector<RankFacts>& ranks, Launcher launcher);

/// `on_cpu`: the models would run on CPUs.
Check check_cores(const std::vector<RankFacts>& ranks, bool on_cpu);

/// `architectures` as in CMake, with commas: "90a,100". `device` is what the user asked for.
Check check_cuda(const CudaInfo& cuda, const std::string& architectures, Device device);

/// Whether code for these architectures runs on a GPU of that compute capability (90 is 9.0).
bool runs_on(const std::string& architectures, int compute_capability);

/// `share`: of its memory that target and draft together may take.
Check check_gpu(int index, const GpuInfo& gpu, const std::string& architectures, double share);

/// How the GPUs of the node are joined; one line for all pairs. None for a single GPU.
std::vector<Check> check_links(const std::vector<GpuLink>& links);

/// That each rank gets a GPU of its own (the rule of comm/device.h). Shared ones are an error, or a warning where they
/// may be (--oversubscribe-gpus).
Check check_rank_gpus(const std::vector<RankFacts>& ranks, bool may_share);

/// Times of an all-reduce of 10 KB, in microseconds.
Check check_all_reduce(double microseconds, bool correct, const std::string& library, bool on_cpu, bool one_node);

struct Limits {
  std::int64_t locked_memory = -1;  ///< bytes; -1: unlimited
  std::int64_t shm_total = 0;       ///< bytes of /dev/shm; 0: there is none
  std::int64_t shm_free = 0;
  std::int64_t open_files = -1;  ///< -1: unlimited
};
Limits read_limits();
std::vector<Check> check_limits(const Limits& limits, int local_ranks, bool on_gpu, bool one_node);

/// Where the models are to run.
struct Machine {
  int ranks = 1;                 ///< that share one model
  std::int64_t gpu_memory = 0;   ///< of the smallest GPU; 0: on CPUs
  std::int64_t host_memory = 0;  ///< available now
  int local_ranks = 1;           ///< that share the host's memory
};

/// The folder is found, config.json reads, every weight is there with its shape, and it fits. `models`: 2 with a draft.
std::vector<Check> check_model(Role role, const std::string& name, const ModelSettings& settings, int models,
                               const Machine& machine);

/// The screen, without its last line.
std::string to_text(const Check& check);
std::string summary_text(const std::vector<Check>& checks);
State worst(const std::vector<Check>& checks);

}  // namespace specthink::inline app::doctor
