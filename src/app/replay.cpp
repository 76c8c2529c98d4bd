// specthink replay: recorded runs, with their lengths, on any pair of models.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "app/commands.h"
#include "app/job/job.h"
#include "app/job/loaded_models.h"
#include "app/job/signals.h"
#include "specthink/base/file.h"
#include "specthink/base/hash.h"
#include "specthink/base/log.h"
#include "specthink/comm/device.h"
#include "specthink/model/hub.h"
#include "specthink/replay/batch.h"
#include "specthink/replay/log.h"
#include "specthink/replay/machine.h"
#include "specthink/replay/plan.h"
#include "specthink/replay/replayer.h"
#include "specthink/replay/report.h"
#include "specthink/replay/texts.h"
#include "specthink/report/log_file.h"

namespace specthink::inline app {
namespace {

constexpr const char* kRecordedRuns = "seed_runs/qwen3_32b_1.7b_workload.jsonl";

std::filesystem::path workload_file(const Settings& settings) {
  if (!settings.replay.workload_file.empty()) return settings.replay.workload_file;
  if (!settings.data_dir.empty()) return std::filesystem::path(settings.data_dir) / kRecordedRuns;
  throw UserError(
      "no recorded runs: give --workload-file FILE (one JSON trace a line, as `generate --trace --compat original` "
      "writes them), or the folder that holds {} with --data-dir",
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
  for (const char* key : {"batch", "reserve"}) result.erase(key);  // the log holds runs one by one
  result.erase("token_speculation");  // which runs there are, like the loops: one log holds those with and without
  result["workloads_hash"] = fmt::format("{:016x}", hash_text(read_file(file)));
  result["ranks"] = ranks;
  return result;
}

Replayer::Options replayer_options(const LoadedModels& models, const Settings& settings,
                                   const std::vector<double>& rates) {
  const auto bytes = [&](const ModelConfig& config) {
    return step_bytes(config, models.group().size(), settings.models.dtype);
  };
  Replayer::Options options;
  options.stop_requested = stop_requested;
  options.sampling = sampling_params(settings);
  options.seed = settings.sampling.seed;
  options.read_bytes_per_second = *std::min_element(rates.begin(), rates.end());
  options.vocab_size = models.target_config().vocab_size;
  options.step_bytes[static_cast<std::size_t>(Role::target)] = bytes(models.target_config());
  if (const ModelConfig* draft = models.draft_config()) {
    options.has_draft = true;
    options.vocab_size = std::min(options.vocab_size, draft->vocab_size);
    options.step_bytes[static_cast<std::size_t>(Role::draft)] = bytes(*draft);
  }
  return options;
}

/// Tokens of the recorded texts, where they are given.
std::vector<TokenIds> recorded_texts(const Settings& settings, const std::vector<Trace>& traces,
                                     const LoadedModels& models) {
  const ReplaySettings& replay = settings.replay;
  if (replay.texts.empty()) return {};
  const std::filesystem::path folder =
      replay.tokenizer.empty() ? models.target_folder() : resolve_model(replay.tokenizer, "tokenizer.json");
  if (!std::filesystem::exists(folder / "tokenizer.json")) {
    throw UserError("--texts needs a tokenizer, and {} has no tokenizer.json: name a folder that has with --tokenizer",
                    folder.string());
  }
  return read_texts(replay.texts, traces, Tokenizer::load(folder));
}

/// Without recorded texts there is nothing that proposals could hit as they would have.
bool speculates(const Settings& settings) {
  if (settings.bench.batch != 1 && !settings.replay.texts.empty()) {
    throw UserError("--texts is for runs one by one: leave --batch out");
  }
  const TokenSpeculation proposers = settings.speculation.proposers;
  if (!settings.replay.texts.empty()) return proposers != TokenSpeculation::off;
  if (proposers == TokenSpeculation::ngram || proposers == TokenSpeculation::draft) {
    throw UserError("--token-speculation in a replay needs the text of the recorded runs: give it with --texts FILE");
  }
  return false;
}

/// Where nothing will be proposed, the models are not loaded for it: no costs are measured, and the log does not name
/// proposers.
Invocation invocation_of_models(Invocation invocation) {
  if (invocation.settings.replay.texts.empty()) invocation.settings.speculation.proposers = TokenSpeculation::off;
  return invocation;
}

/// With --batch the runs at once, in place of one by one, and steps of several sequences.
bool measure_batches(LoadedModels& models, const Settings& settings, const Replayer::Options& options,
                     const ReplayPlan& plan, ReplayReport& report) {
  BatchReplayer replayer(models.engine(), {.batch = {models.batch(), settings.bench.reserve},
                                           .has_draft = options.has_draft,
                                           .vocab_size = options.vocab_size,
                                           .sampling = options.sampling,
                                           .seed = options.seed,
                                           .stop_requested = stop_requested});
  if (settings.replay.step_table) report.batch_steps = replayer.measure_steps();
  for (const ReplayLoop loop : plan.loops) {
    const std::optional<BatchTimes> times = replayer.run(plan.traces, plan.selected, loop);
    if (!times) return false;
    spdlog::info("{}, {} runs, {} at a time: {} tokens in {:.2f} s", name_of(loop), times->runs, times->batch,
                 times->tokens, times->seconds);
    report.batches.push_back(*times);
  }
  return true;
}

/// Tables and runs, on rank 0; returns the exit code.
int measure(LoadedModels& models, const Settings& settings, const Replayer::Options& options, ReplayPlan& plan,
            ReplayReport& report) {
  if (!plan.log) plan.log = ReplayLog::create(settings.bench.output_dir, plan.settings, current_timestamp());
  const bool at_once = settings.bench.batch != 1;
  bool finished = false;
  Replayer replayer(models.engine(), options);
  replayer.warm_up();
  if (settings.replay.step_table) report.steps = replayer.measure_steps();
  if (settings.replay.prefill_table) report.prefills = replayer.measure_prefills();
  const std::int64_t free_before = free_memory(models.device());
  if (!at_once) finished = run_workloads(replayer, plan);
  replayer.close();
  if (at_once) finished = measure_batches(models, settings, options, plan, report);
  finished = finished && !stop_requested();
  if (!models.device().is_cpu()) report.memory_growth = free_before - free_memory(models.device());
  if (finished) return kExitSuccess;
  spdlog::warn("interrupted: what is finished is in {}; go on with --resume", plan.log->path().string());
  return kExitInterrupted;
}

/// Fills in what was not measured.
void complete(ReplayReport& report, const LoadedModels& models, const Settings& settings,
              const Replayer::Options& options, const ReplayPlan& plan) {
  report.timestamp = plan.log->timestamp();
  report.target = settings.models.target;
  report.draft = settings.models.draft;
  report.ranks = models.group().size();
  report.device = describe(models.device());
  report.settings = plan.settings;
  report.step_bytes = options.step_bytes;
  report.workloads = plan.selected;
  for (const std::size_t workload : plan.selected) report.traces.push_back(plan.traces[workload]);
  report.records = finished_records(plan);
}

/// Writes the result file and prints the report.
void publish(const ReplayReport& report, const Settings& settings, const ReplayLog& log) {
  const OrderedJson document = to_json(report);
  write_file_atomically(log.result_path(), document.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
  if (settings.format == Format::json) {
    fmt::print("{}\n", to_line(document));
  } else {
    fmt::print("{}\nResults: {}\nRuns:    {}\n", to_markdown(report), log.result_path().string(), log.path().string());
  }
}

}  // namespace

int run_replay(const Invocation& invocation) {
  const Settings& settings = invocation.settings;
  const Invocation of_models = invocation_of_models(invocation);
  return run_on_ranks(settings.models.collective_timeout, [&](const ProcessGroup& group) -> int {
    require_one_group(group, invocation);
    LoadedModels models(group, of_models, /*with_draft=*/true);
    ReplayPlan plan;
    std::vector<TokenIds> texts;
    together(group, [&] {
      if (!models.is_root()) return;
      speculates(settings);
      const std::filesystem::path file = workload_file(settings);
      plan = make_replay_plan(settings, file, replay_settings(invocation, file, group.size()), models.has_draft());
      texts = recorded_texts(settings, plan.traces, models);
      check_context(plan, models.context_limit(),
                    "the context (the smaller of --max-model-len and the models' max_position_embeddings)");
    });
    models.load();
    together(group, [&] {
      if (models.is_root()) check_context(plan, models.capacity(), "what the KV cache holds");
    });

    ReplayReport report;
    report.read_bytes_per_second = measure_read_bandwidths(group, models.device());
    Replayer::Options options = replayer_options(models, settings, report.read_bytes_per_second);
    options.texts = std::move(texts);
    options.speculates = speculates(settings);
    const int code = models.drive([&] { return measure(models, settings, options, plan, report); });
    if (code != kExitSuccess) return code;

    report.memory = gather_memory(group, models.device(), models.planned_bytes());
    together(group, [&] {
      if (!models.is_root()) return;
      complete(report, models, settings, options, plan);
      publish(report, settings, *plan.log);
    });
    return kExitSuccess;
  });
}

}  // namespace specthink::inline app
