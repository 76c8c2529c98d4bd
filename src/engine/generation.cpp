// Generating and scoring on every rank: what Engine does for these commands.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <utility>

#include "engine/command.h"
#include "engine/model_state.h"
#include "engine/sequence.h"
#include "engine/sharded_vocabulary.h"
#include "engine/step_loop.h"
#include "specthink/base/error.h"
#include "specthink/base/hash.h"
#include "specthink/base/stopwatch.h"

namespace specthink::inline engine {
StepRequest Engine::step_request(const ModelState& state, const RowWork& work) const {
  StepRequest request;
  request.max_tokens = work.max_tokens;
  request.min_tokens = work.min_tokens;
  if (!work.ignore_eos) request.eos_ids = state.model.eos_ids;
  request.stop_table = work.stop_table;
  request.stop_state = work.stop_state;
  request.stop_token = work.stop_token;
  request.max_entropy = work.max_entropy;
  request.statistics = work.statistics != 0;
  const std::int64_t vocab_size = state.model.vocab_size > 0 ? state.model.vocab_size : options_.vocab_size;
  request.sampling = {work.sampling, work.draw, work.purpose, vocab_size};
  return request;
}

Decoder& Engine::decoder_of(ModelState& state, const RowWork& work) const {
  // A reading is a prefill of a text that is longer than a step: operators run that anyway.
  if (state.graph && work.num_read == 0 && state.graph->takes(step_request(state, work))) return *state.graph;
  return state.operators;
}

/// Brings the sequences of new requests up to date and hands these to the decoder.
void Engine::start_requests(const CommandHeader& header, std::span<const RowWork> works,
                            std::span<const TokenId> payload) {
  const c10::InferenceMode no_gradients;
  for (const RowWork& work : works) {
    Sequence& own = sequence(work.slot);
    if (work.continues) {
      fill_cache(own, header.role, header.max_prefill);
      continue;
    }
    const auto num_forced = static_cast<std::size_t>(work.num_forced);
    const auto num_read = static_cast<std::size_t>(work.num_read);
    const auto num_added = work.payload_length - num_forced - num_read;
    own.replace_tail(work.truncate_to, payload.first(num_added));
    const auto forced = payload.subspan(num_added, num_forced);
    const auto read_ids = payload.subspan(num_added + num_forced, num_read);
    payload = payload.subspan(work.payload_length);
    own.request = {.work = work,
                   .role = header.role,
                   .prefix = {},
                   .sink = std::move(own.request.sink),
                   .read_ids = {read_ids.begin(), read_ids.end()},
                   .forced = {forced.begin(), forced.end()},
                   .is_known = true,
                   .is_prefilling = true,
                   .proposal = {},
                   .generation = {}};
    fill_cache(own, header.role, header.max_prefill);
  }
}

/// Before a request's first step at most `max_prefill` positions may be missing (0: any number), which the step runs;
/// what is beyond them is prefilled in parts, one a command. After an eviction the positions of a request that is under
/// way are prefilled in the same manner.
void Engine::fill_cache(Sequence& own, Role role, std::int64_t max_prefill) {
  ModelState& state = state_of(role);
  SequenceRequest& request = own.request;
  std::int64_t& cached = own.cached[static_cast<std::size_t>(role)];
  const auto length = static_cast<std::int64_t>(own.ids.size());
  const std::int64_t missing = length - 1 - cached;
  const bool is_under_way = request.enqueued > 0;
  // A reading wants something of all its rows.
  const bool fits = max_prefill == 0 || request.work.num_read > 0 || missing <= max_prefill;
  if (missing > 0 && (is_under_way || !fits)) {
    const Stopwatch watch;
    const std::int64_t count = fits ? missing : max_prefill;
    prefill(state.prefill, own.slot(), cached,
            std::span(own.ids).subspan(static_cast<std::size_t>(cached), static_cast<std::size_t>(count)));
    cached += count;
    request.generation.times.prefilled += count;
    request.generation.times.prefill_seconds += watch.seconds();
  }
  if (is_under_way || !fits) {
    request.is_prefilling = !fits;
    return;
  }
  if (!std::exchange(request.is_prefilling, false)) return;
  // The last id runs again when only its result is missing.
  const std::int64_t first = std::min(cached, length - 1);
  request.pending = length - first;
  StepRequest wanted = step_request(state, request.work);
  wanted.position = first;
  wanted.forced = request.forced;
  wanted.read_ids = request.read_ids;
  decoder_of(state, request.work).start(own.slot(), wanted);
}

void Engine::run_requests(const CommandHeader& header, std::span<const RowWork> works) {
  const c10::InferenceMode no_gradients;
  const Role role = header.role;
  std::vector<Sequence*> sequences;
  std::vector<DraftProposer> proposers;
  for (const RowWork& work : works) {
    Sequence& own = sequence(work.slot);
    if (own.request.is_prefilling) continue;
    sequences.push_back(&own);
    proposers.push_back(draft_proposer(role, own.request.work));
  }
  cost_of_last_run_ = cost_of(options_.speculation.costs.of(role), 1);  // of the parts of prompts
  if (sequences.empty()) return compare_ranks(works);
  Decoder& decoder = decoder_of(state_of(role), sequences.front()->request.work);
  StepLoop steps(decoder, group_, sequences, *speculator_, std::move(proposers));
  steps.run(header.max_steps);
  const int rows = std::min(static_cast<int>(sequences.size()), kMaxStepRows);
  cost_of_last_run_ = std::max(steps.num_steps(), 1) * cost_of(options_.speculation.costs.of(role), rows);
  for (Sequence* own : sequences) {
    own->cached[static_cast<std::size_t>(role)] =
        static_cast<std::int64_t>(own->ids.size()) - (own->request.ran_beyond ? 0 : 1);
    if (own->request.ended && own->request.work.num_read > 0) forget_reading(*own, decoder);
  }
  compare_ranks(works);
}

/// What was read goes to whoever asked; the question, and the token behind it, leave sequence and caches.
void Engine::forget_reading(Sequence& own, Decoder& decoder) {
  SequenceRequest& request = own.request;
  const std::int64_t added = request.work.num_suffix + static_cast<std::int64_t>(request.generation.ids.size());
  request.generation.measured.reading = decoder.reading(own.slot());
  request.generation.ids.clear();
  own.replace_tail(static_cast<std::int64_t>(own.ids.size()) - added, {});
}

/// Proposes with the noise of the request that it proposes for.
DraftProposer Engine::draft_proposer(Role role, const RowWork& work) const {
  if (role == Role::draft || !draft_ || !options_.speculation.draft || !work.speculates) return {};
  if (state_of(role).model.vocab_size > 0) return {};  // the draft's ids mean other tokens
  StepRequest request;
  if (!work.ignore_eos) request.eos_ids = state_of(role).model.eos_ids;
  request.sampling = {work.sampling, work.draw, work.purpose, options_.vocab_size};
  return {&decoder_of(*draft_, work), request};
}

void Engine::execute_score(const CommandHeader& header, std::span<const TokenId> ids) {
  const c10::InferenceMode no_gradients;
  constexpr std::int64_t kRows = 256;  // logits of a whole vocabulary are kept for so many rows at a time
  Transformer& model = *state_of(header.role).model.transformer;
  const auto length = static_cast<std::int64_t>(ids.size());
  scores_.clear();
  margins_.clear();
  for (std::int64_t first = 0; first + 1 < length; first += kRows) {
    const std::int64_t count = std::min(kRows, length - 1 - first);
    const auto part = [&](std::int64_t from) {
      return ids.subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(count));
    };
    const SlotRows rows{header.slot, first, part(first)};
    const at::Tensor logits = model.local_logits(model.forward(std::span(&rows, 1)));
    const std::vector<float> logprobs = gather_logprobs(logits, part(first + 1), model.plan(), collectives_);
    scores_.insert(scores_.end(), logprobs.begin(), logprobs.end());
    if (header.with_margins) {
      const std::vector<float> margins = gather_margins(logits, model.plan(), collectives_);
      margins_.insert(margins_.end(), margins.begin(), margins.end());
    }
    model.check_arrived();
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
