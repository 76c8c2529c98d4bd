#include "engine/speculation/speculator.h"

#include <algorithm>

#include "specthink/base/error.h"
#include "specthink/base/stopwatch.h"
#include "specthink/kernels/sampling_rule.h"

namespace specthink::inline engine {
namespace {

constexpr std::uint32_t kCoin = 0x80000000;  // where noise has the token id: no id is as large

/// Ids that the step runs before the proposals.
int pending_rows(const Sequence& sequence) {
  const SequenceRequest& request = sequence.request;
  return request.enqueued == 0 ? static_cast<int>(std::min<std::int64_t>(request.pending, kMaxStepRows + 1)) : 1;
}

std::int64_t& draft_cached(Sequence& sequence) { return sequence.cached[static_cast<std::size_t>(Role::draft)]; }

ProposalCounts& counts_of(Generation& generation, Proposer by) {
  return by == Proposer::ngram ? generation.ngram : generation.draft_model;
}

}  // namespace

void Speculator::propose(std::span<Sequence* const> sequences, std::span<DraftProposer> proposers) {
  int free_rows = kMaxStepRows;
  for (const Sequence* sequence : sequences) free_rows -= pending_rows(*sequence);
  std::vector<Sequence*> drafted;
  std::vector<DraftProposer*> drafting;
  auto waiting = static_cast<int>(sequences.size());
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    Sequence& sequence = *sequences[i];
    sequence.request.proposal = {};
    // The rows that are left are shared evenly among those that have not chosen yet.
    const auto room = static_cast<int>(sequence.room - static_cast<std::int64_t>(sequence.ids.size())) - 1;
    const int limit = std::min({free_rows / waiting--, sequence.request.left() - 1, room});
    if (limit <= 0 || !sequence.request.work.speculates) continue;
    sequence.ngrams.extend(sequence.ids);
    const NgramIndex::Match match = sequence.ngrams.longest_match(sequence.ids);
    const ProposalSituation situation{.verifier = sequence.request.role,
                                      .pending = pending_rows(sequence),
                                      .limit = limit,
                                      .other_rows = kMaxStepRows - free_rows - pending_rows(sequence),
                                      .other_tokens = static_cast<int>(sequences.size()) - 1,
                                      .ngram_match = match.length,
                                      .draft = proposers[i].decoder != nullptr};
    const ProposalChoice choice = choose_proposals(situation, sequence.history, options_);
    if (choice.count == 0) continue;
    free_rows -= choice.count;
    Proposal& proposal = sequence.request.proposal;
    proposal.by = choice.by;
    if (choice.by == Proposer::ngram) {
      proposal.ngram_match = match.length;
      proposal.ids = tokens_behind(match, sequence.ids, choice.count);
    } else {
      proposers[i].request.max_tokens = choice.count;
      drafted.push_back(&sequence);
      drafting.push_back(&proposers[i]);
    }
  }
  if (!drafted.empty()) propose_by_draft(drafted, drafting);
}

/// The draft catches up with each sequence and writes on, all of them in shared steps.
void Speculator::propose_by_draft(std::span<Sequence* const> sequences, std::span<DraftProposer* const> proposers) {
  const Stopwatch watch;
  Decoder& decoder = *proposers.front()->decoder;
  int steps = 0;
  StepBatch together;
  const auto run = [&](const StepBatch& batch) {
    group_.mark(Phase::decode, static_cast<std::int64_t>(sequences.front()->ids.size()));
    decoder.step(batch);
  };
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    Sequence& sequence = *sequences[i];
    StepRequest& request = proposers[i]->request;
    const auto length = static_cast<std::int64_t>(sequence.ids.size());
    request.position = std::min(draft_cached(sequence), length - 1);
    const TokenIds forced = forced_proposals(sequence, request.max_tokens);
    request.forced = forced;
    decoder.start(sequence.slot(), request);
    const std::int64_t pending = length - request.position;
    sequence.request.generation.times.proposal_prefilled += pending - 1;
    const StepRows rows{sequence.slot(), std::span(sequence.ids).last(static_cast<std::size_t>(pending)), 0};
    if (pending > kMaxStepRows) {
      run({{rows}});
      continue;
    }
    if (together.num_rows() + pending > kMaxStepRows) run(std::exchange(together, {}));
    together.sequences.push_back(rows);
  }
  if (!together.sequences.empty()) run(together);
  for (const DraftProposer* proposer : proposers) steps = std::max(steps, proposer->request.max_tokens);
  for (int step = 1; step < steps; ++step) {
    StepBatch batch;
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      if (step < proposers[i]->request.max_tokens) batch.sequences.push_back({sequences[i]->slot(), {}, 0});
    }
    run(batch);
  }
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    Sequence& sequence = *sequences[i];
    TokenIds& ids = sequence.request.proposal.ids;
    for (bool ended = false; !ended;) {
      const StepToken token = decoder.result(sequence.slot(), static_cast<int>(ids.size()));
      ids.push_back(token.id);
      ended = token.end.has_value();
    }
    sequence.request.generation.times.proposal_steps += proposers[i]->request.max_tokens;
    sequence.request.generation.times.proposal_seconds += watch.seconds();
    // All but the last proposal has been run: true for those that will be kept.
    draft_cached(sequence) = static_cast<std::int64_t>(sequence.ids.size() + ids.size()) - 1;
  }
}

/// What the draft is made to propose where the text is given: its tokens, each with a fixed chance, by a coin that the
/// seed and the position decide.
TokenIds Speculator::forced_proposals(const Sequence& sequence, int count) const {
  const SequenceRequest& request = sequence.request;
  TokenIds ids;
  if (request.forced.empty()) return ids;
  const std::size_t done = request.generation.ids.size();
  const DrawKey& draw = request.work.draw;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    const auto position = static_cast<std::uint32_t>(sequence.ids.size() + i);
    const PhiloxBlock coin = philox({{position, draw.problem, draw.run, kCoin}}, draw.seed);
    const TokenId right = request.forced[done + i];
    const bool kept = static_cast<double>(coin.words[0]) * 0x1p-32 < forced_acceptance_;
    ids.push_back(kept ? right : right == 0 ? 1 : right - 1);
  }
  return ids;
}

void Speculator::settle(Sequence& sequence, std::span<const TokenId> emitted) {
  SequenceRequest& request = sequence.request;
  const Proposal& proposal = request.proposal;
  if (proposal.ids.empty()) return;
  const auto differing = std::ranges::mismatch(proposal.ids, emitted);
  const auto accepted = static_cast<std::size_t>(differing.in1 - proposal.ids.begin());
  ProposalCounts& counts = counts_of(request.generation, proposal.by);
  for (std::size_t i = 0; i < proposal.ids.size(); ++i) counts.proposed[i] += 1;
  for (std::size_t i = 0; i < accepted; ++i) counts.accepted[i] += 1;
  // What lies behind an end was neither kept nor refused.
  const bool cut_off = accepted == emitted.size();
  const int tested = static_cast<int>(cut_off ? accepted : proposal.ids.size());
  AcceptanceEstimate& estimate =
      proposal.by == Proposer::draft ? sequence.history.of_draft() : sequence.history.of_ngram(proposal.ngram_match);
  estimate.add(tested, static_cast<int>(accepted));
  if (proposal.by == Proposer::draft) {
    draft_cached(sequence) =
        std::min(draft_cached(sequence), static_cast<std::int64_t>(sequence.ids.size() + accepted));
  }
  request.proposal = {};
}

}  // namespace specthink::inline engine
