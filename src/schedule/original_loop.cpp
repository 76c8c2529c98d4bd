// The loop of the original program, faults included (compat original). It looks for EOS and triggers in ids and text of
// its own choice, so that the reason for which a request ended tells it nothing.
#include <algorithm>
#include <utility>

#include "schedule/loops.h"
#include "schedule/recap.h"
#include "schedule/sentiment.h"

namespace specthink::inline schedule {
namespace {

constexpr std::size_t kTailTokens = 5;

bool contains_trigger(const std::string& text, const ScheduleSettings& settings) {
  return std::ranges::any_of(settings.trigger_tokens,
                             [&](const std::string& trigger) { return text.find(trigger) != std::string::npos; });
}

/// Only the tokenizer's own EOS counts, and it is looked for in a window that may reach into the prompt.
bool ends_within(std::span<const TokenId> ids, std::size_t window, const RunSetup& setup) {
  if (setup.ignore_eos || !setup.tokenizer_eos) return false;
  const auto last = ids.last(std::min(window, ids.size()));
  return std::ranges::find(last, *setup.tokenizer_eos) != last.end();
}

}  // namespace

int original_limit(const RunSetup& setup) {
  const int room = kOriginalContext - static_cast<int>(setup.prompt.size()) - kOriginalReserve;
  return std::max(0, std::min(setup.max_tokens, room));
}

Script original_loop(RunState& run) {
  const ScheduleSettings& settings = run.settings();
  const Tokenizer& tokenizer = *run.setup().tokenizer;
  const TokenIds help_recap_words = tokenizer.encode(settings.help_recap_words);
  const TokenIds help_think_word = tokenizer.encode(settings.help_think_word.value_or(""));
  const auto eos_window = static_cast<std::size_t>(settings.max_target_tokens);
  const int limit = original_limit(run.setup());
  Recap recap(settings);
  bool at_begin = settings.begin;
  int token_num = 0;

  while (token_num < limit) {
    // 1.
    if (run.timed_out()) {
      run.finish(FinishReason::time_out);
      co_return;
    }

    // 2. A segment. A trigger counts when it shows in the text of its last tokens.
    bool at_trigger = false;
    if (!at_begin) {
      const TokenIds segment = (co_await run.ask_segment(kSegmentTokens, StopAutomaton::kStart)).ids;
      run.append(segment, Origin::draft);
      if (ends_within(segment, 1, run.setup())) {
        run.finish(FinishReason::stop);
        co_return;
      }
      const auto tail = std::span(segment).last(std::min(kTailTokens, segment.size()));
      at_trigger = contains_trigger(run.decode(tail), settings);
    }

    // 3. The decision: nothing, a probe that the target may answer, or a takeover at once.
    int takeover = 0;
    if (at_begin) {
      takeover = settings.begin_token_num;
      at_begin = false;
    } else if (at_trigger && recap.due()) {
      run.inject(help_recap_words);
      takeover = recap.start();
    } else if (at_trigger) {
      run.inject(help_think_word);
      const TokenIds probe_ids = (co_await run.ask(Purpose::probe, settings.max_target_tokens)).ids;
      const Thought probe = judge(run.decode(probe_ids), settings);
      if (settings.not_reasoning || probe.sentiment != 0) {
        const TokenIds answer_ids = (co_await run.ask(Purpose::answer, settings.max_target_tokens)).ids;
        const Thought answer = judge(run.decode(answer_ids), settings);
        run.count_validation();
        const bool keep_answer = keeps_answer(probe, answer, settings);
        if (keep_answer) {
          run.log({run.generated(), settings.max_target_tokens, answer.text, probe.text});
          run.count_nominal(settings.max_target_tokens);
          run.append(answer_ids, Origin::target);
        } else {
          run.append(probe_ids, Origin::draft);
        }
        const Thought& kept = keep_answer ? answer : probe;
        if (kept.sentiment < 0) recap.count_negative();
        if (kept.asks_verify) takeover = settings.original_recap_token_num;
      }
    }
    if (takeover > 0) {
      const TokenIds takeover_ids = (co_await run.ask(Purpose::takeover, takeover)).ids;
      run.count_validation();
      run.log({run.generated(), takeover, run.decode(takeover_ids), std::nullopt});
      run.count_nominal(takeover);
      run.append(takeover_ids, Origin::target);
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
