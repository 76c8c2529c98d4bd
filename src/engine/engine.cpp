#include "specthink/engine/engine.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/command.h"
#include "specthink/model/memory_plan.h"

namespace specthink {
namespace {

template <typename T>
std::span<std::byte> raw(T& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

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
  const LoadedShard& shard = state.model.transformer->shard();
  state.obstacle = options_.decode_kernels ? step_obstacle(shard) : "switched off";
  // All ranks decode alike: shards can differ in what the kernels take.
  for (const std::int64_t refused : group_.all_gather(static_cast<std::int64_t>(!state.obstacle.empty()))) {
    if (refused && state.obstacle.empty()) state.obstacle = "another rank's shard does not fit them";
  }
  if (!state.obstacle.empty()) return;
  const DecodeStep::Options options{options_.all_reduce, options_.vocab_size, options_.wait_limit_seconds};
  state.step = DecodeStep::create(shard, group_, collectives_, options);
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

}  // namespace specthink
