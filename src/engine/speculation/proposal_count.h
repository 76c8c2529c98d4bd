// How many tokens to propose, and by whom: a function of what was kept so far in the sequence and of a table of step
// costs, so that every rank, a resumed and a replayed run choose alike. No clock is read.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "engine/speculation/ngram_index.h"
#include "specthink/engine/speculation.h"

namespace specthink::inline engine {

enum class Proposer : std::uint8_t { ngram, draft };

/// How often proposals of one kind are kept: the first of a step, and each that follows kept ones. Starts from what
/// was measured elsewhere, counted as if it had been seen a few times, and follows the sequence.
class AcceptanceEstimate {
 public:
  AcceptanceEstimate() = default;
  AcceptanceEstimate(double first, double later) : first_(first), later_(later) {}

  void add(int proposed, int accepted);

  /// Tokens that a step with so many proposals emits on average, the verifier's own included.
  double expected_tokens(int proposals) const;

 private:
  /// A share of successes, in which older trials count for less.
  struct Share {
    explicit Share(double prior = 0.5) : successes(kPriorTrials * prior) {}
    void add(int trials_more, int successes_more);
    double value() const { return successes / trials; }

    static constexpr double kPriorTrials = 12;
    static constexpr double kMostTrials = 100;  // of these the oldest are forgotten
    double trials = kPriorTrials;
    double successes;
  };
  Share first_;
  Share later_;
};

/// What a sequence has seen of its proposers.
class ProposalHistory {
 public:
  ProposalHistory();

  AcceptanceEstimate& of_draft() { return draft_; }
  /// `match`: tokens of the match that the proposals followed, from 1 to NgramIndex::kMaxMatch.
  AcceptanceEstimate& of_ngram(int match) { return ngram_[static_cast<std::size_t>(match - 1)]; }

 private:
  AcceptanceEstimate draft_;
  std::array<AcceptanceEstimate, NgramIndex::kMaxMatch> ngram_;
};

struct ProposalChoice {
  Proposer by = Proposer::ngram;
  int count = 0;
};

struct ProposalSituation {
  Role verifier = Role::target;
  int pending = 1;       ///< rows of the step that are no proposals
  int limit = 0;         ///< proposals at most
  int other_rows = 0;    ///< of the step, of other sequences
  int other_tokens = 0;  ///< that the step emits for these, at least
  int ngram_match = 0;   ///< tokens of the match; 0: n-grams have nothing to propose
  bool draft = false;    ///< the draft can propose
};

/// The proposals that give the most tokens for the time of their step and of making them; none where plain steps do. In
/// a fuller step each row costs more, and fewer proposals pay.
ProposalChoice choose_proposals(const ProposalSituation& situation, ProposalHistory& history,
                                const SpeculationOptions& options);

}  // namespace specthink::inline engine
