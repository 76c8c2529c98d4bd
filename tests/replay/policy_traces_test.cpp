// Traces of the policies: what is kept is what they say.
#include "fixtures.h"
#include "specthink/replay/workload.h"

namespace specthink {
namespace {

Trace trace_of(std::vector<Segment> segments, int completion_tokens) {
  Trace trace;
  trace.prompt_tokens = 10;
  trace.completion_tokens = completion_tokens;
  trace.segments = std::move(segments);
  return trace;
}

TEST(policy_traces, of_score_read_each_step_once) {
  const Trace trace = trace_of({{.by = "probe", .tokens = 8, .kept = 8},
                                {.by = "read", .tokens = 30, .kept = 0},
                                {.by = "probe", .tokens = 6, .kept = 0},
                                {.by = "read", .tokens = 30, .kept = 0},
                                {.by = "target", .tokens = 7, .why = "score 4"},
                                {.by = "draft", .tokens = 2}},
                               17);
  const std::vector<ReplayRequest> expected{{Purpose::probe, 8, 8},    {Purpose::answer, 30, 0, true},
                                            {Purpose::probe, 6, 0},    {Purpose::answer, 36, 0, true},
                                            {Purpose::takeover, 7, 7}, {Purpose::segment, 2, 2}};
  EXPECT_EQ(replay_requests(trace, ReplayLoop::original), expected);
  EXPECT_EQ(replay_context(trace, ReplayLoop::original), 10 + 8 + 36);
}

TEST(policy_traces, of_the_entropies_leave_out_what_was_refused) {
  const Trace trace = trace_of({{.by = "draft", .tokens = 5, .kept = 4},
                                {.by = "target", .tokens = 1, .why = "entropy 1.31"},
                                {.by = "draft", .tokens = 1, .kept = 0},
                                {.by = "target", .tokens = 1},
                                {.by = "probe", .tokens = 1, .kept = 1},
                                {.by = "draft", .tokens = 3}},
                               10);
  const std::vector<ReplayRequest> expected{{Purpose::segment, 5, 4}, {Purpose::takeover, 1, 1},
                                            {Purpose::segment, 1, 0}, {Purpose::takeover, 1, 1},
                                            {Purpose::probe, 1, 1},   {Purpose::segment, 3, 3}};
  EXPECT_EQ(replay_requests(trace, ReplayLoop::original), expected);
}

// compat fixed: a neutral probe that stays in part, a rejected answer, a word that was taken back with its probe.
TEST(policy_traces, of_sentiment_keep_what_they_say) {
  const Trace trace = trace_of({{.by = "draft", .tokens = 5},
                                {.by = "probe", .tokens = 20, .kept = 13},
                                {.by = "target", .tokens = 20, .kept = 0, .why = "positive \"yes\""},
                                {.by = "inject", .tokens = 3, .kept = 0},
                                {.by = "probe", .tokens = 20, .kept = 0},
                                {.by = "target", .tokens = 20, .why = "negative \"wait\""}},
                               38);
  const std::vector<ReplayRequest> expected{{Purpose::segment, 5, 5},
                                            {Purpose::probe, 20, 13},
                                            {Purpose::takeover, 20, 0},
                                            {Purpose::probe, 20, 0},
                                            {Purpose::takeover, 20, 20}};
  EXPECT_EQ(replay_requests(trace, ReplayLoop::original), expected);
}

TEST(policy_traces, are_read_from_files) {
  const TemporaryFolder folder;
  const std::string segments =
      R"("segments": [{"by": "draft", "tokens": 5, "kept": 4}, {"by": "target", "tokens": 1}])";
  const auto file = folder.write(
      "t.jsonl", R"({"problem": 0, "run": 0, "prompt_tokens": 3, "completion_tokens": 5, )" + segments + "}\n");
  ASSERT_EQ(read_workloads(file).size(), 1u);
  const auto wrong = folder.write(
      "w.jsonl", R"({"problem": 0, "run": 0, "prompt_tokens": 3, "completion_tokens": 6, )" + segments + "}\n");
  EXPECT_NE(message_of<UserError>([&] { read_workloads(wrong); }).find("5 tokens together"), std::string::npos);
}

}  // namespace
}  // namespace specthink
