// Generating and scoring on every rank: what Engine does for a command.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>

#include "engine/command.h"
#include "engine/sharded_vocabulary.h"
#include "specthink/base/hash.h"
#include "specthink/comm/device.h"
#include "specthink/engine/engine.h"

namespace specthink {
namespace {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

bool contains(const TokenIds& ids, TokenId id) { return std::find(ids.begin(), ids.end(), id) != ids.end(); }

constexpr std::uint16_t kMatched = 0x8000;  // StopTable: the top bit of an entry

}  // namespace

/// Prefills what the model has not seen; returns the hidden state after the last id, [1, hidden].
at::Tensor Engine::prefill(ModelState& state, int slot) {
  const auto length = static_cast<std::int64_t>(ids_.size());
  check(length > 0, "a request without a prefix");
  std::int64_t position = std::min(state.cached, length - 1);  // the last id runs again when only its result is missing
  at::Tensor hidden;
  while (position < length) {
    const std::int64_t count = std::min(state.model.prefill_rows, length - position);
    const SlotRows rows{slot, position,
                        std::span(ids_).subspan(static_cast<std::size_t>(position), static_cast<std::size_t>(count))};
    group_.mark(count > 1 ? Phase::prefill : Phase::decode, position);
    hidden = state.model.transformer->prefill(rows);
    position += count;
  }
  state.cached = length;
  return hidden;
}

/// prefill(), counted as a prefill or as a decode step.
at::Tensor Engine::catch_up(ModelState& state, int slot, PhaseTimes& times) {
  const std::int64_t pending = std::max<std::int64_t>(static_cast<std::int64_t>(ids_.size()) - state.cached, 1);
  const Stopwatch watch;
  const at::Tensor hidden = prefill(state, slot);
  if (pending > 1) {
    times.prefilled += pending;
    synchronize(hidden.device());
    state.model.transformer->check_arrived();
    times.prefill_seconds += watch.seconds();
  } else {
    times.decode_steps += 1;
    times.decode_seconds += watch.seconds();
  }
  return hidden;
}

TokenId Engine::pick(const Transformer& model, const at::Tensor& hidden, const SamplingParams& sampling, double draw) {
  const at::Tensor logits = model.local_logits(hidden);  // [1, n]
  std::vector<Candidate> candidates =
      gather_candidates(logits[0], model.plan(), options_.vocab_size, sampling, collectives_);
  return sample(candidates, sampling, draw);
}

Generation Engine::execute_generate(const Command& command, const std::function<void(TokenId)>& sink) {
  const c10::InferenceMode no_gradients;
  ModelState& state = state_of(command.role);
  check(static_cast<std::int64_t>(ids_.size()) + command.max_tokens <= capacity(),
        "a request longer than the KV cache");
  Generation generation;
  const SamplingParams& sampling = command.sampling;
  const bool on_device = (sampling.temperature == 0 || (sampling.top_k >= 1 && sampling.top_k <= kLargestDeviceTopK)) &&
                         state.model.eos_ids.size() <= static_cast<std::size_t>(DecodeStep::kMaxEosIds);
  if (state.step && on_device) {
    generate_by_steps(state, command, generation, sink);
  } else {
    generate_by_operators(state, command, generation, sink);
  }
  compare_ranks(command, static_cast<int>(generation.reason));
  return generation;
}

void Engine::generate_by_operators(ModelState& state, const Command& command, Generation& generation,
                                   const std::function<void(TokenId)>& sink) {
  std::uint16_t stop_state = command.stop_state;
  at::Tensor hidden = catch_up(state, command.slot, generation.times);
  while (true) {
    const Stopwatch watch;
    const TokenId id = pick(*state.model.transformer, hidden, command.sampling,
                            uniform(command.draw, static_cast<std::uint32_t>(ids_.size()), command.purpose));
    generation.times.decode_seconds += watch.seconds();
    ids_.push_back(id);
    generation.ids.push_back(id);
    if (sink) sink(id);
    if (!command.ignore_eos && contains(state.model.eos_ids, id)) {
      generation.reason = EndReason::eos;
      return;
    }
    if (command.stop_at_trigger && static_cast<std::size_t>(id) < stop_vocab_) {
      const std::uint16_t entry = stop_entries_[stop_state * stop_vocab_ + static_cast<std::size_t>(id)];
      stop_state = entry & static_cast<std::uint16_t>(~kMatched);
      if (entry & kMatched) {
        generation.reason = EndReason::trigger;
        return;
      }
    }
    if (static_cast<int>(generation.ids.size()) == command.max_tokens) return;
    hidden = catch_up(state, command.slot, generation.times);
  }
}

/// Steps are enqueued ahead: step s only after step s - 2 was seen to go on, so that every rank enqueues as many.
void Engine::generate_by_steps(ModelState& state, const Command& command, Generation& generation,
                               const std::function<void(TokenId)>& sink) {
  DecodeStep& step = *state.step;
  PhaseTimes& times = generation.times;
  const auto length = static_cast<std::int64_t>(ids_.size());
  check(length > 0, "a request without a prefix");
  const std::int64_t first = std::min(state.cached, length - 1);
  const std::int64_t pending = length - first;
  const bool by_operators = pending > DecodeStep::kMaxRows;
  const Stopwatch first_watch;

  StepRequest request;
  const std::int64_t rows = by_operators ? 1 : pending;
  request.tokens = std::span(ids_).last(static_cast<std::size_t>(rows));
  request.position = length - rows;
  request.max_tokens = command.max_tokens;
  if (!command.ignore_eos) request.eos_ids = state.model.eos_ids;
  request.stop_at_trigger = command.stop_at_trigger != 0;
  request.stop_state = command.stop_state;
  request.sampling = {command.sampling.temperature,
                      command.sampling.top_p,
                      command.sampling.top_k,
                      command.draw.seed,
                      command.draw.problem,
                      command.draw.run,
                      static_cast<std::uint32_t>(command.purpose)};
  if (by_operators) {
    const at::Tensor hidden = prefill(state, command.slot);
    step.begin(request);
    step.enqueue_from_hidden(hidden);
  } else {
    step.begin(request);
    step.enqueue();
  }
  int enqueued = 1;
  Stopwatch watch = first_watch;
  while (true) {
    if (enqueued == static_cast<int>(generation.ids.size()) + 1 && enqueued < command.max_tokens) {
      step.enqueue();
      ++enqueued;
    }
    group_.mark(generation.ids.empty() && pending > 1 ? Phase::prefill : Phase::decode,
                static_cast<std::int64_t>(ids_.size()));
    const StepToken token = step.result(static_cast<int>(generation.ids.size()));
    const bool is_first = generation.ids.empty();
    if (is_first && by_operators) state.model.transformer->check_arrived();
    if (is_first && pending > 1) {
      times.prefilled += pending;
      times.prefill_seconds += watch.seconds();
    } else {
      times.decode_steps += 1;
      times.decode_seconds += watch.seconds();
    }
    watch = Stopwatch();
    ids_.push_back(token.id);
    generation.ids.push_back(token.id);
    if (sink) sink(token.id);
    if (token.stop == StepStop::running) continue;
    generation.reason = token.stop == StepStop::eos       ? EndReason::eos
                        : token.stop == StepStop::trigger ? EndReason::trigger
                                                          : EndReason::length;
    break;
  }
  // A step enqueued beyond the end has run, or will before anything else does, over the last token.
  const auto generated = static_cast<int>(generation.ids.size());
  state.cached = length + generated - (enqueued > generated ? 0 : 1);
}

std::vector<float> Engine::execute_score(const Command& command) {
  const c10::InferenceMode no_gradients;
  constexpr std::int64_t kRows = 256;  // logits of a whole vocabulary are kept for so many rows at a time
  ModelState& state = state_of(command.role);
  Transformer& model = *state.model.transformer;
  const auto length = static_cast<std::int64_t>(ids_.size());
  check(length <= model.capacity(), "a text longer than the KV cache");
  std::vector<float> logprobs;
  for (std::int64_t first = 0; first + 1 < length; first += kRows) {
    const std::int64_t count = std::min(kRows, length - 1 - first);
    const SlotRows rows{command.slot, first,
                        std::span(ids_).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count))};
    const at::Tensor logits = model.local_logits(model.forward(std::span(&rows, 1)));
    const auto next = std::span(ids_).subspan(static_cast<std::size_t>(first) + 1, static_cast<std::size_t>(count));
    const std::vector<float> part = gather_logprobs(logits, next, model.plan(), collectives_);
    model.check_arrived();
    logprobs.insert(logprobs.end(), part.begin(), part.end());
  }
  state.cached = std::max<std::int64_t>(length - 1, 0);
  compare_ranks(command, 0);
  return logprobs;
}

/// Ranks that differ would go on to wait for each other or to write nonsense: found out here.
void Engine::compare_ranks(const Command& command, int reason) {
  if (command.serial % static_cast<std::uint64_t>(options_.check_interval) != 0) return;
  const auto last = std::span(ids_).last(std::min<std::size_t>(ids_.size(), 64));
  const std::uint64_t length = ids_.size();
  std::uint64_t hash = hash_bytes(std::as_bytes(std::span(&length, 1)));
  hash = hash_bytes(std::as_bytes(last), hash);
  hash = hash_bytes(std::as_bytes(std::span(&reason, 1)), hash);
  for (const std::int64_t other : group_.all_gather(static_cast<std::int64_t>(hash))) {
    check(other == static_cast<std::int64_t>(hash), "the ranks have generated different tokens");
  }
}

}  // namespace specthink
