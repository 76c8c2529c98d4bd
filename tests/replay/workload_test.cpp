#include "specthink/replay/workload.h"

#include <numeric>

#include "fixtures.h"

namespace specthink {
namespace {

const std::filesystem::path kRecordedWorkloads = "tests/replay/data/workloads.jsonl";

constexpr auto kSegment = Purpose::segment;
constexpr auto kProbe = Purpose::probe;
constexpr auto kAnswer = Purpose::answer;
constexpr auto kTakeover = Purpose::takeover;

int kept_tokens(const std::vector<ReplayRequest>& requests) {
  return std::accumulate(requests.begin(), requests.end(), 0,
                         [](int sum, const ReplayRequest& request) { return sum + request.kept; });
}

int draft_tokens(const std::vector<ReplayRequest>& requests) {
  int tokens = 0;
  for (const ReplayRequest& request : requests) {
    if (request.purpose == kSegment || request.purpose == kProbe) tokens += request.tokens;
  }
  return tokens;
}

TEST(replay_workload, reads_the_traces_of_a_file) {
  const std::vector<Trace> traces = read_workloads(kRecordedWorkloads);
  ASSERT_EQ(traces.size(), 3u);
  EXPECT_EQ(traces[0].prompt_tokens, 20);
  EXPECT_EQ(traces[2].problem, 3);
  EXPECT_EQ(traces[2].segments.size(), 9u);
}

TEST(replay_workload, seed_makes_a_request_of_each_segment) {
  const Trace trace = read_workloads(kRecordedWorkloads)[0];
  const std::vector<ReplayRequest> expected{{kSegment, 30, 30},   {kProbe, 12, 0},     {kSegment, 8, 8},
                                            {kProbe, 12, 0},      {kSegment, 15, 15},  {kProbe, 12, 0},
                                            {kAnswer, 12, 12},    {kTakeover, 20, 20}, {kSegment, 4, 4},
                                            {std::nullopt, 3, 3}, {kTakeover, 3, 3}};
  EXPECT_EQ(replay_requests(trace, ReplayLoop::original), expected);
  EXPECT_EQ(replay_context(trace, ReplayLoop::original), 20 + 95);
}

// The first neutral probe covers its segment altogether, the second leaves three tokens of it.
TEST(replay_workload, fixed_keeps_neutral_probes) {
  const Trace trace = read_workloads(kRecordedWorkloads)[0];
  const std::vector<ReplayRequest> expected{
      {kSegment, 30, 30}, {kProbe, 12, 8},     {kProbe, 12, 12}, {kSegment, 3, 3},     {kProbe, 12, 0},
      {kAnswer, 12, 12},  {kTakeover, 20, 20}, {kSegment, 4, 4}, {std::nullopt, 3, 3}, {kTakeover, 3, 3}};
  EXPECT_EQ(replay_requests(trace, ReplayLoop::fixed), expected);
}

TEST(replay_workload, fixed_leaves_a_probe_behind_an_injected_word) {
  const Trace trace = read_workloads(kRecordedWorkloads)[2];
  const std::vector<ReplayRequest> expected{{kTakeover, 16, 16},  {kSegment, 20, 20}, {kSegment, 5, 5},
                                            {std::nullopt, 2, 2}, {kProbe, 7, 0},     {kSegment, 9, 9},
                                            {kProbe, 7, 7},       {kTakeover, 11, 11}};
  EXPECT_EQ(replay_requests(trace, ReplayLoop::fixed), expected);
}

TEST(replay_workload, the_target_alone_writes_everything) {
  const Trace trace = read_workloads(kRecordedWorkloads)[0];
  EXPECT_EQ(replay_requests(trace, ReplayLoop::target), (std::vector<ReplayRequest>{{kTakeover, 95, 95}}));
}

TEST(replay_workload, a_probe_at_the_end_needs_context_of_its_own) {
  const Trace trace = read_workloads(kRecordedWorkloads)[1];
  EXPECT_EQ(replay_context(trace, ReplayLoop::original), 5 + 17 + 6);
  EXPECT_EQ(replay_context(trace, ReplayLoop::target), 5 + 17);
}

TEST(replay_workload, every_policy_keeps_what_was_recorded) {
  for (const Trace& trace : read_workloads(kRecordedWorkloads)) {
    for (const auto loop : {ReplayLoop::original, ReplayLoop::fixed, ReplayLoop::target}) {
      const auto requests = replay_requests(trace, loop);
      EXPECT_EQ(kept_tokens(requests), trace.completion_tokens) << name_of(loop);
      for (const ReplayRequest& request : requests) {
        EXPECT_GE(request.tokens, 1);
        EXPECT_LE(request.kept, request.tokens);
      }
    }
  }
}

// The 25 recorded runs: what ALGORITHM.md's table says of them comes out again.
TEST(replay_workload, recorded_runs) {
  const auto path = shared_data() / "seed_runs" / "qwen3_32b_1.7b_workload.jsonl";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not here (SPECTHINK_DATA)";
  const std::vector<Trace> traces = read_workloads(path);
  ASSERT_EQ(traces.size(), 25u);
  double saved = 0;
  double original_draft = 0;
  for (const Trace& trace : traces) {
    const auto original = replay_requests(trace, ReplayLoop::original);
    const auto fixed = replay_requests(trace, ReplayLoop::fixed);
    EXPECT_EQ(kept_tokens(original), trace.completion_tokens);
    EXPECT_EQ(kept_tokens(fixed), trace.completion_tokens);
    original_draft += draft_tokens(original);
    saved += draft_tokens(original) - draft_tokens(fixed);
  }
  EXPECT_NEAR(original_draft / 25, 7827 + 4322, 1);
  EXPECT_GT(saved / 25, 2900);
  EXPECT_LT(saved / 25, 3700);
}

TEST(replay_workload, selects_by_index) {
  using Indices = std::vector<std::size_t>;
  EXPECT_EQ(select_workloads(std::nullopt, 3), (Indices{0, 1, 2}));
  EXPECT_EQ(select_workloads(std::vector<IndexRange>{{4, 4}, {0, 2}, {1, 4}}, 5), (Indices{4, 0, 1, 2, 3}));
  const std::string error = message_of<UserError>([] { select_workloads(std::vector<IndexRange>{{0, 3}}, 3); });
  expect_contains(error, "workload 3");
  expect_contains(error, "0 to 2");
}

struct BadLine {
  const char* name;
  const char* line;
  const char* message;
};

class bad_workloads : public testing::TestWithParam<BadLine> {};

TEST_P(bad_workloads, name_line_and_field) {
  const TemporaryFolder folder;
  const auto path = folder.write(
      "runs.jsonl",
      "{\"problem\":0,\"run\":0,\"prompt_tokens\":1,\"completion_tokens\":2,\"segments\":[{\"by\":\"draft\","
      "\"tokens\":2}]}\n" +
          std::string(GetParam().line));
  const std::string error = message_of<UserError>([&] { read_workloads(path); });
  expect_contains(error, path.string() + ":2");
  expect_contains(error, GetParam().message);
}

constexpr BadLine kBadLines[] = {
    {"sum", R"({"problem":0,"run":0,"prompt_tokens":1,"completion_tokens":3,"segments":[{"by":"draft","tokens":2}]})",
     "'completion_tokens' is 3, but the draft, inject and target segments have 2"},
    {"kept_probe",
     R"({"problem":0,"run":0,"prompt_tokens":1,"completion_tokens":4,"segments":[{"by":"draft","tokens":2},{"by":"probe","tokens":2}]})",
     "'completion_tokens' is 4"},
    {"no_prompt",
     R"({"problem":0,"run":0,"prompt_tokens":0,"completion_tokens":2,"segments":[{"by":"draft","tokens":2}]})",
     "'prompt_tokens'"},
    {"empty_segment",
     R"({"problem":0,"run":0,"prompt_tokens":1,"completion_tokens":2,"segments":[{"by":"draft","tokens":2},{"by":"target","tokens":0}]})",
     "segments[1]: expected at least 1 in 'tokens'"},
    {"no_segments", R"({"problem":0,"run":0,"prompt_tokens":1,"completion_tokens":0,"segments":[]})", "'segments'"},
    {"only_probes",
     R"({"problem":0,"run":0,"prompt_tokens":1,"completion_tokens":0,"segments":[{"by":"probe","tokens":2}]})",
     "'segments'"},
    {"writer",
     R"({"problem":0,"run":0,"prompt_tokens":1,"completion_tokens":2,"segments":[{"by":"human","tokens":2}]})",
     "segments[0]: expected draft, probe, inject, target or read in 'by'"},
    {"type",
     R"({"problem":0,"run":0,"prompt_tokens":"1","completion_tokens":2,"segments":[{"by":"draft","tokens":2}]})",
     "'prompt_tokens'"},
    {"missing", R"({"problem":0,"run":0,"prompt_tokens":1,"segments":[{"by":"draft","tokens":2}]})",
     "'completion_tokens'"},
    {"huge",
     R"({"problem":0,"run":0,"prompt_tokens":1,"completion_tokens":2,"segments":[{"by":"draft","tokens":4000000000}]})",
     "'tokens'"},
    {"list", "[1,2]", "expected a JSON object"},
    {"torn", R"({"problem":0,"run":0,"prompt_tok)", ""},
};
INSTANTIATE_TEST_SUITE_P(replay, bad_workloads, testing::ValuesIn(kBadLines),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(replay_workload, a_file_without_runs_is_an_error) {
  const TemporaryFolder folder;
  const auto path = folder.write("runs.jsonl", "{\"format\":\"x\"}\n");
  expect_contains(message_of<UserError>([&] { read_workloads(path); }), "no recorded run");
  message_of<UserError>([&] { read_workloads(folder.path() / "missing.jsonl"); });
}

}  // namespace
}  // namespace specthink
