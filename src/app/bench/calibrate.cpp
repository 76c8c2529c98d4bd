// specthink bench --calibrate: the threshold or rate at which the target writes a wanted share.
#include <fmt/format.h>

#include "app/commands.h"
#include "app/job/job.h"
#include "app/job/loaded_models.h"
#include "app/job/signals.h"
#include "app/job/text_side.h"
#include "app/task_file.h"
#include "specthink/base/log.h"
#include "specthink/config/policies.h"
#include "specthink/engine/runner.h"
#include "specthink/evaluation/calibration.h"
#include "specthink/evaluation/task.h"
#include "specthink/report/table.h"

namespace specthink::inline app {
namespace {

/// A signal has come.
struct Interrupted {};

/// Runs of a benchmark with one value of a setting after the other.
class Calibrator {
 public:
  Calibrator(LoadedModels& models, TextSide& text, const Settings& settings)
      : models_(models), text_(text), settings_(settings) {
    const Task task = load_task(task_file(settings));
    for (const Problem& problem :
         load_problems(task, settings.data_dir, static_cast<std::size_t>(settings.bench.num_problems),
                       {.choice_order = settings.evaluation.choice_order, .seed = settings.sampling.seed})) {
      const OrderedJson messages = OrderedJson::array({{{"role", "user"}, {"content", problem.prompt}}});
      prompts_.push_back(text_.make_prompt(messages, /*enable_thinking=*/true));
      models_.check_prompt(prompts_.back().ids);
    }
  }

  /// The target's share of all tokens of the runs.
  double share_at(Policy policy, double value) {
    Ledger sum;
    bool interrupted = false;
    const std::size_t runs = static_cast<std::size_t>(settings_.bench.num_runs);
    std::size_t given = 0;
    run_schedules(models_.engine(), {models_.batch(), settings_.bench.reserve}, [&]() -> std::optional<ScheduledRun> {
      if (given == prompts_.size() * runs || stop_requested()) return std::nullopt;
      const std::size_t problem = given / runs;
      ScheduledRun run;
      run.setup = text_.make_setup(prompts_[problem], {}, policy);
      set_calibrated(run.setup.settings, value);
      run.options.sampling = sampling_params(settings_);
      run.options.draw = {settings_.sampling.seed, static_cast<std::uint32_t>(problem),
                          static_cast<std::uint32_t>(given % runs)};
      run.options.interrupted = stop_requested;
      run.done = [&](const EngineRun& done) {
        sum += done.result.ledger;
        interrupted = interrupted || done.result.finish_reason == FinishReason::interrupted;
      };
      ++given;
      return run;
    });
    if (interrupted || stop_requested()) throw Interrupted();
    spdlog::info("{} at {:.4g}: the target writes {:.1f} %", name_of(policy), value, 100 * sum.target_share());
    return sum.target_share();
  }

 private:
  LoadedModels& models_;
  TextSide& text_;
  const Settings& settings_;
  std::vector<TextSide::Prompt> prompts_;
};

void print(Policy policy, double wanted, const Calibration& found, Format format) {
  if (format == Format::json) {
    OrderedJson tries = OrderedJson::array();
    for (const CalibrationTry& made : found.tries) tries.push_back({made.value, made.target_share});
    const OrderedJson object{{"policy", name_of(policy)},
                             {"wanted_share", wanted},
                             {"key", calibrated_key(policy)},
                             {"value", found.best.value},
                             {"target_share", found.best.target_share},
                             {"tries", tries}};
    fmt::print("{}\n", object.dump());
    return;
  }
  std::vector<std::vector<std::string>> rows;
  for (const CalibrationTry& made : found.tries) {
    rows.push_back({fmt::format("{:.4g}", made.value), fmt::format("{:.1f}", 100 * made.target_share)});
  }
  fmt::print("{}\npolicy: {}\n{}: {:.4g}  # the target writes {:.1f} % (wanted: {:.1f} %)\n",
             markdown_table({calibrated_key(policy), "target share, %"}, rows), name_of(policy), calibrated_key(policy),
             found.best.value, 100 * found.best.target_share, 100 * wanted);
}

}  // namespace

int run_calibration(const Invocation& invocation) {
  const Settings& settings = invocation.settings;
  return run_on_ranks(settings.models.collective_timeout, [&](const ProcessGroup& group) {
    require_one_group(group, invocation);
    LoadedModels models(group, invocation, /*with_draft=*/true);
    TextSide text(group, models, settings);
    std::optional<Calibrator> calibrator;
    const std::vector<Policy> policies = chosen_policies(settings);
    together(group, [&] {
      if (!models.is_root()) return;
      if (!models.has_draft()) throw UserError("--calibrate needs a draft model: give --draft FOLDER");
      for (const Policy policy : policies) {
        if (calibrated_key(policy)) continue;
        throw UserError(
            "--calibrate: policy {} has no threshold and no rate; expected score, step_entropy, token_entropy or "
            "random",
            name_of(policy));
      }
      calibrator.emplace(models, text, settings);
    });
    models.load();
    return models.drive([&] {
      text.install_stops(models.engine());
      for (const Policy policy : policies) {
        ScheduleSettings schedule = settings.schedule;
        schedule.policy = policy;
        const double wanted = *settings.bench.calibrate;
        try {
          const auto share_at = [&](double value) { return calibrator->share_at(policy, value); };
          print(policy, wanted, calibrate(schedule, wanted, share_at), settings.format);
        } catch (const Interrupted&) {
          return kExitInterrupted;
        }
      }
      return kExitSuccess;
    });
  });
}

}  // namespace specthink::inline app
