#include "engine/operator_decoder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/sharded_vocabulary.h"
#include "specthink/base/error.h"
#include "specthink/engine/sampling.h"
#include "specthink/kernels/sampling_rule.h"
#include "specthink/text/stop_matcher.h"

namespace specthink::inline engine {
namespace {

static_assert(kStopMatched == StopTable::kMatched, "workers read the entries that the matcher writes");

std::int64_t rows_of(const StepRows& rows) {
  return std::max<std::int64_t>(static_cast<std::int64_t>(rows.tokens.size()), 1);
}

}  // namespace

std::int64_t StepBatch::num_rows() const {
  std::int64_t count = 0;
  for (const StepRows& rows : sequences) count += rows_of(rows);
  return count;
}

void OperatorDecoder::set_stop_table(int id, std::span<const std::uint16_t> entries, std::int64_t vocab) {
  stop_tables_[id] = {{entries.begin(), entries.end()}, vocab};
}

void OperatorDecoder::start(int index, const StepRequest& request) {
  Slot& slot = slots_[static_cast<std::size_t>(index)];
  slot = {.request = request,
          .eos_ids = {request.eos_ids.begin(), request.eos_ids.end()},
          .read_ids = {request.read_ids.begin(), request.read_ids.end()},
          .forced = {request.forced.begin(), request.forced.end()},
          .reading = {},
          .position = request.position,
          .last = 0,
          .stop_state = request.stop_state,
          .ended = false,
          .tokens = {}};
  slot.request.eos_ids = slot.eos_ids;
  slot.request.read_ids = slot.read_ids;
  slot.request.forced = slot.forced;
}

/// The hidden states that are sampled from, sequence by sequence: [sum of (proposals + 1), hidden].
at::Tensor OperatorDecoder::hidden_states(const StepBatch& batch) {
  std::vector<at::Tensor> wanted(batch.sequences.size());
  std::vector<SlotRows> together;  // single rows and verifications: one forward pass for all
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    const StepRows& rows = batch.sequences[i];
    const Slot& slot = slots_[static_cast<std::size_t>(rows.slot)];
    const std::span<const TokenId> tokens = rows.tokens.empty() ? std::span(&slot.last, 1) : rows.tokens;
    if (tokens.size() > 1 && rows.proposals == 0) {
      wanted[i] = prefill(context_, rows.slot, slot.position, tokens);
    } else {
      together.push_back({rows.slot, slot.position, tokens});
    }
  }
  if (!together.empty()) {
    const at::Tensor hidden = context_.model.forward(together);
    std::int64_t row = 0;
    for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
      if (wanted[i].defined()) continue;
      const StepRows& rows = batch.sequences[i];
      row += rows_of(rows);
      wanted[i] = hidden.narrow(0, row - rows.proposals - 1, rows.proposals + 1);
    }
  }
  return wanted.size() == 1 ? wanted[0] : at::cat(wanted);
}

/// Candidates of all rows in one message between the ranks; nothing where one of them needs all ids: each row is then
/// gathered by itself.
std::vector<std::vector<Candidate>> OperatorDecoder::gather_all(const StepBatch& batch, const at::Tensor& logits) {
  std::int64_t most = 0;
  const std::int64_t limit =
      slots_[static_cast<std::size_t>(batch.sequences.front().slot)].request.sampling.vocab_limit;
  for (const StepRows& rows : batch.sequences) {
    const StepSampling& wanted = slots_[static_cast<std::size_t>(rows.slot)].request.sampling;
    const std::optional<std::int64_t> needed = candidates_needed(wanted.params);
    if (!needed || wanted.vocab_limit != limit) return {};
    most = std::max(most, *needed);
  }
  return gather_best(logits, context_.model.plan(), limit, most, collectives_);
}

/// The request's next token, from the logits of its row and, where they are known, its candidates; `position`: its own.
OperatorDecoder::Choice OperatorDecoder::choose(const at::Tensor& logits, std::vector<Candidate> candidates, Slot& slot,
                                                std::int64_t position) {
  const StepSampling& wanted = slot.request.sampling;
  const ShardPlan& plan = context_.model.plan();
  if (candidates.empty()) {
    candidates = gather_candidates(logits, plan, wanted.vocab_limit, wanted.params, collectives_);
  }
  Choice choice;
  choice.token = sample(candidates, wanted.params, {wanted.draw, wanted.purpose, static_cast<std::uint32_t>(position)});
  if (!slot.forced.empty()) choice.token = slot.forced[slot.tokens.size()];
  if (!slot.read_ids.empty())
    slot.reading = measure_row(logits, slot.read_ids, plan, wanted.vocab_limit, collectives_).logprobs;
  if (!slot.request.statistics && slot.request.max_entropy == std::numeric_limits<float>::infinity()) return choice;
  const RowMeasure raw = measure_row(logits, std::span(&choice.token, 1), plan, wanted.vocab_limit, collectives_);
  choice.statistics = {raw.logprobs.front(), raw.entropy, processed_entropy(candidates, wanted.params)};
  return choice;
}

void OperatorDecoder::step(const StepBatch& batch) {
  const at::Tensor logits = context_.model.local_logits(hidden_states(batch));
  std::vector<std::vector<Candidate>> candidates = gather_all(batch, logits);
  candidates.resize(static_cast<std::size_t>(logits.size(0)));
  std::int64_t row = 0;
  for (const StepRows& rows : batch.sequences) {
    Slot& slot = slots_[static_cast<std::size_t>(rows.slot)];
    check(rows.proposals >= 0 && rows.proposals < rows_of(rows), "proposals behind a token");
    const std::span<const TokenId> proposals = rows.tokens.last(static_cast<std::size_t>(rows.proposals));
    // The position of the first sampled token.
    const std::int64_t first = slot.position + rows_of(rows) - rows.proposals;
    std::int64_t emitted = 0;
    while (!slot.ended && emitted <= rows.proposals) {
      const std::int64_t own = row + emitted;
      const Choice choice =
          choose(logits[own], std::move(candidates[static_cast<std::size_t>(own)]), slot, first + emitted);
      emit(slot, choice);
      ++emitted;
      if (emitted > rows.proposals || proposals[static_cast<std::size_t>(emitted - 1)] != choice.token || slot.ended)
        break;
      slot.tokens.back().more = true;
    }
    if (emitted > 0) slot.position = first + emitted - 1;
    row += rows.proposals + 1;
  }
}

/// What a new token means for its request.
void OperatorDecoder::emit(Slot& slot, const Choice& choice) {
  const StepRequest& request = slot.request;
  const TokenId token = choice.token;
  const auto count = static_cast<std::int32_t>(slot.tokens.size()) + 1;
  StepToken result{.id = token, .end = std::nullopt, .more = false, .statistics = choice.statistics};
  if (choice.statistics.entropy > request.max_entropy) {
    result.end = EndReason::uncertain;
  } else if (std::ranges::find(slot.eos_ids, token) != slot.eos_ids.end()) {
    result.end = EndReason::eos;
  } else if (token == request.stop_token) {
    result.end = EndReason::stop_token;
  } else if (completes_trigger(slot, token) && count >= request.min_tokens) {
    result.end = EndReason::trigger;
  } else if (count >= request.max_tokens) {
    result.end = EndReason::length;
  }
  slot.last = token;
  slot.ended = result.end.has_value();
  slot.tokens.push_back(result);
}

/// Moves the matcher on over the token.
bool OperatorDecoder::completes_trigger(Slot& slot, TokenId token) const {
  if (slot.request.stop_table < 0) return false;
  const StopEntries& table = stop_tables_.at(slot.request.stop_table);
  if (token >= table.vocab) return false;
  const std::uint16_t entry = table.entries[static_cast<std::size_t>(slot.stop_state * table.vocab + token)];
  slot.stop_state = entry & static_cast<std::uint16_t>(~kStopMatched);
  return (entry & kStopMatched) != 0;
}

StepToken OperatorDecoder::result(int slot, int index) {
  return slots_[static_cast<std::size_t>(slot)].tokens.at(static_cast<std::size_t>(index));
}

std::vector<float> OperatorDecoder::reading(int slot) const { return slots_[static_cast<std::size_t>(slot)].reading; }

}  // namespace specthink::inline engine
