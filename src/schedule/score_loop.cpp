// Policy score: the draft writes a step, the target gives it a mark, and writes one instead where the mark is too low
// (SpecReason, arXiv 2504.07891).
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "schedule/loops.h"
#include "schedule/passages.h"
#include "schedule/trigger_scan.h"

namespace specthink::inline schedule {
namespace {

constexpr int kStepTokens = 512;

/// The mark of a step, from the log-probabilities of the ten digits.
double mark_of(std::span<const float> logprobs, ScoreMethod method) {
  const auto likeliest = std::max_element(logprobs.begin(), logprobs.end());
  if (method == ScoreMethod::greedy) return static_cast<double>(likeliest - logprobs.begin());
  double sum = 0;
  double weighted = 0;
  for (std::size_t digit = 0; digit < logprobs.size(); ++digit) {
    const double probability = std::exp(static_cast<double>(logprobs[digit]) - *likeliest);
    sum += probability;
    weighted += probability * static_cast<double>(digit);
  }
  return weighted / sum;
}

std::string describe(double mark, ScoreMethod method) {
  return method == ScoreMethod::greedy ? std::to_string(static_cast<int>(mark)) : two_decimals(mark);
}

/// Whether the target can read the question behind the text and a step of so many tokens.
bool has_room_to_judge(const RunState& run, std::size_t step) {
  return std::cmp_less_equal(run.ids().size() + step + run.setup().question.size(), run.setup().max_model_len);
}

}  // namespace

Script score_loop(RunState& run) {
  const ScheduleSettings& settings = run.settings();
  TriggerScan scan(*run.setup().step_ends);
  Role writer = Role::draft;
  for (int step = 0; run.thinking() && !run.close_thinking(); ++step) {
    std::optional<std::string> replaced;
    bool target_writes = step < settings.first_steps_by_target;
    if (target_writes) {
      if (writer == Role::draft) run.hand_over("first_steps");
    } else {
      const RunState::Reply drafted = co_await run.ask_in_time({.purpose = Purpose::probe,
                                                                .max_tokens = kStepTokens,
                                                                .stops = run.setup().step_ends,
                                                                .stop_state = scan.state(),
                                                                .stops_at_think_end = true});
      RunState::Reply reading;
      if (has_room_to_judge(run, drafted.ids.size())) reading = co_await run.ask_reading(drafted.ids);
      if (reading.measured.reading.empty()) {
        run.count_unjudged();
      } else {
        const double mark = mark_of(reading.measured.reading, settings.score_method);
        target_writes = mark < settings.score_threshold;
        if (target_writes) {
          run.hand_over("score", describe(mark, settings.score_method));
          replaced = run.decode(drafted.ids);
        }
      }
      run.note_kept(target_writes ? 0 : drafted.ids.size());
      writer = Role::draft;
      if (!target_writes) {
        scan.read(drafted.ids);
        if (keep_passage(run, drafted)) co_return;
      }
    }
    if (!target_writes) continue;
    const RunState::Reply written = co_await run.ask_in_time({.purpose = Purpose::takeover,
                                                              .max_tokens = kStepTokens,
                                                              .stops = run.setup().step_ends,
                                                              .stop_state = scan.state(),
                                                              .stops_at_think_end = true});
    writer = Role::target;
    scan.read(written.ids);
    if (keep_takeover(run, written, replaced)) co_return;
  }
  finish_with_answer(run, co_await ask_for_answer(run, writer));
}

}  // namespace specthink::inline schedule
