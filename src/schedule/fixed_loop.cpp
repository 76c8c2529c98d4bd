// The loop that counts and keeps what it should (compat fixed, the default).
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

/// What the draft wrote ahead of a decision. The rest of a neutral probe, behind its trigger, is the next one's
/// beginning: a probe may be of several requests.
class Probe {
 public:
  const TokenIds& ids() const { return ids_; }

  /// Adds what the last request brought; nothing of it stays yet.
  void add(RunState& run, const TokenIds& ids) {
    run.note_kept(0);
    pieces_.push_back({run.last_written(), ids.size()});
    ids_.insert(ids_.end(), ids.begin(), ids.end());
  }

  /// The first `count` tokens stay in the text, the others are left.
  void take(RunState& run, std::size_t count) {
    ids_.erase(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(count));
    for (Piece& piece : pieces_) {
      const std::size_t taken = std::min(count, piece.tokens);
      run.note_more_kept(piece.segment, taken);
      piece.tokens -= taken;
      count -= taken;
    }
  }

  void clear() {
    ids_.clear();
    pieces_.clear();
  }

 private:
  struct Piece {
    std::size_t segment;  // of the trace
    std::size_t tokens;
  };

  TokenIds ids_;
  std::vector<Piece> pieces_;
};

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
  Probe probe;              // between decisions what stands behind the trigger of a neutral one
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
      probe.clear();
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
    if (recap.due()) {  // the probe is empty: only a kept thought makes a recap due, and it leaves none
      inject(help_recap_words);
      why = fmt::format("recap {}", recap.negatives());
      takeover = recap.start();
      continue;
    }
    const StopAutomaton::State state_before = scan.state();
    inject(help_think_word);
    if (is_budget_spent(run)) continue;
    const int missing = missing_probe_tokens(run, probe.ids());
    if (missing > 0) {
      const RunState::Reply reply = co_await ask(run, Purpose::probe, missing, probe.ids());
      probe.add(run, reply.ids);
    }
    const Thought thought = judge(run.decode(probe.ids()), settings);

    if (settings.not_reasoning || thought.sentiment != 0) {
      const std::string asked_because = thought.sentiment != 0 ? thought.rule : "not_reasoning";
      run.give_reason(asked_because);
      const RunState::Reply reply = co_await ask(run, Purpose::answer, settings.max_target_tokens);
      const TokenIds& answer_ids = reply.ids;
      const Thought answer = judge(run.decode(answer_ids), settings);
      run.count_validation();
      const bool keep_answer = keeps_answer(thought, answer, settings);
      const TokenIds kept_ids = keep_answer ? answer_ids : probe.ids();
      if (keep_answer) {
        run.log({run.generated(), static_cast<int>(answer_ids.size()), answer.text, thought.text});
        run.count_nominal(settings.max_target_tokens);
        if (writer == Role::draft) run.count_hand_over(asked_because);
      } else {
        run.note_kept(0);
        probe.take(run, kept_ids.size());
      }
      probe.clear();
      writer = keep_answer ? Role::target : Role::draft;
      const Thought& kept = keep_answer ? answer : thought;
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
      probe.clear();
      scan.set_state(state_before);
    } else {
      const auto [length, found] = scan.read_to_trigger(probe.ids());
      const TokenIds kept_ids(probe.ids().begin(), probe.ids().begin() + static_cast<std::ptrdiff_t>(length));
      run.append(kept_ids, Origin::draft);
      probe.take(run, length);
      writer = Role::draft;
      if (run.has_eos(kept_ids)) break;
      if (!found) probe.clear();
      at_trigger = found;
    }
  }
  run.finish(FinishReason::stop);
}

}  // namespace specthink::inline schedule
