// specthink bench: the target alone against speculative thinking on a task.
#include <fmt/format.h>

#include "app/commands.h"
#include "app/job/evaluation_job.h"
#include "app/job/job.h"
#include "app/task_file.h"
#include "specthink/base/log.h"
#include "specthink/evaluation/benchmark.h"
#include "specthink/evaluation/task.h"

namespace specthink::inline app {
namespace {

/// The test mode; without a draft and without --test-mode, what is left of it.
TestMode test_mode_of(const Invocation& invocation) {
  const bool nothing_to_compare = !invocation.settings.models.draft && !invocation.was_set("test_mode");
  return nothing_to_compare ? TestMode::large : invocation.settings.bench.test_mode;
}

std::vector<RunMode> modes_of(const Invocation& invocation) {
  const bool token_speculation = invocation.settings.speculation.proposers != TokenSpeculation::off;
  return run_modes(test_mode_of(invocation), token_speculation);
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
  if (test_mode_of(invocation) != TestMode::large && !job.has_draft()) {
    throw UserError(
        "--test-mode spec, both and all need a draft model: give --draft FOLDER, set speculative_model_name, or "
        "use --test-mode large");
  }
  const Task task = load_task(task_file(settings));
  std::vector<Problem> problems =
      load_problems(task, settings.data_dir, static_cast<std::size_t>(settings.bench.num_problems),
                    {.choice_order = settings.evaluation.choice_order, .seed = settings.sampling.seed});
  std::vector<WorkStage> stages;
  stages.push_back({std::make_unique<Benchmark>(task, std::move(problems), benchmark_options(invocation, job.ranks())),
                    settings.sampling.temperature, ""});
  stages.back().benchmark->prepare();
  return stages;
}

/// Result file and summary.
int conclude(Benchmark& benchmark, Format format) {
  if (benchmark.finished() < benchmark.total()) {
    spdlog::warn("interrupted: {} of {} runs are in {}; go on with --resume", benchmark.finished(), benchmark.total(),
                 benchmark.log_path().string());
    return kExitInterrupted;
  }
  benchmark.write_results();
  fmt::print("{}", format == Format::json ? benchmark.summary_line() + "\n" : benchmark.summary_text());
  return kExitSuccess;
}

}  // namespace

int run_bench(const Invocation& invocation) {
  return run_on_ranks(invocation.settings.models.collective_timeout, [&](const ProcessGroup& world) {
    EvaluationJob job(world, invocation, modes_of(invocation));
    return end_job_on_failure(world, [&] {
      return job.run({.prepare = [&] { return prepare(invocation, job); },
                      .conclude =
                          [&](const std::vector<WorkStage>& stages) {
                            return conclude(*stages.front().benchmark, invocation.settings.format);
                          }});
    });
  });
}

}  // namespace specthink::inline app
