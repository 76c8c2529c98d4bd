#include "engine/speculation/proposal_count.h"

#include <gtest/gtest.h>

#include "specthink/base/error.h"

namespace specthink {
namespace {

// Milliseconds of steps of 1, 2, 4, 8 and 16 rows of Qwen3-32B and 1.7B on two H200.
const SpeculationOptions kLargePair{.ngram = true,
                                    .draft = true,
                                    .max_draft_tokens = 8,
                                    .costs = {{8.1, 8.5, 8.6, 8.7, 9.8}, {0.84, 0.96, 1.0, 1.2, 1.6}}};

ProposalSituation target_asks(int ngram_match, bool draft) {
  return {.verifier = Role::target, .pending = 1, .limit = 15, .ngram_match = ngram_match, .draft = draft};
}

TEST(cost_of, is_that_of_the_count_that_a_step_is_built_for) {
  const RowCosts costs{1, 2, 4, 8, 16};
  EXPECT_EQ(cost_of(costs, 1), 1);
  EXPECT_EQ(cost_of(costs, 3), 4);
  EXPECT_EQ(cost_of(costs, 9), 16);
  EXPECT_THROW(cost_of(costs, 17), InternalError);
}

TEST(acceptance_estimate, starts_from_its_prior_and_follows_what_it_sees) {
  AcceptanceEstimate estimate(0.5, 0.5);
  EXPECT_DOUBLE_EQ(estimate.expected_tokens(0), 1);
  EXPECT_DOUBLE_EQ(estimate.expected_tokens(2), 1 + 0.5 + 0.25);
  for (int i = 0; i < 400; ++i) estimate.add(4, 4);
  EXPECT_GT(estimate.expected_tokens(4), 4.8);
  for (int i = 0; i < 400; ++i) estimate.add(4, 0);
  EXPECT_LT(estimate.expected_tokens(4), 1.2);
}

TEST(choose_proposals, nothing_is_proposed_where_nobody_can) {
  ProposalHistory history;
  EXPECT_EQ(choose_proposals(target_asks(0, false), history, kLargePair).count, 0);
}

TEST(choose_proposals, a_cheap_draft_proposes_for_the_target_and_a_long_match_comes_first) {
  ProposalHistory history;
  const ProposalChoice drafted = choose_proposals(target_asks(0, true), history, kLargePair);
  EXPECT_EQ(drafted.by, Proposer::draft);
  EXPECT_GE(drafted.count, 3);
  EXPECT_LE(drafted.count, 8);
  const ProposalChoice matched = choose_proposals(target_asks(12, true), history, kLargePair);
  EXPECT_EQ(matched.by, Proposer::ngram);
  EXPECT_GE(matched.count, 7);
}

TEST(choose_proposals, a_draft_never_proposes_for_itself) {
  ProposalHistory history;
  ProposalSituation situation = target_asks(0, true);
  situation.verifier = Role::draft;
  EXPECT_EQ(choose_proposals(situation, history, kLargePair).count, 0);
}

TEST(choose_proposals, limits_hold) {
  ProposalHistory history;
  for (int limit = 0; limit <= 15; ++limit) {
    ProposalSituation situation = target_asks(12, true);
    situation.limit = limit;
    EXPECT_LE(choose_proposals(situation, history, kLargePair).count, limit);
  }
  SpeculationOptions few = kLargePair;
  few.ngram = false;
  few.max_draft_tokens = 2;
  EXPECT_EQ(choose_proposals(target_asks(12, true), history, few).count, 2);
  ProposalSituation nearly_full = target_asks(12, true);
  nearly_full.pending = kMaxStepRows;
  EXPECT_EQ(choose_proposals(nearly_full, history, kLargePair).count, 0);
}

TEST(choose_proposals, rows_as_dear_as_steps_and_refused_proposals_stop_it) {
  SpeculationOptions dear = kLargePair;
  dear.costs.target = {1, 2, 4, 8, 16};
  dear.costs.draft = {1, 2, 4, 8, 16};
  ProposalHistory history;
  EXPECT_EQ(choose_proposals(target_asks(3, true), history, dear).count, 0);
  for (int i = 0; i < 300; ++i) history.of_draft().add(4, 0);
  EXPECT_EQ(choose_proposals(target_asks(0, true), history, kLargePair).count, 0);
}

}  // namespace
}  // namespace specthink
