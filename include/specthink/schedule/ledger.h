// Who wrote what, and the work beside it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace specthink::inline schedule {

constexpr std::size_t kMaxProposals = 15;  ///< of a step: its rows but one

/// What a proposer of token-level speculation proposed for a model to verify, and what of it was kept, by place in the
/// step: index 0 is the token right behind the text.
struct ProposalCounts {
  std::array<std::int64_t, kMaxProposals> proposed{};
  std::array<std::int64_t, kMaxProposals> accepted{};

  std::int64_t num_proposed() const;
  std::int64_t num_accepted() const;
  ProposalCounts& operator+=(const ProposalCounts& other);
  bool operator==(const ProposalCounts&) const = default;
};

/// Token counts of one run (or a sum of runs).
struct Ledger {
  std::int64_t draft = 0;  ///< generated tokens that stayed, by origin
  std::int64_t target = 0;
  std::int64_t injected = 0;
  std::int64_t draft_wasted = 0;     ///< discarded probes, refused proposals
  std::int64_t target_wasted = 0;    ///< rejected answers
  std::int64_t draft_prefilled = 0;  ///< positions a model had to catch up on
  std::int64_t target_prefilled = 0;
  std::int64_t nominal_target_tokens = 0;            ///< sum of nominal lengths in the log
  ProposalCounts ngram{};                            ///< proposals of n-grams, for either model
  ProposalCounts draft_model{};                      ///< proposals of the draft, for the target
  std::int64_t unjudged = 0;                         ///< steps kept without a score, as the question had no room
  std::map<std::string, std::int64_t> hand_overs{};  ///< changes of the writer, by the rule that made them

  std::int64_t generated() const { return draft + target + injected; }
  double target_share() const;          ///< target / generated, 0 for an empty run
  double nominal_target_share() const;  ///< as the original's result files count it

  Ledger& operator+=(const Ledger& other);
  bool operator==(const Ledger&) const = default;
};

/// Tokens that a proposer proposed to a model, and how many of them were kept.
struct Proposals {
  int proposed = 0;
  int accepted = 0;

  bool operator==(const Proposals&) const = default;
};

/// How a model wrote a segment.
struct StepCount {
  int steps = -1;  ///< that gave its tokens; below 0: not counted
  Proposals ngram{};
  Proposals draft_model{};

  bool operator==(const StepCount&) const = default;
};

/// One entry of a trace: who worked, for how many tokens, when.
struct Segment {
  std::string by;  ///< draft, probe, inject, target or read
  int tokens = 0;
  double start_ms = -1;  ///< since the run began; below 0: not measured
  double ms = -1;
  int kept = -1;      ///< of the tokens, so many stayed; below 0: all, or of a probe none, as old traces have it
  std::string why{};  ///< the rule that made this writer write, and what it went by: cue "Thus", entropy 1.31
  StepCount written{};

  /// How many of the tokens stayed, where the trace does not say as the original loop does it.
  int kept_tokens() const;

  bool operator==(const Segment&) const = default;
};

}  // namespace specthink::inline schedule
