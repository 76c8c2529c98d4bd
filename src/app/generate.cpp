// specthink generate: one answer, streamed, with who wrote what.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "app/colored_output.h"
#include "app/commands.h"
#include "app/input.h"
#include "app/job/job.h"
#include "app/job/loaded_models.h"
#include "app/job/signals.h"
#include "app/job/text_side.h"
#include "specthink/base/file.h"
#include "specthink/base/log.h"
#include "specthink/engine/runner.h"
#include "specthink/report/ledger.h"
#include "specthink/report/trace.h"

namespace specthink::inline app {
namespace {

TextSide::Prompt read_prompt(TextSide& text, const GenerateSettings& settings) {
  if (settings.prompt_ids) return text.make_prompt(*settings.prompt_ids);
  return text.make_prompt(read_messages(settings), settings.thinking);
}

/// The text behind the prompt. In mode vllm_p ids of two tokenizers follow each other, and the run has the text.
std::string answer_text(const RunResult& result, const RunSetup& setup) {
  if (setup.draft_tokenizer) return result.text.substr(setup.prompt_text.size());
  return setup.tokenizer->decode(result.ids, /*skip_special_tokens=*/true);
}

void print_json(const EngineRun& run, const RunSetup& setup) {
  Json output;
  output["ids"] = run.result.ids;
  output["text"] = setup.tokenizer ? Json(answer_text(run.result, setup)) : Json(nullptr);
  output["finish_reason"] = name_of(run.result.finish_reason);
  output["ledger"] = to_json(run.result.ledger);
  fmt::print("{}\n", output.dump());
}

void print_ids(const TokenIds& ids) { fmt::print("{}\n", Json(ids).dump()); }

Trace trace_of(const EngineRun& run, std::size_t prompt_tokens) {
  Trace trace;
  trace.prompt_tokens = static_cast<int>(prompt_tokens);
  trace.completion_tokens = static_cast<int>(run.result.ids.size());
  trace.segments = run.result.segments;
  return trace;
}

void print_summary(const EngineRun& run) {
  const Ledger& ledger = run.result.ledger;
  spdlog::info("{} tokens in {:.2f} s ({:.1f}/s), ended by {}", ledger.generated(), run.seconds,
               run.seconds > 0 ? static_cast<double>(ledger.generated()) / run.seconds : 0.0,
               name_of(run.result.finish_reason));
  spdlog::info(
      "draft {}, target {} ({:.1f} %), injected {}; thrown away: draft {}, target {}; caught up: draft {}, target {}",
      ledger.draft, ledger.target, 100 * ledger.target_share(), ledger.injected, ledger.draft_wasted,
      ledger.target_wasted, ledger.draft_prefilled, ledger.target_prefilled);
  for (const auto& [role, times] : {std::pair{Role::draft, run.draft}, std::pair{Role::target, run.target}}) {
    if (times.decode_steps == 0) continue;
    spdlog::info("{}: {:.3f} ms a decode step ({} steps), {:.2f} s of prefill", name_of(role),
                 times.milliseconds_per_step(), times.decode_steps, times.prefill_seconds);
  }
}

}  // namespace

int run_generate(const Invocation& invocation) {
  const Settings& settings = invocation.settings;
  return run_on_ranks(settings.models.collective_timeout, [&](const ProcessGroup& group) {
    require_one_group(group, invocation);
    LoadedModels models(group, invocation, /*with_draft=*/true);
    TextSide text(group, models, settings);
    TextSide::Prompt prompt;
    together(group, [&] {
      if (!models.is_root()) return;
      group.mark(Phase::input);
      prompt = read_prompt(text, settings.generate);
      group.mark(Phase::start);
      models.check_prompt(prompt.ids);
    });
    models.load();
    return models.drive([&] {
      text.install_stops(models.engine());
      const bool as_json = settings.format == Format::json;
      const Tokenizer* tokenizer = text.tokenizer();
      ColoredOutput output(tokenizer, settings.generate.color);
      RunOptions options;
      options.sampling = sampling_params(settings);
      options.draw = {settings.sampling.seed, 0, 0};
      options.interrupted = stop_requested;
      if (!as_json && tokenizer) {
        options.on_token = [&](const WrittenToken& token) { output.push(token.id, token.origin); };
        options.on_text = [&](const TextPiece& piece) { output.push(piece); };
      }
      const RunSetup setup = text.make_setup(std::move(prompt));
      const EngineRun run = run_schedule(models.engine(), setup, options);
      if (as_json) {
        print_json(run, setup);
      } else if (tokenizer) {
        output.finish();
      } else {
        print_ids(run.result.ids);
      }
      print_summary(run);
      if (settings.generate.trace) {
        append_line(*settings.generate.trace, to_json(trace_of(run, setup.prompt.size())).dump());
      }
      return run.result.finish_reason == FinishReason::interrupted ? kExitInterrupted : kExitSuccess;
    });
  });
}

}  // namespace specthink::inline app
