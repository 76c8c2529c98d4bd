#include "specthink/evaluation/policy_table.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace specthink {
namespace {

RunRecord run_of(std::size_t problem, bool correct, const Json& segments) {
  RunRecord record;
  record.key = {RunMode::spec, problem, 0};
  record.latency = 2;
  record.num_tokens = 10;
  record.correct = correct;
  if (correct) record.answer = "1";
  record.ledger.draft = 6;
  record.ledger.target = 4;
  record.ledger.draft_wasted = 3;
  record.extra = {{"target", {{"decode_steps", 4}}}, {"draft", {{"decode_steps", 9}}}};
  record.segments = segments;
  return record;
}

TEST(policy_table, counts_the_changes_of_the_writer_in_the_text) {
  const Json segments{{{"by", "target"}, {"tokens", 2}},
                      {{"by", "draft"}, {"tokens", 3}},
                      {{"by", "probe"}, {"tokens", 3}, {"kept", 0}},
                      {{"by", "read"}, {"tokens", 30}, {"kept", 0}},
                      {{"by", "probe"}, {"tokens", 3}, {"kept", 3}},
                      {{"by", "inject"}, {"tokens", 2}},
                      {{"by", "draft"}, {"tokens", 1}, {"kept", 0}},
                      {{"by", "target"}, {"tokens", 2}}};
  const PolicySummary summary = summarize_policy({"score", {run_of(0, true, segments), run_of(1, false, segments)}});
  EXPECT_EQ(summary.runs, 2u);
  EXPECT_EQ(summary.hand_overs, 2);
  EXPECT_EQ(summary.target_share, 0.4);
  EXPECT_EQ(summary.target_steps, 4);
  EXPECT_EQ(summary.draft_steps, 9);
  EXPECT_EQ(summary.draft_wasted, 3);
  ASSERT_TRUE(summary.accuracy);
  EXPECT_EQ(summary.accuracy->mean, 0.5);
  EXPECT_EQ(to_json(summary).at("policy"), "score");
}

TEST(policy_table, has_a_row_for_each_policy) {
  const std::vector<PolicySummary> summaries{summarize_policy({"relay", {run_of(0, true, Json::array())}}),
                                             summarize_policy({"draft", {}})};
  const std::string table = policy_table(summaries);
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 4);
  EXPECT_NE(table.find("relay"), std::string::npos);
  EXPECT_NE(table.find("100.0 ["), std::string::npos);
}

}  // namespace
}  // namespace specthink
