// Makes the proposals of a model's coming step, on every rank alike.
#pragma once

#include <span>

#include "engine/model_state.h"
#include "engine/sequence.h"
#include "specthink/comm/process_group.h"
#include "specthink/engine/speculation.h"

namespace specthink::inline engine {

/// How a request of the draft that proposes for the request of a sequence samples: with the noise of the latter.
struct DraftProposer {
  Decoder* decoder = nullptr;  ///< of the draft; null: it does not propose
  StepRequest request;         ///< but for the position and the number of tokens
};

class Speculator {
 public:
  Speculator(const SpeculationOptions& options, const ProcessGroup& group, double forced_acceptance)
      : options_(options), group_(group), forced_acceptance_(forced_acceptance) {}

  /// Fills `proposal` of the requests of these sequences, which the same model answers, for a step that runs the
  /// pending ids of each. `proposers`: one for each sequence.
  void propose(std::span<Sequence* const> sequences, std::span<DraftProposer> proposers);

  /// Takes note of what became of a sequence's proposal: the ids that the step has emitted, which are not among the
  /// sequence's yet.
  static void settle(Sequence& sequence, std::span<const TokenId> emitted);

 private:
  void propose_by_draft(std::span<Sequence* const> sequences, std::span<DraftProposer* const> proposers);
  TokenIds forced_proposals(const Sequence& sequence, int count) const;

  const SpeculationOptions& options_;
  const ProcessGroup& group_;
  double forced_acceptance_;
};

}  // namespace specthink::inline engine
