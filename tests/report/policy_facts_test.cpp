// What policies add to ledger and trace, and the share that a result file says.
#include <gtest/gtest.h>

#include "fixtures.h"
#include "specthink/report/ledger.h"
#include "specthink/report/target_share.h"
#include "specthink/report/trace.h"

namespace specthink {
namespace {

TEST(policy_facts, ledgers_with_hand_overs_are_read_back) {
  Ledger ledger{.draft = 7, .unjudged = 2};
  ledger.hand_overs = {{"cue", 3}, {"sentence", 2}};
  EXPECT_EQ(to_json(ledger).at("hand_overs").at("cue"), 3);
  EXPECT_EQ(parse_ledger(to_json(ledger), "x"), ledger);
  Ledger sum = ledger;
  sum += ledger;
  EXPECT_EQ(sum.hand_overs.at("sentence"), 4);
  EXPECT_EQ(sum.unjudged, 4);
  EXPECT_FALSE(to_json(Ledger{}).contains("hand_overs"));
  Json wrong = to_json(ledger);
  wrong["hand_overs"] = 3;
  EXPECT_THROW(parse_ledger(wrong, "x"), UserError);
}

TEST(policy_facts, traces_say_what_stayed_and_why_it_was_written) {
  Trace trace;
  trace.prompt_tokens = 4;
  trace.completion_tokens = 5;
  trace.segments = {{.by = "probe", .tokens = 3, .kept = 0},
                    {.by = "read", .tokens = 9, .kept = 0},
                    {.by = "target", .tokens = 5, .why = "score 4"}};
  const Json json = Json::parse(to_json(trace).dump());
  EXPECT_EQ(json.at("segments")[0].at("kept"), 0);
  EXPECT_EQ(json.at("segments")[2].at("why"), "score 4");
  EXPECT_FALSE(json.at("segments")[2].contains("kept"));
  EXPECT_EQ(parse_trace(json, "x").segments, trace.segments);
  Json wrong = json;
  wrong["segments"][0]["kept"] = 4;
  EXPECT_THROW(parse_trace(wrong, "x"), UserError) << "more than there were";
}

TEST(policy_facts, a_result_file_says_the_targets_share) {
  const TemporaryFolder folder;
  const auto file = [&](const Json& json) { return folder.write("r.json", json.dump()); };
  const Json statistics{{"statistics", {{"target_share", {{"mean", 0.25}}}}}};
  EXPECT_EQ(read_target_share(file(statistics)), 0.25);
  EXPECT_EQ(read_target_share(file({{"speculative_thinking", statistics}, {"large_model", Json::object()}})), 0.25);
  EXPECT_THROW(read_target_share(file({{"statistics", Json::object()}})), UserError);
  EXPECT_THROW(read_target_share(file(Json::array())), UserError);
}

}  // namespace
}  // namespace specthink
