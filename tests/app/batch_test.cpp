// Several runs of a benchmark at a time.
#include <gtest/gtest.h>

#include "app/small_bench.h"

namespace specthink {
namespace {

using testing_support::count_messages;
using testing_support::ProgramResult;
using testing_support::run_program;
using testing_support::SmallBench;
using testing_support::uninterrupted_runs;
using testing_support::without_prefills;
using testing_support::without_times;

TEST(batch, gives_each_run_the_tokens_that_it_has_alone) {
  const std::string settings = " --dtype float32 --temperature 0";
  const Json alone = uninterrupted_runs("batch_alone", settings);
  const SmallBench bench("batch_of_four");
  const ProgramResult together = run_program(bench.arguments() + settings + " --batch 4", 2);
  ASSERT_EQ(together.exit_code, 0) << together.err;
  EXPECT_EQ(without_prefills(without_times(read_json(bench.only_file(".json")))), without_prefills(alone));
  EXPECT_EQ(bench.logged_runs(), 8);

  // How many ran at a time is no property of a run: what was begun so can be ended otherwise.
  const ProgramResult again = run_program(bench.arguments() + settings + " --batch 1 --resume", 2);
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_NE(again.err.find("all 8 runs are finished"), std::string::npos) << again.err;
}

TEST(batch, as_many_as_there_is_room_for_or_more_than_a_decode_step_takes) {
  const std::string settings = " --dtype float32 --temperature 0";
  const Json alone = uninterrupted_runs("batch_alone_of_many", settings);
  for (const std::string batch : {"auto", "24", "4 --reserve"}) {
    const SmallBench bench("batch_of_" + batch.substr(0, 1));
    const ProgramResult together = run_program(bench.arguments() + settings + " --batch " + batch, 1);
    ASSERT_EQ(together.exit_code, 0) << together.err;
    EXPECT_EQ(without_prefills(without_times(read_json(bench.only_file(".json")))), without_prefills(alone)) << batch;
  }
}

TEST(batch, of_groups) {
  const std::string settings = " --dtype float32 --temperature 0 --test-mode both";
  const Json alone = uninterrupted_runs("batch_alone_of_groups", settings);
  const SmallBench bench("batch_groups");
  const ProgramResult together = run_program(bench.arguments() + settings + " --batch 3 --tp 2", 4);
  ASSERT_EQ(together.exit_code, 0) << together.err;
  EXPECT_EQ(without_prefills(without_times(read_json(bench.only_file(".json")))), without_prefills(alone));
}

TEST(batch, a_number_that_no_step_takes_is_one_message) {
  const SmallBench bench("batch_wrong");
  for (const std::string number : {"0", "129", "many"}) {
    const ProgramResult result = run_program(bench.arguments() + " --batch " + number, 1);
    EXPECT_EQ(result.exit_code, 2) << number;
    EXPECT_EQ(count_messages(result.err), 1) << result.err;
    EXPECT_NE(result.err.find("batch"), std::string::npos) << result.err;
  }
}

}  // namespace
}  // namespace specthink
