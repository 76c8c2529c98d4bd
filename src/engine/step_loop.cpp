#include "engine/step_loop.h"

#include <algorithm>
#include <utility>

#include "specthink/base/error.h"

namespace specthink::inline engine {
StepLoop::StepLoop(Decoder& decoder, const ProcessGroup& group, std::vector<Sequence*> sequences,
                   Speculator& speculator, std::vector<DraftProposer> proposers)
    : decoder_(decoder),
      group_(group),
      sequences_(std::move(sequences)),
      speculator_(speculator),
      proposers_(std::move(proposers)),
      speculates_(std::ranges::any_of(sequences_,
                                      [](const Sequence* sequence) { return sequence->request.work.speculates != 0; })),
      verified_(sequences_.size()) {}

void StepLoop::run(int max_steps) {
  for (const StepBatch& batch : first_steps()) enqueue(batch);
  while (true) {
    if ((max_steps == 0 || num_steps_ < max_steps) && may_enqueue()) {
      enqueue(rows_of_those_going_on());
    } else if (!under_way_.empty()) {
      collect();
    } else {
      return;
    }
  }
}

/// New requests first run the ids that the model has not seen. What fits goes into one step, with proposals behind it;
/// a prefill of more rows than a step has is one of its own, without.
std::vector<StepBatch> StepLoop::first_steps() {
  std::vector<StepBatch> steps;
  StepBatch step;
  std::vector<Sequence*> proposing;
  for (Sequence* sequence : sequences_) {
    const SequenceRequest& request = sequence->request;
    if (request.enqueued > 0) continue;
    if (request.pending > kMaxStepRows) {
      const auto pending = static_cast<std::size_t>(request.pending);
      steps.push_back({{{sequence->slot(), std::span(sequence->ids).last(pending), 0}}});
    } else {
      proposing.push_back(sequence);
    }
  }
  if (proposing.empty()) return steps;
  if (sequences_.size() == 1) propose(proposing);
  for (Sequence* sequence : proposing) {
    const StepRows rows = rows_of(*sequence);
    if (step.num_rows() + static_cast<std::int64_t>(rows.tokens.size()) > decoder_.max_rows())
      steps.push_back(std::exchange(step, {}));
    step.sequences.push_back(rows);
  }
  // Requests that go on join it if there is room.
  StepBatch going_on;
  for (Sequence* sequence : sequences_) {
    if (sequence->request.enqueued > 0) going_on.sequences.push_back({sequence->slot(), {}, 0});
  }
  if (steps.empty() && step.num_rows() + going_on.num_rows() <= decoder_.max_rows()) {
    step.sequences.insert(step.sequences.end(), going_on.sequences.begin(), going_on.sequences.end());
  }
  steps.push_back(std::move(step));
  return steps;
}

/// Every rank decides alike, from what it has read: no step beyond an end that is known, none beyond max_tokens.
bool StepLoop::may_enqueue() const {
  const int ahead = speculates_ ? 1 : decoder_.steps_ahead();
  if (under_way_.size() >= static_cast<std::size_t>(ahead)) return false;
  return std::ranges::all_of(sequences_, [&](const Sequence* sequence) {
    const SequenceRequest& request = sequence->request;
    const auto most = static_cast<std::int64_t>(sequence->ids.size() + under_way_.size()) + 1;
    if (most > sequence->room) return false;
    return !request.ended && (speculates_ || request.enqueued < request.work.max_tokens);
  });
}

StepBatch StepLoop::rows_of_those_going_on() {
  std::vector<Sequence*> going_on;
  std::ranges::copy_if(sequences_, std::back_inserter(going_on),
                       [](const Sequence* sequence) { return sequence->request.enqueued > 0; });
  if (speculates_) propose(going_on);
  StepBatch step;
  for (Sequence* sequence : going_on) step.sequences.push_back(rows_of(*sequence));
  return step;
}

/// The rows of a sequence in the coming step: what is pending, and the proposals behind it.
StepRows StepLoop::rows_of(Sequence& sequence) {
  const SequenceRequest& request = sequence.request;
  const TokenIds& proposed = request.proposal.ids;
  if (request.enqueued > 0 && proposed.empty()) return {sequence.slot(), {}, 0};
  const auto pending = static_cast<std::size_t>(request.enqueued > 0 ? 1 : request.pending);
  const std::span<const TokenId> last = std::span(sequence.ids).last(pending);
  if (proposed.empty()) return {sequence.slot(), last, 0};
  const auto index = std::ranges::find(sequences_, &sequence) - sequences_.begin();
  TokenIds& tokens = verified_[static_cast<std::size_t>(index)];
  tokens.assign(last.begin(), last.end());
  tokens.insert(tokens.end(), proposed.begin(), proposed.end());
  return {sequence.slot(), tokens, static_cast<int>(proposed.size())};
}

void StepLoop::propose(std::span<Sequence* const> sequences) {
  std::vector<DraftProposer> proposers;
  for (const Sequence* sequence : sequences) {
    const auto index = std::ranges::find(sequences_, sequence) - sequences_.begin();
    proposers.push_back(proposers_[static_cast<std::size_t>(index)]);
  }
  speculator_.propose(sequences, proposers);
  // The time in which the draft proposed is counted apart.
  const auto is_drafted = [](const Sequence* sequence) { return sequence->request.proposal.by == Proposer::draft; };
  if (std::ranges::any_of(sequences, is_drafted)) watch_ = Stopwatch();
}

void StepLoop::enqueue(const StepBatch& batch) {
  std::vector<Sequence*> members;
  for (Sequence* sequence : sequences_) {
    const auto has_rows = [&](const StepRows& rows) { return rows.slot == sequence->slot(); };
    if (std::ranges::none_of(batch.sequences, has_rows)) continue;
    members.push_back(sequence);
    ++sequence->request.enqueued;
  }
  const SequenceRequest& first = members.front()->request;
  const bool is_prefill = first.generation.ids.empty() && first.pending > 1;
  group_.mark(is_prefill ? Phase::prefill : Phase::decode, static_cast<std::int64_t>(members.front()->ids.size()));
  decoder_.step(batch);
  ++num_steps_;
  under_way_.push_back(std::move(members));
}

/// Waits for the oldest step.
void StepLoop::collect() {
  const std::vector<Sequence*> members = std::move(under_way_.front());
  under_way_.pop_front();
  for (Sequence* sequence : members) {
    SequenceRequest& request = sequence->request;
    if (request.ended) {
      request.ran_beyond = true;
      continue;
    }
    const bool is_prefill = request.generation.ids.empty() && request.pending > 1;
    TokenIds emitted;
    StepToken token;
    do {
      token = decoder_.result(sequence->slot(), static_cast<int>(request.generation.ids.size()));
      emitted.push_back(token.id);
      request.generation.ids.push_back(token.id);
      const bool is_measured = request.work.statistics || request.work.max_entropy < kAnyEntropy;
      if (is_measured) request.generation.measured.tokens.push_back(token.statistics);
      if (request.sink && token.end != EndReason::uncertain) {
        request.sink(token.id, is_measured ? token.statistics.logprob : kNotMeasured);
      }
    } while (token.more);
    ++request.generation.steps;
    Speculator::settle(*sequence, emitted);
    sequence->ids.insert(sequence->ids.end(), emitted.begin(), emitted.end());
    PhaseTimes& times = request.generation.times;
    if (is_prefill) {
      times.prefilled += request.pending;
      times.prefill_seconds += watch_.seconds();
    } else {
      times.decode_steps += 1;
      times.decode_seconds += watch_.seconds();
    }
    if (!token.end) continue;
    request.ended = true;
    request.generation.reason = *token.end;
  }
  watch_ = Stopwatch();
}

}  // namespace specthink::inline engine
