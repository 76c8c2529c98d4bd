#include "specthink/engine/engine.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>

#include "engine/command.h"
#include "engine/sharded_vocabulary.h"
#include "specthink/base/hash.h"
#include "specthink/comm/device.h"
#include "specthink/model/memory_plan.h"

namespace specthink {
namespace {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

template <typename T>
std::span<std::byte> raw(T& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

bool contains(const TokenIds& ids, TokenId id) { return std::find(ids.begin(), ids.end(), id) != ids.end(); }

constexpr std::uint16_t kMatched = 0x8000;  // StopTable: the top bit of an entry

}  // namespace

PhaseTimes& PhaseTimes::operator+=(const PhaseTimes& other) {
  prefilled += other.prefilled;
  prefill_seconds += other.prefill_seconds;
  decode_steps += other.decode_steps;
  decode_seconds += other.decode_seconds;
  return *this;
}

Engine::Engine(const ProcessGroup& group, Collectives& collectives, Model target, Model draft, const Options& options)
    : group_(group),
      collectives_(collectives),
      options_(options),
      target_{.model = std::move(target), .cached = 0, .step = nullptr, .obstacle = {}},
      draft_{.model = std::move(draft), .cached = 0, .step = nullptr, .obstacle = {}} {
  for (ModelState* state : {&target_, &draft_}) {
    if (state->model.transformer) make_step(*state);
  }
}

Engine::~Engine() = default;

void Engine::make_step(ModelState& state) {
  StepModel model = state.model.transformer->step_model();
  state.obstacle = options_.decode_kernels ? step_obstacle(model) : "switched off";
  // All ranks decode alike: shards can differ in what the kernels take.
  for (const std::int64_t refused : group_.all_gather(static_cast<std::int64_t>(!state.obstacle.empty()))) {
    if (refused && state.obstacle.empty()) state.obstacle = "another rank's shard does not fit them";
  }
  if (!state.obstacle.empty()) return;
  const DecodeStep::Options options{options_.all_reduce, options_.vocab_size, options_.wait_limit_seconds};
  state.step = DecodeStep::create(std::move(model), group_, collectives_, options);
}

std::string Engine::decode_path(Role role) {
  const ModelState& state = state_of(role);
  if (!state.step) return "LibTorch operators (decode kernels: " + state.obstacle + ")";
  const char* joined = group_.size() == 1 ? "" : state.step->fused() ? ", fused all-reduce" : ", NCCL all-reduce";
  return fmt::format("decode kernels{}", joined);
}

Engine::ModelState& Engine::state_of(Role role) {
  ModelState& state = role == Role::target ? target_ : draft_;
  check(state.model.transformer != nullptr, "a command for a model that is not loaded");
  return state;
}

std::int64_t Engine::capacity() const {
  std::int64_t tokens = target_.model.transformer->capacity() - kSpareTokens;
  if (draft_.model.transformer) tokens = std::min(tokens, draft_.model.transformer->capacity() - kSpareTokens);
  return tokens;
}

// --- Rank 0
// --------------------------------------------------------------------------------------------------------------

void Engine::send(Command& command, std::span<const TokenId> payload) {
  busy_ = true;
  command.payload_length = payload.size();
  command.serial = serial_;
  group_.broadcast(raw(command));
  TokenIds ids(payload.begin(), payload.end());
  group_.broadcast(std::as_writable_bytes(std::span(ids)));
  update_sequence(command, ids);
}

Generation Engine::generate(const Request& request, const SamplingParams& sampling, const DrawKey& key, bool ignore_eos,
                            const std::function<void(TokenId)>& sink) {
  const auto common =
      std::mismatch(ids_.begin(), ids_.end(), request.prefix.begin(), request.prefix.end()).first - ids_.begin();
  Command command;
  command.operation = Operation::generate;
  command.role = request.role;
  command.purpose = request.purpose;
  command.max_tokens = request.max_tokens;
  command.truncate_to = common;
  command.stop_at_trigger = request.stop_at_trigger;
  command.stop_state = request.stop_state;
  command.sampling = sampling;
  command.draw = key;
  command.ignore_eos = ignore_eos;
  send(command, request.prefix.subspan(static_cast<std::size_t>(common)));
  Generation generation = execute_generate(command, sink);
  busy_ = false;
  return generation;
}

std::vector<float> Engine::score(Role role, std::span<const TokenId> ids) {
  Command command;
  command.operation = Operation::score;
  command.role = role;
  send(command, ids);
  std::vector<float> logprobs = execute_score(command);
  busy_ = false;
  return logprobs;
}

void Engine::install_stop_table(const StopTable& table) {
  Command command;
  command.operation = Operation::install_stop_table;
  command.truncate_to = static_cast<std::int64_t>(ids_.size());
  command.stop_vocab = table.vocab_size();
  command.stop_entries = table.entries().size();
  stop_entries_.assign(table.entries().begin(), table.entries().end());
  send(command, {});
  receive_stop_table(command);
  busy_ = false;
}

void Engine::reset() {
  // Nothing to send: the next command's truncate_to is 0.
  ids_.clear();
  target_.cached = 0;
  draft_.cached = 0;
}

void Engine::shutdown(int exit_code) {
  Command command;
  command.operation = Operation::shutdown;
  command.exit_code = exit_code;
  send(command, {});
  busy_ = false;
}

// --- Every rank
// ----------------------------------------------------------------------------------------------------------

int Engine::serve() {
  while (true) {
    Command command;
    group_.broadcast(raw(command));
    TokenIds payload(command.payload_length);
    group_.broadcast(std::as_writable_bytes(std::span(payload)));
    check(command.serial == serial_, "a rank has missed a command");
    busy_ = true;
    update_sequence(command, payload);
    switch (command.operation) {
      case Operation::generate:
        execute_generate(command, {});
        break;
      case Operation::score:
        execute_score(command);
        break;
      case Operation::install_stop_table:
        receive_stop_table(command);
        break;
      case Operation::shutdown:
        return command.exit_code;
    }
    busy_ = false;
  }
}

void Engine::receive_stop_table(const Command& command) {
  stop_vocab_ = command.stop_vocab;
  stop_entries_.resize(command.stop_entries);
  group_.broadcast(std::as_writable_bytes(std::span(stop_entries_)));
  for (ModelState* state : {&target_, &draft_}) {
    if (state->step) state->step->set_stop_table(stop_entries_, static_cast<std::int64_t>(stop_vocab_));
  }
}

void Engine::update_sequence(const Command& command, std::span<const TokenId> payload) {
  ++serial_;
  check(command.truncate_to >= 0 && command.truncate_to <= static_cast<std::int64_t>(ids_.size()),
        "a command that truncates beyond the sequence");
  ids_.resize(static_cast<std::size_t>(command.truncate_to));
  ids_.insert(ids_.end(), payload.begin(), payload.end());
  target_.cached = std::min(target_.cached, command.truncate_to);
  draft_.cached = std::min(draft_.cached, command.truncate_to);
}

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
    hidden = state.model.transformer->forward(std::span(&rows, 1));
    position += count;
  }
  state.cached = length;
  return hidden.narrow(0, hidden.size(0) - 1, 1);
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
  const auto purpose = static_cast<DrawPurpose>(command.purpose);
  std::uint16_t stop_state = command.stop_state;
  at::Tensor hidden = catch_up(state, command.slot, generation.times);
  while (true) {
    const Stopwatch watch;
    const TokenId id = pick(*state.model.transformer, hidden, command.sampling,
                            uniform(command.draw, static_cast<std::uint32_t>(ids_.size()), purpose));
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
