// A rank that fails in any way ends the whole job with one message, and what was finished can be gone on with.
#include <gtest/gtest.h>

#include "app/background_program.h"
#include "app/small_bench.h"

namespace specthink {
namespace {

using testing_support::count_messages;
using testing_support::count_rank_messages;
using testing_support::ProgramResult;
using testing_support::run_program;
using testing_support::ScopedVariable;
using testing_support::SmallBench;
using testing_support::uninterrupted_runs;
using testing_support::without_times;

constexpr const char* kShortRuns = " --max-tokens 50";
constexpr const char* kShortTimeout = " --collective-timeout 3";

ProgramResult run_with_fault(const SmallBench& bench, const std::string& fault, int ranks = 2,
                             const std::string& flags = "") {
  const ScopedVariable variable("SPECTHINK_FAULT", fault);
  return run_program(bench.arguments() + kShortRuns + flags, ranks);
}

void expect_one_message(const ProgramResult& result, const std::vector<std::string>& parts) {
  EXPECT_EQ(count_rank_messages(result.err), 1) << result.err;
  for (const std::string& part : parts)
    EXPECT_NE(result.err.find(part), std::string::npos) << part << ": " << result.err;
}

/// What an uninterrupted benchmark gives.
const Json& undisturbed_runs() {
  static const Json runs = uninterrupted_runs("failures_reference", kShortRuns);
  return runs;
}

TEST(failures, a_rank_that_throws_says_what_it_did_last) {
  const SmallBench bench("failures_throw");
  const ProgramResult result = run_with_fault(bench, "1:decode:throw:60");
  EXPECT_EQ(result.exit_code, 3);
  expect_one_message(result, {"rank 1: failed on purpose", "last: decode at position "});
}

TEST(failures, start_and_load_end_the_job_before_any_run) {
  const SmallBench bench("failures_start");
  const ProgramResult start = run_with_fault(bench, "1:start", 3);
  EXPECT_EQ(start.exit_code, 3);
  expect_one_message(start, {"rank 1: failed on purpose"});
  const ProgramResult load = run_with_fault(bench, "2:load", 3);
  EXPECT_EQ(load.exit_code, 3);
  expect_one_message(load, {"rank 2: failed on purpose"});
  EXPECT_TRUE(bench.files(".jsonl").empty());
}

TEST(failures, a_killed_rank_is_named_by_another_and_the_benchmark_goes_on) {
  const SmallBench bench("failures_kill");
  const ProgramResult killed = run_with_fault(bench, "1:decode:kill:250");
  EXPECT_NE(killed.exit_code, 0);
  expect_one_message(killed, {"rank 1: its process is gone", "last: decode at position "});
  EXPECT_TRUE(bench.files(".json").empty());
  const int finished = bench.logged_runs();
  EXPECT_GT(finished, 0);
  const ProgramResult resumed = run_program(bench.arguments() + kShortRuns + " --resume", 2);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find(std::to_string(finished) + " of 8 runs are finished"), std::string::npos) << resumed.err;
  EXPECT_EQ(without_times(read_json(bench.only_file(".json"))), undisturbed_runs());
}

TEST(failures, rank_0_killed_while_it_writes_leaves_complete_files) {
  const SmallBench bench("failures_write");
  const ProgramResult killed = run_with_fault(bench, "0:write:kill:3");
  EXPECT_NE(killed.exit_code, 0);
  expect_one_message(killed, {"rank 0: its process is gone"});
  EXPECT_EQ(bench.logged_runs(), 2);
  const ProgramResult resumed = run_program(bench.arguments() + kShortRuns + " --resume", 2);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(without_times(read_json(bench.only_file(".json"))), undisturbed_runs());
}

TEST(failures, a_stopped_rank_is_named_whichever_it_is) {
  for (const std::string rank : {"0", "1"}) {
    const SmallBench bench("failures_stop_" + rank);
    const ProgramResult result = run_with_fault(bench, rank + ":decode:stop:60", 2, kShortTimeout);
    EXPECT_EQ(result.exit_code, 3);
    expect_one_message(result, {"rank " + rank + ": its process does not run", "last: decode at position "});
  }
}

TEST(failures, a_rank_that_never_comes_to_a_collective_is_named) {
  const SmallBench bench("failures_hang");
  const ProgramResult result = run_with_fault(bench, "1:collective:hang:200", 3, kShortTimeout);
  EXPECT_EQ(result.exit_code, 3);
  expect_one_message(result, {"rank 1: no progress for ", "--collective-timeout"});
}

TEST(failures, a_rank_of_another_group_ends_the_whole_job) {
  for (const std::string fault : {"3:decode:kill:60", "2:decode:throw:60"}) {
    const SmallBench bench("failures_group");
    const ProgramResult result = run_with_fault(bench, fault, 4, " --tp 2");
    EXPECT_NE(result.exit_code, 0);
    expect_one_message(result, {"rank " + fault.substr(0, 1) + ": ", "last: decode at position "});
  }
}

TEST(failures, a_mistake_in_the_variable_is_one_message_before_anything_is_loaded) {
  const SmallBench bench("failures_mistake");
  const ProgramResult result = run_with_fault(bench, "1:dekode");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(count_messages(result.err), 1) << result.err;
  EXPECT_NE(result.err.find("dekode"), std::string::npos) << result.err;
}

// Processes that a launcher has started but that MPI has not joined.
TEST(failures, copies_of_a_one_rank_world_are_refused_once) {
  const SmallBench bench("failures_world");
  {
    const ScopedVariable tasks("SLURM_STEP_NUM_TASKS", "2");
    const ScopedVariable task("SLURM_PROCID", "0");
    const ProgramResult first = run_program(bench.arguments());
    EXPECT_EQ(first.exit_code, 3);
    EXPECT_EQ(count_messages(first.err), 1) << first.err;
    EXPECT_NE(first.err.find("srun --mpi=pmix"), std::string::npos) << first.err;
  }
  {
    const ScopedVariable tasks("SLURM_STEP_NUM_TASKS", "2");
    const ScopedVariable task("SLURM_PROCID", "1");
    // Below a process with the name of Slurm's, the first task speaks for this one; alone it speaks for itself.
    const std::string program = std::getenv("SPECTHINK_BINARY");
    const auto step = bench.folder / "slurmstepd";
    std::ofstream(step) << "#!/bin/sh\n'" << program << "' \"$@\"\nexit $?\n";
    std::filesystem::permissions(step, std::filesystem::perms::owner_all);
    ::setenv("SPECTHINK_BINARY", step.c_str(), 1);
    const ProgramResult second = run_program(bench.arguments());
    ::setenv("SPECTHINK_BINARY", program.c_str(), 1);
    EXPECT_EQ(second.exit_code, 3);
    EXPECT_EQ(count_messages(second.err), 0) << second.err;
    EXPECT_EQ(count_messages(run_program(bench.arguments()).err), 1);
  }
  const ScopedVariable tasks("SLURM_NTASKS", "4");
  const ProgramResult batch = run_program(bench.arguments());
  EXPECT_EQ(batch.exit_code, 3);
  EXPECT_EQ(count_messages(batch.err), 1) << batch.err;
  EXPECT_NE(batch.err.find("mpirun -np 4"), std::string::npos) << batch.err;
}

}  // namespace
}  // namespace specthink
