// specthink replay: recorded runs, with their lengths, on any pair of models.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <filesystem>

#include "app/commands.h"
#include "specthink/replay/replayer.h"
#include "app/session.h"
#include "app/signals.h"
#include "specthink/base/file.h"
#include "specthink/base/hash.h"
#include "specthink/base/log.h"
#include "specthink/report/output_folder.h"
#include "specthink/replay/log.h"
#include "specthink/replay/report.h"
#include "specthink/replay/workload.h"
#include "specthink/report/log_file.h"
#include "specthink/comm/device.h"
#include "specthink/kernels/read_bandwidth.h"

namespace specthink {
namespace {

constexpr const char* kRecordedRuns = "seed_runs/qwen3_32b_1.7b_workload.jsonl";

std::filesystem::path workload_file(const Settings& settings) {
  if (!settings.replay.workload_file.empty()) return settings.replay.workload_file;
  if (!settings.data_dir.empty()) return std::filesystem::path(settings.data_dir) / kRecordedRuns;
  throw UserError(
      "no recorded runs: give --workload-file FILE (one JSON trace a line, as `generate --trace --compat original` "
      "writes "
      "them), or the "
      "folder that holds {} with --data-dir",
      kRecordedRuns);
}

/// What decides the times of a run: a replay is resumed only with the same.
Json replay_settings(const Invocation& invocation, const std::filesystem::path& file, int ranks) {
  Json result = settings_that_affect(Affects::times, invocation);
  // The files have always called the models so.
  for (const auto& [key, name] :
       {std::pair("target_model_name", "target_model"), std::pair("speculative_model_name", "speculative_model")}) {
    result[name] = result.at(key);
    result.erase(key);
  }
  result["workloads_hash"] = fmt::format("{:016x}", hash_text(read_file(file)));
  result["ranks"] = ranks;
  return result;
}

/// What is replayed, and what of it is done.
struct Plan {
  std::filesystem::path file;
  std::vector<Trace> traces;  // all of the file
  std::vector<std::size_t> selected;
  Json settings;
  std::optional<ReplayLog> log;
};

Plan make_plan(const Session& session, const Invocation& invocation) {
  const Settings& settings = invocation.settings;
  const auto& policies = settings.replay.policies;
  if (!session.has_draft() &&
      std::ranges::any_of(policies, [](auto policy) { return policy != ReplayPolicy::target; })) {
    throw UserError("the loops original and fixed need a draft model: give --draft FOLDER, or use --loop target");
  }
  Plan plan;
  plan.file = workload_file(settings);
  plan.traces = read_workloads(plan.file);
  plan.selected = select_workloads(settings.replay.workloads, plan.traces.size());
  plan.settings = replay_settings(invocation, plan.file, session.group().size());
  prepare_output_folder(settings.bench.output_dir);
  if (settings.bench.resume) plan.log = ReplayLog::resume(settings.bench.output_dir, plan.settings);
  return plan;
}

void check_context(const Plan& plan, const std::vector<ReplayPolicy>& policies, std::int64_t limit,
                   const char* what_limits) {
  for (const std::size_t workload : plan.selected) {
    for (const ReplayPolicy policy : policies) {
      const std::int64_t needed = replay_context(plan.traces[workload], policy);
      if (needed <= limit) continue;
      throw UserError("workload {} needs a context of {} tokens, but {} is {}: choose shorter ones with --workloads",
                      workload, needed, what_limits, limit);
    }
  }
}

std::vector<double> measure_read_bandwidths(const Session& session) {
  session.group().barrier();  // ranks that share a memory read it at the same time, as they do in a step
  double rate = 0;
  together(session.group(), [&] { rate = measure_read_bandwidth(session.device()); });
  std::vector<double> rates;
  for (const std::int64_t bits : session.group().all_gather(std::bit_cast<std::int64_t>(rate))) {
    rates.push_back(std::bit_cast<double>(bits));
  }
  return rates;
}

/// Of all ranks; none on CPUs.
std::vector<RankMemory> gather_memory(const Session& session) {
  const std::int64_t total = total_memory(session.device());
  const auto planned = session.group().all_gather(session.planned_bytes());
  const auto in_use = session.group().all_gather(total - free_memory(session.device()));
  const auto totals = session.group().all_gather(total);
  if (total == 0) return {};
  std::vector<RankMemory> memory;
  for (std::size_t rank = 0; rank < planned.size(); ++rank) {
    memory.push_back({planned[rank], in_use[rank], totals[rank]});
  }
  return memory;
}

Replayer::Options replayer_options(const Session& session, const Settings& settings, const std::vector<double>& rates) {
  const auto bytes = [&](const ModelConfig& config) {
    return step_bytes(config, session.group().size(), settings.models.dtype);
  };
  Replayer::Options options;
  options.stop_requested = stop_requested;
  options.sampling = session.sampling();
  options.seed = settings.sampling.seed;
  options.read_bytes_per_second = *std::min_element(rates.begin(), rates.end());
  options.vocab_size = session.target_config().vocab_size;
  options.step_bytes[static_cast<std::size_t>(Role::target)] = bytes(session.target_config());
  if (const ModelConfig* draft = session.draft_config()) {
    options.has_draft = true;
    options.vocab_size = std::min(options.vocab_size, draft->vocab_size);
    options.step_bytes[static_cast<std::size_t>(Role::draft)] = bytes(*draft);
  }
  return options;
}

/// Runs what is not in the log yet; false when a signal ended it.
bool run_workloads(Replayer& replayer, Plan& plan, const std::vector<ReplayPolicy>& policies) {
  const std::size_t total = policies.size() * plan.selected.size();
  std::size_t count = 0;
  for (const ReplayPolicy policy : policies) {
    for (const std::size_t workload : plan.selected) {
      ++count;
      if (plan.log->find(policy, workload)) continue;
      const std::optional<ReplayRecord> record = replayer.run(plan.traces[workload], workload, policy);
      if (!record) return false;
      plan.log->append(*record);
      spdlog::info("[{}/{}] {}, workload {}: {} tokens in {:.2f} s, {:.1f} tokens/s", count, total, name_of(policy),
                   workload, record->times.tokens, record->times.seconds, record->times.tokens_per_second());
    }
  }
  return true;
}

/// Records of the selected runs: those of this replay, and of other loops what the log holds.
void add_records(ReplayReport& report, const Plan& plan) {
  for (const ReplayPolicy policy : {ReplayPolicy::original, ReplayPolicy::fixed, ReplayPolicy::target}) {
    for (const std::size_t workload : plan.selected) {
      if (const ReplayRecord* record = plan.log->find(policy, workload)) report.records.push_back(*record);
    }
  }
}

}  // namespace

int run_replay(const Invocation& invocation) {
  const Settings& settings = invocation.settings;
  const std::vector<ReplayPolicy>& policies = settings.replay.policies;
  return run_on_ranks(settings.models.collective_timeout, [&](const ProcessGroup& group) -> int {
    require_one_group(group, invocation);
    Session session(group, invocation, /*with_draft=*/true, /*with_text=*/false);
    Plan plan;
    together(group, [&] {
      if (!session.is_root()) return;
      plan = make_plan(session, invocation);
      check_context(plan, policies, session.context_limit(),
                    "the context (the smaller of --max-model-len and the models' max_position_embeddings)");
    });
    session.load();
    together(group, [&] {
      if (session.is_root()) check_context(plan, policies, session.capacity(), "what the KV cache holds");
    });

    ReplayReport report;
    report.read_bytes_per_second = measure_read_bandwidths(session);
    const Replayer::Options options = replayer_options(session, settings, report.read_bytes_per_second);
    const int code = session.drive([&]() -> int {
      if (!plan.log) plan.log = ReplayLog::create(settings.bench.output_dir, plan.settings, current_timestamp());
      Replayer replayer(session.engine(), options);
      replayer.warm_up();
      if (settings.replay.step_table) report.steps = replayer.measure_steps();
      if (settings.replay.prefill_table) report.prefills = replayer.measure_prefills();
      const std::int64_t free_before = free_memory(session.device());
      const bool finished = run_workloads(replayer, plan, policies) && !stop_requested();
      if (!session.device().is_cpu()) report.memory_growth = free_before - free_memory(session.device());
      if (finished) return kExitSuccess;
      spdlog::warn("interrupted: what is finished is in {}; go on with --resume", plan.log->path().string());
      return kExitInterrupted;
    });
    if (code != kExitSuccess) return code;

    report.memory = gather_memory(session);
    together(group, [&] {
      if (!session.is_root()) return;
      report.timestamp = plan.log->timestamp();
      report.target = settings.models.target;
      report.draft = settings.models.draft;
      report.ranks = group.size();
      report.device = describe(session.device());
      report.settings = plan.settings;
      report.step_bytes = options.step_bytes;
      report.workloads = plan.selected;
      for (const std::size_t workload : plan.selected) report.traces.push_back(plan.traces[workload]);
      add_records(report, plan);
      const OrderedJson document = to_json(report);
      write_file_atomically(plan.log->result_path(),
                            document.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
      if (settings.format == Format::json) {
        fmt::print("{}\n", to_line(document));
      } else {
        fmt::print("{}\nResults: {}\nRuns:    {}\n", to_markdown(report), plan.log->result_path().string(),
                   plan.log->path().string());
      }
    });
    return kExitSuccess;
  });
}

}  // namespace specthink
