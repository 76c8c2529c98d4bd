// The loop of the original program, faults included (compat original, and each mode but vllm). It looks for EOS and
// triggers in ids and text of its own choice, so that the reason for which a request ended tells it nothing.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "schedule/loops.h"
#include "schedule/recap.h"
#include "schedule/sentiment.h"
#include "schedule/writing.h"

namespace specthink::inline schedule {
namespace {

/// Only the tokenizer's own EOS counts, and it is looked for in a window that may reach into the prompt.
bool ends_within(std::span<const TokenId> ids, std::size_t window, const RunSetup& setup) {
  if (setup.ignore_eos || !setup.tokenizer_eos) return false;
  const auto last = ids.last(std::min(window, ids.size()));
  return std::ranges::find(last, *setup.tokenizer_eos) != last.end();
}

}  // namespace

int original_limit(const RunSetup& setup) {
  if (setup.settings.mode == Mode::vllm_p && !setup.normal_mode) return setup.max_tokens;
  const int room = kOriginalContext - static_cast<int>(setup.prompt.size()) - kOriginalReserve;
  return std::max(0, std::min(setup.max_tokens, room));
}

Script original_loop(RunState& run) {
  const ScheduleSettings& settings = run.settings();
  const std::unique_ptr<Writing> writing = make_writing(run);
  const std::string help_think_word = settings.help_think_word.value_or("");
  const auto eos_window = static_cast<std::size_t>(settings.max_target_tokens);
  const int limit = original_limit(run.setup());
  Recap recap(settings);
  bool at_begin = settings.begin;
  int token_num = 0;
  Role writer = Role::draft;  // of the text's end, but for injected words

  while (token_num < limit) {
    // 1.
    if (run.timed_out()) {
      run.finish(FinishReason::time_out);
      co_return;
    }

    // 2. A segment. A trigger counts when it shows in the text of its last tokens.
    bool at_trigger = false;
    if (!at_begin) {
      const TokenIds segment = (co_await writing->ask_segment()).ids;
      const bool at_end = ends_within(segment, 1, run.setup());
      at_trigger = writing->append_segment(segment, at_end);
      writer = Role::draft;
      if (at_end) {
        run.finish(FinishReason::stop);
        co_return;
      }
    }

    // 3. The decision: nothing, a probe that the target may answer, or a takeover at once.
    int takeover = 0;
    std::string why = "begin";  // the rule of the takeover
    if (at_begin) {
      takeover = settings.begin_token_num;
      at_begin = false;
    } else if (at_trigger && recap.due()) {
      writing->inject(settings.help_recap_words);
      why = fmt::format("recap {}", recap.negatives());
      takeover = recap.start();
    } else if (at_trigger) {
      writing->inject(help_think_word);
      const TokenIds probe_ids = (co_await writing->ask(Purpose::probe, settings.max_target_tokens)).ids;
      const Thought probe = judge(writing->text_of(probe_ids, Role::draft), settings);
      if (settings.not_reasoning || probe.sentiment != 0) {
        const std::string asked_because = probe.sentiment != 0 ? probe.rule : "not_reasoning";
        run.give_reason(asked_because);
        const TokenIds answer_ids = (co_await writing->ask(Purpose::answer, settings.max_target_tokens)).ids;
        const Thought answer = judge(writing->text_of(answer_ids, Role::target), settings);
        run.count_validation();
        const bool keep_answer = keeps_answer(probe, answer, settings);
        if (keep_answer) {
          run.log({run.generated(), settings.max_target_tokens, answer.text, probe.text});
          run.count_nominal(settings.max_target_tokens);
          if (writer == Role::draft) run.count_hand_over(asked_because);
        }
        writer = keep_answer ? Role::target : Role::draft;
        writing->append(keep_answer ? answer_ids : probe_ids, writer);
        const Thought& kept = keep_answer ? answer : probe;
        if (kept.sentiment < 0) recap.count_negative();
        if (kept.asks_verify) {
          why = "verify " + kept.verify;
          takeover = settings.original_recap_token_num;
        }
      }
    }
    if (takeover > 0) {
      run.give_reason(why);
      const TokenIds takeover_ids = (co_await writing->ask(Purpose::takeover, takeover)).ids;
      run.count_validation();
      run.log({run.generated(), takeover, writing->text_of(takeover_ids, Role::target), std::nullopt});
      run.count_nominal(takeover);
      if (writer == Role::draft) run.count_hand_over(why);
      writer = Role::target;
      writing->append(takeover_ids, writer);
    }

    // 4.
    token_num = static_cast<int>(run.ids().size());
    if (ends_within(run.ids(), eos_window, run.setup())) {
      run.finish(FinishReason::stop);
      co_return;
    }
  }
  run.finish(FinishReason::length);
}

}  // namespace specthink::inline schedule
