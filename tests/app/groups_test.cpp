// Data parallelism: several groups of ranks share a benchmark.
#include <gtest/gtest.h>

#include "app/small_bench.h"

namespace specthink {
namespace {

using testing_support::count_messages;
using testing_support::ProgramResult;
using testing_support::run_program;
using testing_support::SmallBench;
using testing_support::without_times;

TEST(groups, give_the_same_runs_as_one_group) {
  const SmallBench one("groups_one");
  const ProgramResult alone = run_program(one.arguments(), 2);
  ASSERT_EQ(alone.exit_code, 0) << alone.err;
  const SmallBench two("groups_two");
  const ProgramResult together = run_program(two.arguments() + " --tp 2 --format json", 4);
  ASSERT_EQ(together.exit_code, 0) << together.err;
  EXPECT_EQ(testing_support::count_lines(together.out), 1);
  const Json expected = read_json(one.only_file(".json"));
  const Json found = read_json(two.only_file(".json"));
  EXPECT_EQ(without_times(found), without_times(expected));
  EXPECT_EQ(found.at("large_model").at("statistics").at("accuracy"),
            expected.at("large_model").at("statistics").at("accuracy"));
  EXPECT_EQ(two.logged_runs(), 8);

  // What one group began another number of groups can end, and nothing is loaded when nothing is left.
  const ProgramResult again = run_program(two.arguments() + " --tp 2 --resume", 2);
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_NE(again.err.find("all 8 runs are finished"), std::string::npos) << again.err;
  EXPECT_EQ(again.err.find("loaded in"), std::string::npos) << again.err;
  EXPECT_NE(again.out.find("Overall speed-up"), std::string::npos) << again.out;
}

TEST(groups, more_groups_than_runs) {
  const SmallBench bench("groups_many");
  const ProgramResult result =
      run_program(bench.arguments() + " --tp 1 --num-problems 1 --num-runs 1 --test-mode spec", 4);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(bench.logged_runs(), 1);
}

TEST(groups, ranks_that_do_not_divide_are_one_message) {
  const SmallBench bench("groups_odd");
  const ProgramResult result = run_program(bench.arguments() + " --tp 2", 3);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(count_messages(result.err), 1) << result.err;
  EXPECT_NE(result.err.find("multiple of 2"), std::string::npos) << result.err;
}

TEST(groups, one_answer_is_work_for_one_group) {
  const std::string model = " --target " + (testing_support::random_pair() / "target").string();
  for (const std::string command : {"generate --prompt-ids 1,2,3 --draft none", "score --prompt-ids 1,2,3"}) {
    const ProgramResult result = run_program(command + model + " --tp 1", 2);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(count_messages(result.err), 1) << result.err;
    EXPECT_NE(result.err.find("one group only"), std::string::npos) << result.err;
  }
}

}  // namespace
}  // namespace specthink
