// specthink bench: the target alone against speculative thinking on a task.
#include <fmt/format.h>

#include "app/commands.h"
#include "app/job/evaluation_job.h"
#include "app/job/job.h"
#include "app/task_file.h"
#include "specthink/base/log.h"
#include "specthink/config/policies.h"
#include "specthink/evaluation/benchmark.h"
#include "specthink/evaluation/policy_table.h"
#include "specthink/evaluation/task.h"

namespace specthink::inline app {
namespace {

/// The test mode; without a draft and without --test-mode, what is left of it.
TestMode test_mode_of(const Invocation& invocation) {
  const bool nothing_to_compare = !invocation.settings.models.draft && !invocation.was_set("test_mode");
  return nothing_to_compare ? TestMode::large : invocation.settings.bench.test_mode;
}

std::vector<RunMode> modes_of(const Invocation& invocation) {
  if (!invocation.settings.bench.policies.empty()) return {RunMode::spec};
  const bool token_speculation = invocation.settings.speculation.proposers != TokenSpeculation::off;
  return run_modes(test_mode_of(invocation), token_speculation);
}

/// The same with one of several policies, which has files of its own.
Invocation with_policy(const Invocation& invocation, Policy policy) {
  Invocation own = invocation;
  own.settings.schedule.policy = policy;
  own.settings.bench.output_dir = (std::filesystem::path(own.settings.bench.output_dir) / name_of(policy)).string();
  for (ResolvedOption& option : own.options) {
    if (option.key == "policy") option.value = Json(name_of(policy)).dump();
  }
  return own;
}

BenchmarkOptions benchmark_options(const Invocation& invocation, int ranks) {
  const Settings& settings = invocation.settings;
  BenchmarkOptions options;
  options.output_dir = settings.bench.output_dir;
  options.resume = settings.bench.resume;
  options.modes = modes_of(invocation);
  options.part = settings.bench.part;
  options.num_runs = static_cast<std::size_t>(settings.bench.num_runs);
  options.judge = settings.evaluation.judge;
  options.config.config_path = invocation.config_path.string();
  options.config.target_model = settings.models.target;
  options.config.speculative_model = settings.models.draft;
  options.config.temperature = settings.sampling.temperature;
  options.config.top_p = settings.sampling.top_p;
  options.config.top_k = settings.sampling.top_k;
  options.config.max_tokens = settings.max_tokens;
  options.settings = settings_that_affect(Affects::tokens, invocation);
  options.settings["ranks"] = ranks;
  return options;
}

std::vector<WorkStage> prepare(const Invocation& invocation, const EvaluationJob& job) {
  const Settings& settings = invocation.settings;
  const bool compares = !settings.bench.policies.empty();
  if (compares && !job.has_draft()) {
    throw UserError("--policies needs a draft model: give --draft FOLDER, or set speculative_model_name");
  }
  if (!compares && test_mode_of(invocation) != TestMode::large && !job.has_draft()) {
    throw UserError(
        "--test-mode spec, both and all need a draft model: give --draft FOLDER, set speculative_model_name, or "
        "use --test-mode large");
  }
  const Task task = load_task(task_file(settings));
  const std::vector<Problem> problems =
      load_problems(task, settings.data_dir, static_cast<std::size_t>(settings.bench.num_problems),
                    {.choice_order = settings.evaluation.choice_order, .seed = settings.sampling.seed});
  std::vector<WorkStage> stages;
  const auto add_stage = [&](const Invocation& own, const std::string& label) {
    stages.push_back({std::make_unique<Benchmark>(task, problems, benchmark_options(own, job.ranks())),
                      settings.sampling.temperature, label});
    stages.back().benchmark->prepare();
  };
  for (const Policy policy : settings.bench.policies) add_stage(with_policy(invocation, policy), name_of(policy));
  if (!compares) add_stage(invocation, "");
  return stages;
}

/// Whether all its runs are there; the result file is then written.
bool write_if_complete(const Benchmark& benchmark) {
  if (benchmark.finished() < benchmark.total()) {
    spdlog::warn("interrupted: {} of {} runs are in {}; go on with --resume", benchmark.finished(), benchmark.total(),
                 benchmark.log_path().string());
    return false;
  }
  benchmark.write_results();
  return true;
}

/// Result files of all policies, and the table that compares them.
int conclude_comparison(const std::vector<WorkStage>& stages, Format format) {
  std::vector<PolicySummary> summaries;
  OrderedJson lines = OrderedJson::array();
  std::string files;
  bool complete = true;
  for (const WorkStage& stage : stages) {
    const Benchmark& benchmark = *stage.benchmark;
    complete = write_if_complete(benchmark) && complete;
    if (!complete) continue;
    summaries.push_back(summarize_policy({stage.label, benchmark.all_records().value_or(std::vector<RunRecord>())}));
    lines.push_back(to_json(summaries.back()));
    lines.back()["summary"] = OrderedJson::parse(benchmark.summary_line());
    files += fmt::format("{}: {}\n", stage.label, benchmark.result_path().string());
  }
  if (!complete) return kExitInterrupted;
  if (format == Format::json) {
    fmt::print("{}\n", OrderedJson{{"policies", lines}}.dump());
  } else {
    fmt::print("{}\nResults:\n{}", policy_table(summaries), files);
  }
  return kExitSuccess;
}

/// Result file and summary.
int conclude(const Benchmark& benchmark, Format format) {
  if (!write_if_complete(benchmark)) return kExitInterrupted;
  fmt::print("{}", format == Format::json ? benchmark.summary_line() + "\n" : benchmark.summary_text());
  return kExitSuccess;
}

}  // namespace

int run_bench(const Invocation& invocation) {
  if (invocation.settings.bench.calibrate) return run_calibration(invocation);
  return run_on_ranks(invocation.settings.models.collective_timeout, [&](const ProcessGroup& world) {
    const std::vector<Policy>& policies = invocation.settings.bench.policies;
    EvaluationJob job(world, invocation, modes_of(invocation), policies);
    return end_job_on_failure(world, [&] {
      return job.run({.prepare = [&] { return prepare(invocation, job); },
                      .conclude =
                          [&](const std::vector<WorkStage>& stages) {
                            const Format format = invocation.settings.format;
                            if (!policies.empty()) return conclude_comparison(stages, format);
                            return conclude(*stages.front().benchmark, format);
                          }});
    });
  });
}

}  // namespace specthink::inline app
