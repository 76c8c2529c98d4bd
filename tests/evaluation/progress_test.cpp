#include "specthink/evaluation/progress.h"

#include <gtest/gtest.h>

#include <vector>

#include "fixtures.h"

namespace specthink {
namespace {

TEST(progress, durations) {
  EXPECT_EQ(format_duration(0.4), "0 s");
  EXPECT_EQ(format_duration(59.6), "1 min 0 s");
  EXPECT_EQ(format_duration(200), "3 min 20 s");
  EXPECT_EQ(format_duration(7500), "2 h 5 min");
  EXPECT_EQ(format_duration(-1), "0 s");
}

TEST(progress, estimate_uses_each_modes_own_runs) {
  TimeEstimate estimate;
  const std::vector<RunKey> pending{{RunMode::large, 1, 0}, {RunMode::spec, 0, 0}, {RunMode::spec, 1, 0}};
  EXPECT_EQ(estimate.remaining(pending), 0);
  estimate.add(RunMode::large, 10);
  estimate.add(RunMode::large, 20);
  EXPECT_DOUBLE_EQ(estimate.remaining(pending), 45);  // spec: as long as the others, until one is known
  estimate.add(RunMode::spec, 4);
  EXPECT_DOUBLE_EQ(estimate.remaining(pending), 15 + 4 + 4);
  EXPECT_EQ(estimate.remaining({}), 0);
}

std::string output_of(bool is_terminal) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "out";
  std::FILE* out = std::fopen(path.c_str(), "w");
  {
    Progress progress(out, is_terminal, 1, 3);
    RunRecord record;
    record.key = {RunMode::spec, 4, 1};
    record.latency = 2;
    record.num_tokens = 100;
    record.throughput = 50;
    record.finish_reason = "stop";
    record.correct = true;
    const std::vector<RunKey> pending{{RunMode::spec, 4, 2}};
    progress.report(record, "x", pending);
    record.correct.reset();
    progress.report(record, 7, {});
  }
  std::fclose(out);
  return slurp(path);
}

TEST(progress, one_line_a_run) {
  EXPECT_EQ(output_of(false),
            "[2/3] speculative_thinking problem \"x\" run 1: 2.00 s, 100 tokens, 50.00 tokens/s, right "
            "(1 of 1 right so far, 100.0 %), ETA 2 s\n"
            "[3/3] speculative_thinking problem 7 run 1: 2.00 s, 100 tokens, 50.00 tokens/s\n");
}

TEST(progress, a_terminal_line_is_rewritten) {
  const std::string text = output_of(true);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\r'), 2);
  EXPECT_TRUE(text.ends_with('\n'));
}

}  // namespace
}  // namespace specthink
