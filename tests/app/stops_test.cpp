// Signals: the graceful stop, and what a launcher's end leaves behind.
#include <gtest/gtest.h>

#include <csignal>

#include "app/background_program.h"
#include "app/small_bench.h"

namespace specthink {
namespace {

using testing_support::BackgroundProgram;
using testing_support::count_messages;
using testing_support::count_rank_messages;
using testing_support::ProgramResult;
using testing_support::run_program;
using testing_support::SmallBench;
using testing_support::uninterrupted_runs;
using testing_support::without_times;

// Long enough that a fast machine is still at work when a signal arrives.
constexpr const char* kMoreRuns = " --num-runs 10 --max-tokens 60";

const Json& unstopped_runs() {
  static const Json runs = uninterrupted_runs("stops_reference", kMoreRuns);
  return runs;
}

void expect_resumable(const SmallBench& bench) {
  EXPECT_TRUE(bench.files(".json").empty());
  const ProgramResult resumed = run_program(bench.arguments() + kMoreRuns + " --resume", 2);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("of 40 runs are finished"), std::string::npos) << resumed.err;
  EXPECT_EQ(without_times(read_json(bench.only_file(".json"))), unstopped_runs());
}

TEST(stops, sigusr1_to_mpirun_ends_gracefully) {
  const SmallBench bench("stops_usr1");
  BackgroundProgram program(bench.arguments() + kMoreRuns, 2);
  program.wait_until([&] { return bench.logged_runs() >= 2; });
  program.signal_launcher(SIGUSR1);
  const ProgramResult result = program.wait();
  EXPECT_EQ(result.exit_code, 143);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(count_rank_messages(result.err), 0) << result.err;
  EXPECT_NE(result.err.find("go on with --resume"), std::string::npos) << result.err;
  expect_resumable(bench);
}

// As srun sends it to a single task.
TEST(stops, sigterm_to_any_rank_ends_gracefully) {
  const SmallBench bench("stops_rank");
  BackgroundProgram program(bench.arguments() + kMoreRuns, 2);
  program.wait_until([&] { return bench.logged_runs() >= 2; });
  program.signal_rank(1, SIGTERM);
  const ProgramResult result = program.wait();
  EXPECT_EQ(result.exit_code, 143) << result.err;
  EXPECT_EQ(count_rank_messages(result.err), 0) << result.err;
  EXPECT_NE(result.err.find("go on with --resume"), std::string::npos) << result.err;
}

TEST(stops, sigterm_to_mpirun_leaves_complete_files) {
  const SmallBench bench("stops_term");
  BackgroundProgram program(bench.arguments() + kMoreRuns, 2);
  program.wait_until([&] { return bench.logged_runs() >= 2; });
  program.signal_launcher(SIGTERM);
  EXPECT_NE(program.wait().exit_code, 0);
  expect_resumable(bench);
}

TEST(stops, groups_stop_together_and_go_on_as_one) {
  const SmallBench bench("stops_groups");
  BackgroundProgram program(bench.arguments() + kMoreRuns + " --tp 2", 4);
  program.wait_until([&] { return bench.logged_runs() >= 3; });
  program.signal_launcher(SIGUSR1);
  const ProgramResult result = program.wait();
  EXPECT_EQ(result.exit_code, 143);
  EXPECT_EQ(count_rank_messages(result.err), 0) << result.err;
  expect_resumable(bench);
}

TEST(stops, a_benchmark_that_another_job_writes_cannot_be_resumed) {
  const SmallBench bench("stops_two_jobs");
  const std::string long_job = bench.arguments() + " --num-runs 40";  // outlasts the start of the second one
  BackgroundProgram program(long_job, 2);
  program.wait_until([&] { return bench.logged_runs() >= 1; });
  const ProgramResult second = run_program(long_job + " --resume", 2);
  program.signal_launcher(SIGUSR1);
  EXPECT_EQ(program.wait().exit_code, 143);
  EXPECT_EQ(second.exit_code, 2);
  EXPECT_EQ(count_messages(second.err), 1) << second.err;
  EXPECT_NE(second.err.find("another process is writing it (pid "), std::string::npos) << second.err;
}

}  // namespace
}  // namespace specthink
