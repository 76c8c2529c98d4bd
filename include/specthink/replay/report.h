// What a replay prints: the figures of its runs, of single steps and of prefills, as Markdown and as JSON.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "specthink/replay/step_timeline.h"
#include "specthink/replay/times.h"
#include "specthink/report/trace.h"

namespace specthink::inline replay {

/// By Role; none where there is no such model or its context is too short.
using PerModel = std::array<std::optional<double>, 2>;

/// A decode step of one row that continues `context` tokens.
struct StepRow {
  std::int64_t context = 0;
  PerModel milliseconds;
  std::array<std::vector<KernelShare>, 2> kernels;  ///< by Role, of one such step; empty where they are not recorded
};

/// A request for one token, with `new_tokens` that the model has not seen behind `cached` that it has.
struct PrefillRow {
  std::int64_t cached = 0;
  std::int64_t new_tokens = 0;
  PerModel first_token_ms;  ///< from asking to having the token
  PerModel prefill_ms;      ///< of that, the prefill itself
};

/// A decode step with one row of each of so many sequences, each of which continues `context` tokens.
struct BatchStepRow {
  int sequences = 0;
  std::int64_t context = 0;
  PerModel milliseconds;
};

/// Recorded runs at once.
struct BatchTimes {
  ReplayLoop loop = ReplayLoop::original;
  int batch = 0;  ///< at a time
  std::size_t runs = 0;
  std::int64_t tokens = 0;  ///< that stayed
  double seconds = 0;
};

struct RankMemory {
  std::int64_t planned_bytes = 0;   ///< weights, caches and workspace of both models (plan_memory)
  std::int64_t measured_bytes = 0;  ///< in use on the GPU at the end, by whomever
  std::int64_t total_bytes = 0;     ///< of the GPU
};

struct ReplayReport {
  std::string timestamp;
  std::string target;                ///< name of the model
  std::optional<std::string> draft;  ///< the same; none: the target alone
  int ranks = 1;
  std::string device;                         ///< rank 0's
  Json settings = Json::object();             ///< ReplayLog::create
  std::vector<double> read_bytes_per_second;  ///< of each rank's memory; steps are held against the slowest
  std::array<StepBytes, 2> step_bytes;        ///< by Role
  std::vector<std::size_t> workloads;         ///< the runs that were asked for
  std::vector<Trace> traces;                  ///< of these
  std::vector<ReplayRecord> records;          ///< those of them that are finished, by loop
  std::vector<StepRow> steps;
  std::vector<PrefillRow> prefills;
  std::vector<BatchStepRow> batch_steps;
  std::vector<BatchTimes> batches;
  std::vector<RankMemory> memory;  ///< by rank; empty on CPUs
  /// Bytes that rank 0's GPU has in use more after the runs than before them; none on CPUs.
  std::optional<std::int64_t> memory_growth = {};
};

/// Seconds that the target's decode steps take for the tokens of a run, from their time at some contexts: linear
/// between them and beyond the last, that of the first before it. Prefill and hand-over are not in it. None without two
/// contexts.
std::optional<double> target_alone_seconds(const Trace& trace, std::span<const StepRow> steps);

/// Mean seconds of a run under this loop.
struct WorkloadSeconds {
  double mean = 0;
  bool computed = false;  ///< from the target's steps (target_alone_seconds), not measured
};

/// Measured when each of the report's workloads has a record; for the target alone computed otherwise. None when
/// neither is possible. `speculates`: of the runs with token-level speculation.
std::optional<WorkloadSeconds> workload_seconds(const ReplayReport& report, ReplayLoop loop, bool speculates = false);

/// Seconds of as many runs one after another as `batch` has: their records' mean, without token-level speculation, of
/// those that are there. None without any.
std::optional<double> one_by_one_seconds(const ReplayReport& report, const BatchTimes& batch);

/// One object: {read_tb_s, target_ms: {"1024": …}, draft_ms: {…}, workload_s: {seed, fixed, target}, …}; figures that
/// are not known are null.
OrderedJson to_json(const ReplayReport& report);

std::string to_markdown(const ReplayReport& report);

}  // namespace specthink::inline replay
