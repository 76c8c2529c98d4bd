#include "specthink/engine/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/command.h"
#include "engine/model_state.h"
#include "engine/sequence.h"
#include "engine/speculation/speculator.h"
#include "specthink/base/error.h"

namespace specthink::inline engine {
namespace {

constexpr int kStepsBesidePrefill = 4;  // of a command while a prefill goes on in parts, or waits for another one

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
  proposal_prefilled += other.proposal_prefilled;
  proposal_steps += other.proposal_steps;
  proposal_seconds += other.proposal_seconds;
  return *this;
}

Engine::Engine(const ProcessGroup& group, Collectives& collectives, Model target, Model draft, const Options& options)
    : group_(group), collectives_(collectives), options_(options), sequences_(kMaxSequences) {
  check(target.transformer != nullptr, "an engine has a target");
  target_ = std::make_unique<ModelState>(std::move(target), group, collectives);
  if (draft.transformer) draft_ = std::make_unique<ModelState>(std::move(draft), group, collectives);
  for (const auto& [role, state] : models()) make_graph_decoder(*state);
  speculator_ = std::make_unique<Speculator>(options_.speculation, group_, options_.forced_acceptance);
}

Engine::~Engine() = default;

/// The kernels that all ranks can run, and why it is not those for Hopper: shards can differ in what fits.
StepChoice choose_step_kernels(const LoadedShard& shard, DecodeKernels wanted, const ProcessGroup& group) {
  StepChoice choice;
  const auto fits = [&](StepKernels kernels) {
    std::string obstacle = step_obstacle(shard, kernels);
    for (const std::int64_t refused : group.all_gather(static_cast<std::int64_t>(!obstacle.empty()))) {
      if (refused && obstacle.empty()) obstacle = "another rank's shard does not fit them";
    }
    choice.obstacle = choice.obstacle.empty() ? obstacle : choice.obstacle;
    if (obstacle.empty()) choice.kernels = kernels;
    return obstacle.empty();
  };
  if (wanted == DecodeKernels::off) {
    choice.obstacle = "switched off";
  } else if (wanted == DecodeKernels::portable || !fits(StepKernels::hopper)) {
    fits(StepKernels::portable);
  }
  if (!choice.kernels) return choice;
  const bool takes_batches = batch_obstacle(shard, *choice.kernels).empty();
  const bool all_take = std::ranges::min(group.all_gather(static_cast<std::int64_t>(takes_batches))) != 0;
  if (all_take) choice.max_rows = kMaxBatchRows;
  return choice;
}

void Engine::make_graph_decoder(ModelState& state) {
  const LoadedShard& shard = state.model.transformer->shard();
  StepChoice choice = choose_step_kernels(shard, options_.decode_kernels, group_);
  state.obstacle = std::move(choice.obstacle);
  state.kernels = choice.kernels;
  if (!choice.kernels) return;
  DecodeStep::Options options;
  options.kernels = *choice.kernels;
  options.all_reduce = options_.all_reduce;
  options.wait_limit_seconds = options_.wait_limit_seconds;
  options.timeline = options_.step_timeline;
  // Where a shard takes no batches, more sequences than a step has rows take turns.
  if (options_.max_sequences > kMaxStepRows) options.max_rows = std::min(options_.max_sequences, choice.max_rows);
  state.graph = std::make_unique<GraphDecoder>(state.prefill, DecodeStep::create(shard, group_, collectives_, options));
}

std::string Engine::decode_path(Role role) const {
  const ModelState& state = state_of(role);
  if (!state.graph) return fmt::format("{} (decode kernels: {})", state.operators.description(), state.obstacle);
  if (state.kernels == StepKernels::hopper) return state.graph->description();
  return fmt::format("portable {}{}", state.graph->description(),
                     state.obstacle.empty() ? "" : fmt::format(" (those for Hopper: {})", state.obstacle));
}

std::optional<StepKernels> Engine::decode_kernels(Role role) const { return state_of(role).kernels; }

std::vector<KernelTimes> Engine::step_timeline(Role role) const {
  const ModelState& state = state_of(role);
  return state.graph ? state.graph->timeline() : std::vector<KernelTimes>();
}

int Engine::max_sequences_of_step(Role role) const {
  const ModelState& state = state_of(role);
  return state.graph ? std::min(state.graph->max_rows(), options_.max_sequences) : options_.max_sequences;
}

Engine::ModelState& Engine::state_of(Role role) const {
  ModelState* const state = role == Role::target ? target_.get() : draft_.get();
  check(state != nullptr, "a command for a model that is not loaded");
  return *state;
}

std::vector<std::pair<Role, Engine::ModelState*>> Engine::models() const {
  std::vector<std::pair<Role, ModelState*>> models{{Role::target, target_.get()}};
  if (draft_) models.emplace_back(Role::draft, draft_.get());
  return models;
}

Sequence& Engine::sequence(int slot) { return const_cast<Sequence&>(std::as_const(*this).sequence(slot)); }

const Sequence& Engine::sequence(int slot) const {
  check(slot >= 0 && slot < kMaxSequences && sequences_[static_cast<std::size_t>(slot)].open,
        "a sequence that is open");
  return sequences_[static_cast<std::size_t>(slot)];
}

// --- Rank 0

void Engine::send(CommandHeader& header, std::span<const RowWork> works, std::span<const TokenId> payload) {
  busy_ = true;
  header.num_works = static_cast<std::int32_t>(works.size());
  header.payload_length = payload.size();
  header.serial = serial_;
  group_.broadcast(raw(header));
  if (!works.empty() || !payload.empty()) {
    std::vector<std::byte> body(works.size_bytes() + payload.size_bytes());
    std::ranges::copy(std::as_bytes(works), body.begin());
    std::ranges::copy(std::as_bytes(payload), body.begin() + static_cast<std::ptrdiff_t>(works.size_bytes()));
    group_.broadcast(body);
  }
  execute(header, works, payload);
  busy_ = false;
}

void Engine::close(int slot) {
  CommandHeader header;
  header.operation = Operation::close;
  header.slot = slot;
  header.keeps = options_.keeps_prefixes && !sequence(slot).alone;
  send(header);
}

void Engine::reset(int slot) {
  CommandHeader header;
  header.operation = Operation::reset;
  header.slot = slot;
  send(header);
}

void Engine::start(int slot, const Request& request, const RequestOptions& options, TokenSink sink) {
  Sequence& own = sequence(slot);
  // Here, where the other ranks do not wait for a command yet.
  const bool is_reading = !request.read_ids.empty();
  const int max_tokens = is_reading ? 1 : request.max_tokens;
  check(!request.prefix.empty() && max_tokens > 0, "a request that continues something");
  check(static_cast<std::int64_t>(request.prefix.size() + request.suffix.size()) + max_tokens <= own.capacity,
        "a request longer than its sequence has room for");
  check(options.forced.empty() || options.forced.size() >= static_cast<std::size_t>(max_tokens),
        "as many tokens as a request can emit are forced");
  own.request = {};
  own.request.sink = std::move(sink);
  own.request.prefix.assign(request.prefix.begin(), request.prefix.end());
  own.request.prefix.insert(own.request.prefix.end(), request.suffix.begin(), request.suffix.end());
  own.request.read_ids.assign(request.read_ids.begin(), request.read_ids.end());
  own.request.forced.assign(options.forced.begin(), options.forced.end());
  own.request.role = request.role;
  if (own.fixed == 0) own.fixed = static_cast<std::int64_t>(request.prefix.size());
  RowWork& work = own.request.work;
  work.slot = slot;
  work.ignore_eos = options.ignore_eos;
  const SpeculationOptions& proposers = options_.speculation;
  work.speculates =
      options.speculates && !is_reading && (proposers.ngram || (proposers.draft && request.role == Role::target));
  work.stop_state = request.stop_state;
  if (request.stops) work.stop_table = stop_table_id(*request.stops);
  work.max_tokens = max_tokens;
  work.min_tokens = request.min_tokens;
  work.stop_token = request.stop_token.value_or(-1);
  work.max_entropy = request.max_entropy;
  work.statistics = request.statistics;
  work.num_suffix = static_cast<std::int32_t>(request.suffix.size());
  work.num_read = static_cast<std::int32_t>(request.read_ids.size());
  work.purpose = request.purpose;
  work.sampling = options.sampling;
  work.draw = options.draw;
}

std::vector<int> Engine::run(std::span<const int> slots, const RunLimits& limits) {
  check(!slots.empty(), "requests to go on with");
  const Role role = sequence(slots.front()).request.role;
  check(std::cmp_less_equal(slots.size(), max_sequences_of_step(role)),
        "requests of as many sequences as a step takes");
  ModelState& state = state_of(role);
  const Decoder& decoder = decoder_of(state, sequence(slots.front()).request.work);
  std::vector<RowWork> works;
  TokenIds payload;
  std::vector<int> beginning;  // requests of this command
  bool somebody_waits = false;
  for (const int slot : slots) {
    const Sequence& own = sequence(slot);
    const SequenceRequest& request = own.request;
    check(request.role == role && !request.ended, "requests of one model that have not ended");
    if (&decoder_of(state, request.work) != &decoder) continue;
    if (!share_prefix(slot, beginning)) {
      somebody_waits = true;
      continue;
    }
    somebody_waits = somebody_waits || (limits.max_prefill > 0 && missing_positions(own) > limits.max_prefill);
    RowWork work = request.work;
    work.continues = request.is_known;
    if (!work.continues) {
      beginning.push_back(slot);
      // What is there already of the prefix is not sent again.
      const auto common = std::ranges::mismatch(own.ids, request.prefix).in1 - own.ids.begin();
      work.truncate_to = common;
      work.payload_length = request.prefix.size() - static_cast<std::size_t>(common);
      payload.insert(payload.end(), request.prefix.begin() + common, request.prefix.end());
      work.num_forced = static_cast<std::int32_t>(request.forced.size());
      work.payload_length += request.forced.size();
      payload.insert(payload.end(), request.forced.begin(), request.forced.end());
      work.payload_length += request.read_ids.size();
      payload.insert(payload.end(), request.read_ids.begin(), request.read_ids.end());
    }
    works.push_back(work);
  }
  CommandHeader header;
  header.operation = Operation::generate;
  header.role = role;
  header.max_prefill = static_cast<std::int32_t>(limits.max_prefill);
  header.max_steps = limits.max_steps;
  if (somebody_waits && (header.max_steps == 0 || header.max_steps > kStepsBesidePrefill)) {
    header.max_steps = kStepsBesidePrefill;
  }
  send(header, works, payload);
  std::vector<int> ended;
  for (const RowWork& work : works) {
    if (sequence(work.slot).request.ended) ended.push_back(work.slot);
  }
  return ended;
}

Generation Engine::take(int slot) {
  SequenceRequest& request = sequence(slot).request;
  check(request.ended, "the answer of a request that has ended");
  return std::exchange(request.generation, {});
}

Generation Engine::withdraw(int slot) {
  SequenceRequest& request = sequence(slot).request;
  check(!request.ended, "a request that is under way");
  return std::exchange(request, {}).generation;
}

Generation Engine::generate(int slot, const Request& request, const RequestOptions& options, TokenSink sink) {
  start(slot, request, options, std::move(sink));
  run(std::span(&slot, 1));
  return take(slot);
}

std::vector<float> Engine::score(Role role, std::span<const TokenId> ids, std::vector<float>* margins) {
  const std::optional<int> slot = open(static_cast<std::int64_t>(ids.size()));
  check(slot.has_value(), "a text to be scored needs room for a sequence");
  CommandHeader header;
  header.operation = Operation::score;
  header.role = role;
  header.with_margins = margins != nullptr;
  header.slot = *slot;
  send(header, {}, ids);
  close(*slot);
  if (margins) *margins = std::exchange(margins_, {});
  return std::exchange(scores_, {});
}

int Engine::stop_table_id(const StopTable& table) const {
  const auto found = std::ranges::find(stop_tables_, &table);
  check(found != stop_tables_.end(), "a stop table that is installed");
  return static_cast<int>(found - stop_tables_.begin());
}

void Engine::install_stop_table(const StopTable& table) {
  if (std::ranges::find(stop_tables_, &table) != stop_tables_.end()) return;
  stop_tables_.push_back(&table);
  CommandHeader header;
  header.operation = Operation::install_stop_table;
  header.stop_table = stop_table_id(table);
  header.stop_vocab = table.vocab_size();
  header.stop_entries = table.entries().size();
  stop_entries_.assign(table.entries().begin(), table.entries().end());
  send(header);
}

void Engine::set_step_costs(const StepCosts& costs) {
  CommandHeader header;
  header.operation = Operation::set_step_costs;
  header.costs = costs;
  send(header);
}

void Engine::shutdown(int exit_code) {
  CommandHeader header;
  header.operation = Operation::shutdown;
  header.exit_code = exit_code;
  send(header);
}

// --- Every rank

int Engine::serve() {
  while (true) {
    CommandHeader header;
    group_.broadcast(raw(header));
    check(header.serial == serial_, "a rank has missed a command");
    const std::size_t work_bytes = static_cast<std::size_t>(header.num_works) * sizeof(RowWork);
    std::vector<std::byte> body(work_bytes + header.payload_length * sizeof(TokenId));
    if (!body.empty()) group_.broadcast(body);
    std::vector<RowWork> works(static_cast<std::size_t>(header.num_works));
    TokenIds payload(header.payload_length);
    const auto begin_of_ids = body.begin() + static_cast<std::ptrdiff_t>(work_bytes);
    std::copy(body.begin(), begin_of_ids, std::as_writable_bytes(std::span(works)).begin());
    std::copy(begin_of_ids, body.end(), std::as_writable_bytes(std::span(payload)).begin());
    busy_ = true;
    execute(header, works, payload);
    if (header.operation == Operation::shutdown) return header.exit_code;
    busy_ = false;
  }
}

void Engine::execute(const CommandHeader& header, std::span<const RowWork> works, std::span<const TokenId> payload) {
  ++serial_;
  switch (header.operation) {
    case Operation::open:
      return open_sequence(header);
    case Operation::reserve:
      return reserve_pages(header.slot, header.tokens);
    case Operation::evict:
      return release_pages(sequence(header.slot));
    case Operation::share:
      return share_pages(header);
    case Operation::close:
      return close_sequence(header.slot, header.keeps != 0);
    case Operation::forget:
      return forget_oldest();
    case Operation::reset:
      return sequence(header.slot).replace_tail(0, {});
    case Operation::generate:
      start_requests(header, works, payload);
      return run_requests(header, works);
    case Operation::score:
      return execute_score(header, payload);
    case Operation::install_stop_table:
      return receive_stop_table(header);
    case Operation::set_step_costs:
      options_.speculation.costs = header.costs;
      return;
    case Operation::shutdown:
      return;
  }
}

void Engine::receive_stop_table(const CommandHeader& header) {
  stop_entries_.resize(header.stop_entries);
  group_.broadcast(std::as_writable_bytes(std::span(stop_entries_)));
  for (const auto& [role, state] : models()) {
    state->operators.set_stop_table(header.stop_table, stop_entries_, static_cast<std::int64_t>(header.stop_vocab));
    if (state->graph)
      state->graph->set_stop_table(header.stop_table, stop_entries_, static_cast<std::int64_t>(header.stop_vocab));
  }
  stop_entries_ = {};
}

}  // namespace specthink::inline engine
