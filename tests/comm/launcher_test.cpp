#include "specthink/comm/launcher.h"

#include <gtest/gtest.h>

#include <map>

namespace specthink {
namespace {

using Variables = std::map<std::string, std::string>;

LauncherEnvironment environment(const Variables& variables) {
  return [&variables](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

void expect_problem(const Variables& variables, int ranks, const std::string& part) {
  const auto problem = world_problem(environment(variables), ranks, "Open MPI v4.1.4");
  ASSERT_TRUE(problem) << part;
  EXPECT_NE(problem->find(part), std::string::npos) << *problem;
  EXPECT_EQ(problem->find('\n'), std::string::npos);
}

void expect_fine(const Variables& variables, int ranks) {
  EXPECT_EQ(world_problem(environment(variables), ranks, "Open MPI v4.1.4"), std::nullopt);
}

TEST(world_problem, a_world_as_it_was_asked_for) {
  expect_fine({}, 1);
  expect_fine({{"OMPI_COMM_WORLD_SIZE", "4"}}, 4);
  expect_fine({{"SLURM_NTASKS", "8"}, {"SLURM_STEP_NUM_TASKS", "2"}, {"PMIX_RANK", "0"}}, 2);
}

// mpirun inside an allocation of Slurm: what mpirun was asked for counts.
TEST(world_problem, the_nearest_launcher_counts) {
  expect_fine({{"SLURM_NTASKS", "4"}, {"OMPI_COMM_WORLD_SIZE", "1"}}, 1);
  expect_fine({{"SLURM_NTASKS", "1"}, {"OMPI_COMM_WORLD_SIZE", "4"}}, 4);
}

TEST(world_problem, copies_of_a_one_rank_world) {
  expect_problem({{"OMPI_COMM_WORLD_SIZE", "2"}}, 1, "Open MPI v4.1.4");
  expect_problem({{"PMI_SIZE", "2"}}, 1, "PMI_SIZE");
  expect_problem({{"SLURM_STEP_NUM_TASKS", "2"}}, 1, "srun --mpi=pmix");
}

TEST(world_problem, a_batch_script_that_forgot_its_launcher) {
  expect_problem({{"SLURM_NTASKS", "2"}, {"SLURM_PROCID", "0"}}, 1, "mpirun -np 2");
}

TEST(world_problem, values_that_are_no_numbers_say_nothing) {
  expect_fine({{"SLURM_NTASKS", "2(x4)"}, {"OMPI_COMM_WORLD_SIZE", ""}}, 1);
}

TEST(launch_problem, srun_without_pmi) {
  EXPECT_TRUE(launch_problem(environment({{"SLURM_STEP_NUM_TASKS", "2"}, {"SLURM_PROCID", "1"}})));
  EXPECT_FALSE(launch_problem(environment({{"SLURM_STEP_NUM_TASKS", "2"}, {"PMIX_RANK", "1"}})));
  EXPECT_FALSE(launch_problem(environment({{"SLURM_STEP_NUM_TASKS", "1"}})));
  EXPECT_FALSE(launch_problem(environment({{"SLURM_NTASKS", "2"}}))) << "a batch script, which runs once";
}

TEST(is_joined, by_a_launcher_above_that_mpi_talks_to) {
  const std::map<std::string, std::string> mpirun{{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "2"}};
  EXPECT_TRUE(is_joined(environment(mpirun), {"bash", "mpirun", "sshd"}));
  EXPECT_TRUE(is_joined(environment(mpirun), {"orted"})) << "on another node";
  EXPECT_TRUE(is_joined(environment({{"PMIX_RANK", "1"}}), {"slurmstepd"}));
  EXPECT_FALSE(is_joined(environment(mpirun), {"bash", "sshd"})) << "variables alone, handed on by a shell";
  EXPECT_FALSE(is_joined(environment({{"SLURM_PROCID", "3"}}), {"slurmstepd"})) << "srun without a PMI";
  EXPECT_FALSE(is_joined(environment({}), {"mpirun"}));
}

TEST(launcher_rank, of_the_nearest_launcher) {
  EXPECT_EQ(launcher_rank(environment({})), 0);
  EXPECT_EQ(launcher_rank(environment({{"SLURM_PROCID", "3"}})), 3);
  EXPECT_EQ(launcher_rank(environment({{"SLURM_PROCID", "0"}, {"OMPI_COMM_WORLD_RANK", "2"}})), 2);
  EXPECT_EQ(launcher_rank(environment({{"SLURM_PROCID", "1"}, {"PMIX_RANK", "1"}})), 1);
}

}  // namespace
}  // namespace specthink
