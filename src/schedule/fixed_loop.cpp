// The loop that counts and keeps what it should (compat fixed, the default).
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "schedule/loops.h"
#include "schedule/recap.h"
#include "schedule/sentiment.h"
#include "schedule/trigger_scan.h"

namespace specthink::inline schedule {
namespace {

RunState::Answer ask(RunState& run, Purpose purpose, int max_tokens, std::span<const TokenId> ahead = {}) {
  return run.ask_in_time({.purpose = purpose, .max_tokens = max_tokens}, ahead);
}

RunState::Answer ask_segment(RunState& run, StopAutomaton::State state) {
  return run.ask_in_time(
      {.purpose = Purpose::segment, .max_tokens = kSegmentTokens, .stops = run.setup().triggers, .stop_state = state});
}

/// Whether the thinking budget is used up, which is found out before the limit is.
bool is_budget_spent(const RunState& run) { return run.room() <= 0 && run.left() > 0; }

/// New tokens that a probe which begins with `rest` asks for. A probe without a rest always asks.
int missing_probe_tokens(const RunState& run, std::span<const TokenId> rest) {
  if (run.has_eos(rest)) return 0;
  const int wanted = run.settings().max_target_tokens;
  return (rest.empty() ? wanted : std::min(wanted, run.room())) - static_cast<int>(rest.size());
}

}  // namespace

Script fixed_loop(RunState& run) {
  const ScheduleSettings& settings = run.settings();
  const Tokenizer& tokenizer = *run.setup().tokenizer;
  const TokenIds help_recap_words = tokenizer.encode(settings.help_recap_words);
  const TokenIds help_think_word = tokenizer.encode(settings.help_think_word.value_or(""));
  TriggerScan scan(*run.setup().triggers);
  Recap recap(settings);
  TokenIds rest;            // draft tokens behind the trigger of a neutral probe: the next probe begins with them
  bool at_trigger = false;  // the text's last token completes a trigger
  int takeover = settings.begin ? settings.begin_token_num : 0;
  std::string why = "begin";  // the rule of the coming takeover
  Role writer = Role::draft;  // of the text's end, but for injected words
  const auto inject = [&](const TokenIds& words) {
    if (words.empty()) return;
    run.inject(words);
    scan.set_state(StopAutomaton::kStart);  // injected text neither completes nor begins a trigger
  };

  while (true) {
    if (run.close_thinking()) {
      scan.set_state(StopAutomaton::kStart);
      rest.clear();
      at_trigger = false;
      takeover = 0;
    }

    // 1., and what step 3 decided.
    if (takeover > 0) {
      run.give_reason(why);
      const RunState::Reply reply = co_await ask(run, Purpose::takeover, takeover);
      if (writer == Role::draft) run.count_hand_over(why);
      writer = Role::target;
      run.count_validation();
      run.log({run.generated(), static_cast<int>(reply.ids.size()), run.decode(reply.ids), std::nullopt});
      run.count_nominal(takeover);
      run.append(reply.ids, Origin::target);
      takeover = 0;
      at_trigger = scan.read(reply.ids);
      if (run.has_eos(reply)) break;
      if (is_budget_spent(run)) continue;
    }

    // 2. Segments up to a trigger.
    if (!at_trigger) {
      const RunState::Reply reply = co_await ask_segment(run, scan.state());
      run.append(reply.ids, Origin::draft);
      writer = Role::draft;
      scan.read(reply.ids);
      if (run.has_eos(reply)) break;
      at_trigger = reply.reason == EndReason::trigger;
      if (!at_trigger || is_budget_spent(run)) continue;
    }

    // 3. The decision.
    at_trigger = false;
    if (recap.due()) {  // `rest` is empty: only a kept thought makes a recap due, and it leaves none
      inject(help_recap_words);
      why = fmt::format("recap {}", recap.negatives());
      takeover = recap.start();
      continue;
    }
    const StopAutomaton::State state_before = scan.state();
    inject(help_think_word);
    if (is_budget_spent(run)) continue;
    TokenIds probe_ids = std::exchange(rest, {});
    const int missing = missing_probe_tokens(run, probe_ids);
    if (missing > 0) {
      const RunState::Reply reply = co_await ask(run, Purpose::probe, missing, probe_ids);
      probe_ids.insert(probe_ids.end(), reply.ids.begin(), reply.ids.end());
    }
    const Thought probe = judge(run.decode(probe_ids), settings);

    if (settings.not_reasoning || probe.sentiment != 0) {
      const std::string asked_because = probe.sentiment != 0 ? probe.rule : "not_reasoning";
      run.give_reason(asked_because);
      const RunState::Reply reply = co_await ask(run, Purpose::answer, settings.max_target_tokens);
      const TokenIds& answer_ids = reply.ids;
      const Thought answer = judge(run.decode(answer_ids), settings);
      run.count_validation();
      const bool keep_answer = keeps_answer(probe, answer, settings);
      if (keep_answer) {
        run.log({run.generated(), static_cast<int>(answer_ids.size()), answer.text, probe.text});
        run.count_nominal(settings.max_target_tokens);
        if (writer == Role::draft) run.count_hand_over(asked_because);
      }
      writer = keep_answer ? Role::target : Role::draft;
      const TokenIds& kept_ids = keep_answer ? answer_ids : probe_ids;
      const Thought& kept = keep_answer ? answer : probe;
      run.append(kept_ids, keep_answer ? Origin::target : Origin::draft);
      at_trigger = scan.read(kept_ids);
      if (run.has_eos(kept_ids)) break;
      if (kept.sentiment < 0) recap.count_negative();
      if (kept.asks_verify) {
        why = "verify " + kept.verify;
        takeover = settings.original_recap_token_num;
      }
    } else if (!help_think_word.empty()) {
      run.withdraw();
      scan.set_state(state_before);
    } else {
      const auto [length, found] = scan.read_to_trigger(probe_ids);
      const auto kept_ids = std::span(probe_ids).first(length);
      run.append(kept_ids, Origin::draft);
      writer = Role::draft;
      if (run.has_eos(kept_ids)) break;
      if (found) rest.assign(probe_ids.begin() + static_cast<std::ptrdiff_t>(length), probe_ids.end());
      at_trigger = found;
    }
  }
  run.finish(FinishReason::stop);
}

}  // namespace specthink::inline schedule
