// specthink eval: tasks, answered and judged, with the files of the original's eval.py.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "app/commands.h"
#include "app/job/evaluation_job.h"
#include "app/job/job.h"
#include "app/task_file.h"
#include "specthink/base/file.h"
#include "specthink/base/log.h"
#include "specthink/base/lowercase.h"
#include "specthink/evaluation/eval_files.h"
#include "specthink/report/output_folder.h"
#include "specthink/report/table.h"

namespace specthink::inline app {
namespace {

namespace fs = std::filesystem;

struct EvalTask {
  Task task;
  std::string name;
  std::vector<Problem> problems;
  std::vector<std::size_t> stages;  ///< of the job, one a temperature
};

std::vector<double> temperatures_of(const Invocation& invocation) {
  const bool only_one = !invocation.was_set("temperatures") && invocation.was_set("temperature");
  return only_one ? std::vector{invocation.settings.sampling.temperature} : invocation.settings.eval.temperatures;
}

/// Greedy answers to a problem are all the same.
int samples_of(const Invocation& invocation) {
  const int n = invocation.settings.eval.n;
  return temperatures_of(invocation) == std::vector{0.0} ? 1 : n;
}

EvalName name_of(const Invocation& invocation, const EvalTask& task, const std::vector<double>& temperatures) {
  const EvalSettings& eval = invocation.settings.eval;
  const auto name_in = [](std::string path) {
    while (path.ends_with('/')) path.pop_back();
    return fs::path(path).filename().string();
  };
  EvalName name;
  name.system = invocation.config_path.empty() ? name_in(invocation.settings.models.target)
                                               : invocation.config_path.filename().string();
  name.is_one_model = invocation.config_path.empty();
  name.task = task.name;
  name.split = eval.split.value_or(task.task.dataset_split);
  name.subset = eval.subset.value_or(task.task.dataset_subset);
  name.filter_difficulty = eval.filter_difficulty;
  name.start = eval.start;
  name.end = eval.end;
  name.temperatures = temperatures;
  name.n = samples_of(invocation);
  name.difficulty = eval.difficulty;
  name.source = eval.source;
  name.math_difficulty_lower_bound = eval.math_difficulty_lower_bound;
  name.math_difficulty_upper_bound = eval.math_difficulty_upper_bound;
  return name;
}

ProblemOptions problem_options(const Settings& settings) {
  const EvalSettings& eval = settings.eval;
  ProblemOptions options;
  options.choice_order = settings.evaluation.choice_order;
  options.seed = settings.sampling.seed;
  options.first = static_cast<std::size_t>(eval.start);
  options.split = eval.split;
  options.subset = eval.subset;
  options.difficulty = eval.difficulty;
  options.source = eval.source;
  options.filter_difficulty = eval.filter_difficulty;
  options.math_difficulty_lower_bound = eval.math_difficulty_lower_bound;
  options.math_difficulty_upper_bound = eval.math_difficulty_upper_bound;
  return options;
}

EvalTask load_eval_task(const std::string& name, const Settings& settings) {
  const EvalSettings& eval = settings.eval;
  if (eval.end >= 0 && eval.end <= eval.start) {
    throw UserError("--end {}: there is no problem from --start {} on before it", eval.end, eval.start);
  }
  const fs::path path = find_task(name, settings);
  EvalTask task{.task = load_task(path), .name = lowercase(path.stem().string()), .problems = {}, .stages = {}};
  if (task.task.is_code && !eval.inference) {
    throw UserError(
        "--evals {}: its answers are programs, and scoring them is not there yet (their tests need a sandbox); with "
        "--inference they are written and stored",
        name);
  }
  const std::size_t limit = eval.end < 0 ? kAllProblems : static_cast<std::size_t>(eval.end - eval.start);
  task.problems = load_problems(task.task, settings.data_dir, limit, problem_options(settings));
  return task;
}

std::vector<EvalTask> load_eval_tasks(const Settings& settings) {
  std::vector<EvalTask> tasks;
  for (const std::string& name : settings.eval.evals) {
    EvalTask task = load_eval_task(name, settings);
    const bool twice =
        std::any_of(tasks.begin(), tasks.end(), [&](const EvalTask& other) { return other.name == task.name; });
    if (twice) throw UserError("--evals: the task '{}' is given twice", task.name);
    tasks.push_back(std::move(task));
  }
  return tasks;
}

BenchmarkOptions benchmark_options(const Invocation& invocation, const EvalTask& task, double temperature,
                                   const EvaluationJob& job) {
  const Settings& settings = invocation.settings;
  const fs::path folder = settings.eval.result_dir;
  BenchmarkOptions options;
  options.output_dir = folder / "runs" / eval_file_stem(name_of(invocation, task, {temperature}));
  options.resume = true;
  options.how_to_start_anew = "choose another --result-dir";
  options.modes = {settings.models.draft ? RunMode::spec : RunMode::large};
  options.part = settings.bench.part;
  options.judge = settings.evaluation.judge;
  options.num_runs = static_cast<std::size_t>(samples_of(invocation));
  options.config.config_path = invocation.config_path.string();
  options.config.target_model = settings.models.target;
  options.config.speculative_model = settings.models.draft;
  options.config.temperature = temperature;
  options.config.top_p = settings.sampling.top_p;
  options.config.top_k = settings.sampling.top_k;
  options.config.max_tokens = settings.max_tokens;
  options.settings = settings_that_affect(Affects::tokens, invocation);
  options.settings["ranks"] = job.ranks();
  return options;
}

std::vector<WorkStage> prepare(const Invocation& invocation, const EvaluationJob& job, std::vector<EvalTask>& tasks) {
  const Settings& settings = invocation.settings;
  prepare_output_folder(fs::path(settings.eval.result_dir) / "metrics");
  tasks = load_eval_tasks(settings);
  const std::vector<double> temperatures = temperatures_of(invocation);
  if (samples_of(invocation) < settings.eval.n && invocation.was_set("n")) {
    spdlog::warn("--n {}: at temperature 0 all answers to a problem are the same, one is written", settings.eval.n);
  }
  std::vector<WorkStage> stages;
  for (EvalTask& task : tasks) {
    for (const double temperature : temperatures) {
      std::vector<Problem> problems = task.problems;
      if (settings.eval.inference) {
        for (Problem& problem : problems) problem.answer.reset();
      }
      task.stages.push_back(stages.size());
      stages.push_back({std::make_unique<Benchmark>(task.task, std::move(problems),
                                                    benchmark_options(invocation, task, temperature, job)),
                        temperature, fmt::format("{} T={}", task.name, temperature_key(temperature))});
      stages.back().benchmark->prepare();
    }
  }
  return stages;
}

struct Written {
  std::string task;
  fs::path results;
  fs::path metrics_path;
  OrderedJson metrics;
  std::size_t answers = 0;
};

std::size_t count_answers(const OrderedJson& document) {
  std::size_t count = 0;
  for (const auto& [text, problem] : document.items()) {
    for (const auto& [temperature, samples] : problem.at("responses").items()) count += samples.size();
  }
  return count;
}

Written write_files(const Invocation& invocation, const EvalTask& task, const OrderedJson& document,
                    const Json& config) {
  const fs::path folder = invocation.settings.eval.result_dir;
  const std::string file = eval_file_stem(name_of(invocation, task, temperatures_of(invocation))) + ".json";
  Written written{task.name, folder / file, folder / "metrics" / file, {}, count_answers(document)};
  written.metrics = eval_metrics(document, written.results.string());
  written.metrics["config"] = OrderedJson(config);
  write_file_atomically(written.results, eval_file_text(document));
  write_file_atomically(written.metrics_path, eval_file_text(written.metrics));
  return written;
}

std::string percent(const OrderedJson& share) {
  return fmt::format("{:.1f} [{:.1f}, {:.1f}]", 100 * share.at("mean").get<double>(),
                     100 * share.at("low").get<double>(), 100 * share.at("high").get<double>());
}

void print_summary(const std::vector<Written>& files, Format format) {
  if (format == Format::json) {
    OrderedJson tasks = OrderedJson::array();
    for (const Written& written : files) {
      tasks.push_back({{"task", written.task},
                       {"metrics", written.metrics},
                       {"files", {{"results", written.results.string()}, {"metrics", written.metrics_path.string()}}}});
    }
    fmt::print("{}\n", to_line(OrderedJson{{"tasks", std::move(tasks)}}));
    return;
  }
  Table table({"task, temperature", "problems", "answers", "right (%), 95 % interval", "pass@n (%)", "maj@n (%)"});
  std::string unjudged;
  std::string paths;
  for (const Written& written : files) {
    if (written.metrics.at("statistics").empty()) {
      unjudged += fmt::format("{}: answers stored: {}, judged: none\n", written.task, written.answers);
    }
    for (const auto& [temperature, figures] : written.metrics.at("statistics").items()) {
      const OrderedJson& accuracy = figures.at("accuracy");
      table.add_row({written.task + ", " + temperature.substr(temperature.find('=') + 1),
                     accuracy.at("problems").dump(), accuracy.at("n").dump(), percent(accuracy),
                     percent(figures.at("pass_at_k").back()), percent(figures.at("maj_at_k").back())});
    }
    paths += fmt::format("Results: {}\n", written.results.string());
  }
  const std::string text = table.to_string();
  fmt::print("{}{}{}{}", text, text.empty() ? "" : "\n", unjudged, paths);
}

int conclude(const Invocation& invocation, const EvaluationJob& job, const std::vector<EvalTask>& tasks,
             const std::vector<WorkStage>& stages) {
  const auto conversation_of = [&](const std::string& prompt) { return job.conversation(prompt); };
  std::size_t finished = 0;
  std::size_t total = 0;
  for (const WorkStage& stage : stages) {
    finished += stage.benchmark->finished();
    total += stage.benchmark->total();
  }
  if (finished < total) {
    spdlog::warn("interrupted: {} of {} answers are recorded in {}; the same command goes on", finished, total,
                 (fs::path(invocation.settings.eval.result_dir) / "runs").string());
    return kExitInterrupted;
  }
  std::vector<Written> files;
  for (const EvalTask& task : tasks) {
    std::vector<EvalStage> of_task;
    for (const std::size_t stage : task.stages) {
      const auto records = stages[stage].benchmark->all_records();
      if (records) of_task.push_back({stages[stage].temperature, *records});
    }
    if (of_task.size() < task.stages.size()) {
      spdlog::info("{}: part {}/{} is finished; the last part to end writes the results", task.name,
                   invocation.settings.bench.part.number, invocation.settings.bench.part.of);
      continue;
    }
    const auto& problems = stages[task.stages.front()].benchmark->problems();
    files.push_back(write_files(invocation, task, eval_document(task.name, problems, of_task, conversation_of),
                                stages[task.stages.front()].benchmark->config()));
  }
  print_summary(files, invocation.settings.format);
  return kExitSuccess;
}

/// --check: no models.
int check_answers(const Invocation& invocation) {
  const Judge judge(invocation.settings.evaluation.judge);
  std::vector<Written> files;
  for (const EvalTask& task : load_eval_tasks(invocation.settings)) {
    const std::string stem = eval_file_stem(name_of(invocation, task, temperatures_of(invocation)));
    const fs::path path = fs::path(invocation.settings.eval.result_dir) / (stem + ".json");
    if (!fs::exists(path)) {
      throw UserError("--check: there is no {}; the flags that are part of the name must be those of the evaluation",
                      path.string());
    }
    const std::string content = read_file(path);
    parse_json(content, path.string());
    OrderedJson document = OrderedJson::parse(content);
    const std::size_t judged = check_document(document, task.problems, judge, task.task.answer_rule, path.string());
    spdlog::info("{}: {} answers judged anew", path.string(), judged);
    fs::create_directories(path.parent_path() / "metrics");
    files.push_back(write_files(invocation, task, document, settings_that_affect(Affects::tokens, invocation)));
  }
  print_summary(files, invocation.settings.format);
  return kExitSuccess;
}

}  // namespace

int run_eval(const Invocation& invocation) {
  const EvalSettings& eval = invocation.settings.eval;
  if (eval.check && eval.inference)
    throw UserError("--check judges answers, --inference does not: leave out one of them");
  return run_on_ranks(invocation.settings.models.collective_timeout, [&](const ProcessGroup& world) {
    if (eval.check) {
      together(world, [&] {
        if (world.rank() == 0) check_answers(invocation);
      });
      return static_cast<int>(kExitSuccess);
    }
    EvaluationJob job(world, invocation, {invocation.settings.models.draft ? RunMode::spec : RunMode::large});
    std::vector<EvalTask> tasks;
    return end_job_on_failure(world, [&] {
      return job.run(
          {.prepare = [&] { return prepare(invocation, job, tasks); },
           .conclude = [&](const std::vector<WorkStage>& stages) { return conclude(invocation, job, tasks, stages); }});
    });
  });
}

}  // namespace specthink::inline app
