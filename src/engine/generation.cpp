// Generating and scoring on every rank: what Engine does for these commands.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <deque>

#include "engine/command.h"
#include "engine/model_state.h"
#include "engine/sequence.h"
#include "engine/sharded_vocabulary.h"
#include "specthink/base/error.h"
#include "specthink/base/hash.h"
#include "specthink/base/stopwatch.h"

namespace specthink::inline engine {
namespace {

/// The steps of one generate command: which are under way, and what they bring.
class StepLoop {
 public:
  StepLoop(Decoder& decoder, const ProcessGroup& group, std::vector<Sequence*> sequences)
      : decoder_(decoder), group_(group), sequences_(std::move(sequences)) {}

  /// Steps until a request has ended and the results of all steps are read.
  void run() {
    for (const StepBatch& batch : first_steps()) enqueue(batch);
    while (true) {
      if (may_enqueue()) {
        enqueue(rows_of_those_going_on());
      } else if (!under_way_.empty()) {
        collect();
      } else {
        return;
      }
    }
  }

 private:
  static int slot_of(const Sequence& sequence) { return sequence.request.work.slot; }

  /// New requests first run the ids that the model has not seen. What fits goes into one step; a prefill of more rows
  /// than a step has is one of its own.
  std::vector<StepBatch> first_steps() const {
    std::vector<StepBatch> steps;
    StepBatch step;
    for (const Sequence* sequence : sequences_) {
      const SequenceRequest& request = sequence->request;
      if (request.enqueued > 0) continue;
      const auto pending = static_cast<std::size_t>(request.pending);
      StepRows rows{slot_of(*sequence), std::span(sequence->ids).last(pending), request.work.proposals};
      if (request.pending > kMaxStepRows) {
        steps.push_back({{rows}});
        continue;
      }
      if (step.num_rows() + request.pending > kMaxStepRows) steps.push_back(std::exchange(step, {}));
      step.sequences.push_back(rows);
    }
    if (step.sequences.empty()) return steps;
    // Requests that go on join it if there is room.
    const StepBatch going_on = rows_of_those_going_on();
    if (steps.empty() && step.num_rows() + going_on.num_rows() <= kMaxStepRows) {
      step.sequences.insert(step.sequences.end(), going_on.sequences.begin(), going_on.sequences.end());
    }
    steps.push_back(std::move(step));
    return steps;
  }

  /// Every rank decides alike, from what it has read: no step beyond an end that is known, none beyond max_tokens.
  bool may_enqueue() const {
    if (under_way_.size() >= static_cast<std::size_t>(decoder_.steps_ahead())) return false;
    return std::ranges::all_of(sequences_, [](const Sequence* sequence) {
      const SequenceRequest& request = sequence->request;
      return !request.ended && request.enqueued < request.work.max_tokens;
    });
  }

  StepBatch rows_of_those_going_on() const {
    StepBatch step;
    for (const Sequence* sequence : sequences_) {
      if (sequence->request.enqueued > 0) step.sequences.push_back({slot_of(*sequence), {}, 0});
    }
    return step;
  }

  void enqueue(const StepBatch& batch) {
    std::vector<Sequence*> members;
    for (Sequence* sequence : sequences_) {
      const auto has_rows = [&](const StepRows& rows) { return rows.slot == slot_of(*sequence); };
      if (std::ranges::none_of(batch.sequences, has_rows)) continue;
      members.push_back(sequence);
      ++sequence->request.enqueued;
    }
    const SequenceRequest& first = members.front()->request;
    const bool is_prefill = first.generation.ids.empty() && first.pending > 1;
    group_.mark(is_prefill ? Phase::prefill : Phase::decode, static_cast<std::int64_t>(members.front()->ids.size()));
    decoder_.step(batch);
    under_way_.push_back(std::move(members));
  }

  /// Waits for the oldest step.
  void collect() {
    const std::vector<Sequence*> members = std::move(under_way_.front());
    under_way_.pop_front();
    for (Sequence* sequence : members) {
      SequenceRequest& request = sequence->request;
      if (request.ended) continue;
      const bool is_prefill = request.generation.ids.empty() && request.pending > 1;
      StepToken token;
      do {
        token = decoder_.result(slot_of(*sequence), static_cast<int>(request.generation.ids.size()));
        sequence->ids.push_back(token.id);
        request.generation.ids.push_back(token.id);
        if (request.sink) request.sink(token.id);
      } while (token.more);
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

  Decoder& decoder_;
  const ProcessGroup& group_;
  std::vector<Sequence*> sequences_;
  std::deque<std::vector<Sequence*>> under_way_;  // the sequences of each step whose results are not read yet
  Stopwatch watch_;                               // since the last step's results were read
};

}  // namespace

StepRequest Engine::step_request(const ModelState& state, const RowWork& work) const {
  StepRequest request;
  request.max_tokens = work.max_tokens;
  request.min_tokens = work.min_tokens;
  if (!work.ignore_eos) request.eos_ids = state.model.eos_ids;
  request.stop_table = work.stop_table;
  request.stop_state = work.stop_state;
  const std::int64_t vocab_size = state.model.vocab_size > 0 ? state.model.vocab_size : options_.vocab_size;
  request.sampling = {work.sampling, work.draw, work.purpose, vocab_size};
  return request;
}

Decoder& Engine::decoder_of(ModelState& state, const RowWork& work) const {
  if (state.graph && state.graph->takes(step_request(state, work))) return *state.graph;
  return state.operators;
}

/// Brings the sequences of new requests up to date and hands these to the decoder.
void Engine::start_requests(Role role, std::span<const RowWork> works, std::span<const TokenId> payload) {
  ModelState& state = state_of(role);
  for (const RowWork& work : works) {
    Sequence& own = sequence(work.slot);
    if (work.continues) continue;
    check(work.statistics == 0, "statistics of tokens do not exist yet");
    own.replace_tail(work.truncate_to, payload.first(work.payload_length));
    payload = payload.subspan(work.payload_length);
    const auto length = static_cast<std::int64_t>(own.ids.size());
    // The last id runs again when only its result is missing.
    const std::int64_t first = std::min(own.cached[static_cast<std::size_t>(role)], length - 1);
    own.request = {.work = work,
                   .role = role,
                   .prefix = {},
                   .sink = std::move(own.request.sink),
                   .pending = length - first,
                   .enqueued = 0,
                   .ended = false,
                   .generation = {}};
    StepRequest wanted = step_request(state, work);
    wanted.position = first;
    decoder_of(state, work).start(work.slot, wanted);
  }
}

void Engine::run_requests(Role role, std::span<const RowWork> works) {
  const c10::InferenceMode no_gradients;
  std::vector<Sequence*> sequences;
  for (const RowWork& work : works) sequences.push_back(&sequence(work.slot));
  StepLoop(decoder_of(state_of(role), works.front()), group_, sequences).run();
  for (Sequence* own : sequences) {
    // A step beyond the last token has run over it, or will before anything else does.
    const bool is_complete = own->request.enqueued > static_cast<int>(own->request.generation.ids.size());
    own->cached[static_cast<std::size_t>(role)] = static_cast<std::int64_t>(own->ids.size()) - (is_complete ? 0 : 1);
  }
  compare_ranks(works);
}

void Engine::execute_score(const CommandHeader& header, std::span<const TokenId> ids) {
  const c10::InferenceMode no_gradients;
  constexpr std::int64_t kRows = 256;  // logits of a whole vocabulary are kept for so many rows at a time
  Transformer& model = *state_of(header.role).model.transformer;
  const auto length = static_cast<std::int64_t>(ids.size());
  scores_.clear();
  for (std::int64_t first = 0; first + 1 < length; first += kRows) {
    const std::int64_t count = std::min(kRows, length - 1 - first);
    const auto part = [&](std::int64_t from) {
      return ids.subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(count));
    };
    const SlotRows rows{header.slot, first, part(first)};
    const at::Tensor logits = model.local_logits(model.forward(std::span(&rows, 1)));
    const std::vector<float> logprobs = gather_logprobs(logits, part(first + 1), model.plan(), collectives_);
    model.check_arrived();
    scores_.insert(scores_.end(), logprobs.begin(), logprobs.end());
  }
}

/// Ranks that differ would go on to wait for each other or to write nonsense: found out here.
void Engine::compare_ranks(std::span<const RowWork> works) const {
  if ((serial_ - 1) % static_cast<std::uint64_t>(options_.check_interval) != 0) return;
  std::uint64_t hash = kHashSeed;
  for (const RowWork& work : works) {
    const Sequence& own = sequences_[static_cast<std::size_t>(work.slot)];
    const std::uint64_t facts[] = {own.ids.size(), static_cast<std::uint64_t>(own.request.ended),
                                   static_cast<std::uint64_t>(own.request.generation.reason)};
    hash = hash_bytes(std::as_bytes(std::span(facts)), hash);
    hash = hash_bytes(std::as_bytes(std::span(own.ids).last(std::min<std::size_t>(own.ids.size(), 64))), hash);
  }
  for (const std::int64_t other : group_.all_gather(static_cast<std::int64_t>(hash))) {
    check(other == static_cast<std::int64_t>(hash), "the ranks have generated different tokens");
  }
}

}  // namespace specthink::inline engine
