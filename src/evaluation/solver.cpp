#include "specthink/evaluation/solver.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "specthink/base/error.h"
#include "specthink/base/log.h"
#include "specthink/text/detokenizer.h"

namespace specthink::inline evaluation {
namespace {

static_assert(kMaxBatch == kMaxSequences, "a batch that the settings allow is one that the engine takes");

constexpr int kWarmUpTokens = 50;
constexpr const char* kWarmUpPrompt = "What is 2+2?";

Json phase_json(const PhaseTimes& times) {
  return {{"decode_steps", times.decode_steps},
          {"ms_per_step", times.milliseconds_per_step()},
          {"prefilled", times.prefilled},
          {"prefill_seconds", times.prefill_seconds}};
}

// The text in pieces of one writer each: [WRITER, characters] in order.
class OriginPieces {
 public:
  void add(const std::string& text, Origin origin) {
    constexpr const char* kNames[] = {"draft", "target", "injected"};  // by Origin
    const auto characters = static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
    if (characters == 0) return;
    const char* name = kNames[static_cast<std::size_t>(origin)];
    if (pieces_.empty() || pieces_.back()[0] != name) pieces_.push_back({name, std::size_t{0}});
    pieces_.back()[1] = pieces_.back()[1].get<std::size_t>() + characters;
  }

  void add(const RunResult& result, const Tokenizer& tokenizer) {
    IncrementalDetokenizer detokenizer(tokenizer);
    for (std::size_t i = 0; i < result.ids.size(); ++i) add(detokenizer.push(result.ids[i]), result.origins[i]);
    if (!result.origins.empty()) add(detokenizer.flush(), result.origins.back());
  }

  const Json& json() const { return pieces_; }

 private:
  Json pieces_ = Json::array();
};

std::optional<Role> model_alone(RunMode mode) {
  if (is_target_alone(mode)) return Role::target;
  if (mode == RunMode::draft) return Role::draft;
  return std::nullopt;
}

}  // namespace

Solver::Solver(Engine& engine, Options options) : engine_(engine), options_(std::move(options)) {
  check(options_.make_setup && options_.stop_requested, "a solver is told how runs begin and when they are to end");
}

void Solver::warm_up(const std::vector<RunMode>& modes, std::size_t stages) {
  for (std::size_t stage = 0; stage < stages; ++stage) {
    for (const RunMode mode : modes) {
      RunSetup setup = options_.make_setup(kWarmUpPrompt, model_alone(mode), stage);
      setup.max_tokens = std::min(setup.max_tokens, kWarmUpTokens);
      setup.settings.time_out = -1;
      RunOptions run_options;
      run_options.sampling = options_.sampling;
      run_options.interrupted = options_.stop_requested;
      run_schedule(engine_, std::move(setup), run_options);
    }
  }
}

ScheduledRun Solver::prepare(const Work& work, WorkSource& source) {
  ScheduledRun run;
  run.setup = options_.make_setup(work.problem.prompt, model_alone(work.key.mode), work.stage);
  run.options.sampling = options_.sampling;
  run.options.sampling.temperature = work.temperature;
  run.options.draw = {options_.seed, static_cast<std::uint32_t>(work.key.problem),
                      static_cast<std::uint32_t>(work.key.run)};
  run.options.speculates =
      work.key.mode == RunMode::spec || work.key.mode == RunMode::large_spec || !options_.alone_is_baseline;
  run.options.interrupted = [this, &source] { return options_.stop_requested() || source.is_stopped(); };
  const auto pieces = std::make_shared<OriginPieces>();
  // In mode vllm_p ids of two tokenizers follow each other; what they say is told as text.
  const Tokenizer* tokenizer = run.setup.draft_tokenizer ? nullptr : run.setup.tokenizer;
  if (!tokenizer) run.options.on_text = [pieces](const TextPiece& piece) { pieces->add(piece.text, piece.origin); };
  run.done = [this, &source, key = work.key, stage = work.stage, prompt_tokens = run.setup.prompt.size(), tokenizer,
              pieces](EngineRun done) {
    if (tokenizer) pieces->add(done.result, *tokenizer);
    RunOutcome outcome = outcome_of(key.mode, prompt_tokens, std::move(done));
    if (key.mode == RunMode::spec) outcome.extra["origins"] = pieces->json();
    source.deliver(stage, make_record(key, outcome));
  };
  return run;
}

RunOutcome Solver::outcome_of(RunMode mode, std::size_t prompt_tokens, EngineRun run) {
  draft_ += run.draft;
  target_ += run.target;
  RunOutcome outcome;
  outcome.prompt_tokens = prompt_tokens;
  outcome.latency = run.seconds;
  if (mode != RunMode::draft) outcome.extra["target"] = phase_json(run.target);
  if (!is_target_alone(mode)) outcome.extra["draft"] = phase_json(run.draft);
  outcome.result = std::move(run.result);
  return outcome;
}

void Solver::do_runs(WorkSource& source) {
  run_schedules(engine_, {options_.batch, options_.reserve}, [&]() -> std::optional<ScheduledRun> {
    const std::optional<Work> work = source.next();
    if (!work) return std::nullopt;
    return prepare(*work, source);
  });
}

void Solver::log_step_times() const {
  for (const auto& [role, times] : {std::pair{Role::draft, draft_}, std::pair{Role::target, target_}}) {
    if (times.decode_steps == 0) continue;
    spdlog::info("{}: {:.3f} ms a decode step ({} steps), {} positions prefilled in {:.2f} s", name_of(role),
                 times.milliseconds_per_step(), times.decode_steps, times.prefilled, times.prefill_seconds);
  }
}

}  // namespace specthink::inline evaluation
