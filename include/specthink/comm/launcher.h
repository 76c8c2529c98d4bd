// What the launcher (mpirun, srun) says of this job in the environment, and whether MPI agrees with it.
//
// The classic mistake is N copies of a one-rank world: the launcher and the MPI library do not know each other, and
// each process believes that it is alone.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace specthink::inline comm {

/// The value of an environment variable, or null.
using LauncherEnvironment = std::function<const char*(const char* name)>;

/// What the launcher has set, as it is now: MPI_Init adds variables of its own.
LauncherEnvironment remember_launcher();

/// Rank of this process as its launcher set it, before MPI starts; 0 without a launcher.
int launcher_rank(const LauncherEnvironment& environment);
int launcher_rank();

/// True when a launcher that MPI talks to started this process: an mpirun among its ancestors, or an srun with a PMI.
/// Variables of a launcher alone prove nothing: scripts and containers hand them on. What is not joined is alone, and
/// speaks for itself.
bool is_joined();

/// Of `ancestors`, the names of the processes above this one.
bool is_joined(const LauncherEnvironment& environment, const std::vector<std::string>& ancestors);

/// True when others may speak for this process: it is joined, or one of the tasks of a real srun without a PMI.
bool has_siblings();

/// True when mpirun or srun started this process, perhaps as one of several.
bool started_by_launcher();

/// Open MPI 4 binds each of one or two ranks to a core unless it is told otherwise, where the threads of a rank that read
/// weights, copy and wait take turns. Where nobody has asked for cores, this process may run wherever mpirun may.
/// Before there are threads.
void leave_default_binding();

/// Why MPI need not be started: an srun that MPI cannot talk to. Null when nothing is wrong.
std::optional<std::string> launch_problem(const LauncherEnvironment& environment);

/// What is wrong with a world of `ranks` when the launcher was asked for another number; `library` names our MPI.
std::optional<std::string> world_problem(const LauncherEnvironment& environment, int ranks, const std::string& library);

}  // namespace specthink::inline comm
