// A rank that fails at any collective and in any phase of a small benchmark. The suite takes the first and the last of
// each and some between; all of them with SPECTHINK_ALL_FAULTS=K/N, which is every N-th from the K-th on (1/1: all
// 1179, of 4 s each).
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "app/background_program.h"
#include "app/small_bench.h"

namespace specthink {
namespace {

using testing_support::count_rank_messages;
using testing_support::ProgramResult;
using testing_support::run_program;
using testing_support::ScopedVariable;
using testing_support::SmallBench;

constexpr int kRanks = 2;
constexpr const char* kFewTokens =
    " --test-mode spec --num-problems 1 --num-runs 1 --max-tokens 6 --begin-token-num 2 --max-target-tokens 2"
    " --collective-timeout 2";

struct PlannedFault {
  int rank;
  std::string phase;
  std::string action;
  std::uint64_t count;

  std::string text() const { return fmt::format("{}:{}:{}:{}", rank, phase, action, count); }
};

/// How often a rank comes to each phase of the benchmark.
std::map<std::string, std::uint64_t> counts_of(int rank) {
  const SmallBench bench("every_fault_counts");
  const ScopedVariable variable("SPECTHINK_FAULT", fmt::format("{}:start:count", rank));
  const ProgramResult result = run_program(bench.arguments() + kFewTokens, kRanks);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const std::string label = fmt::format("rank {}: SPECTHINK_FAULT counted: ", rank);
  const std::size_t begin = result.err.find(label);
  EXPECT_NE(begin, std::string::npos) << result.err;
  std::map<std::string, std::uint64_t> counts;
  if (begin == std::string::npos) return counts;
  std::istringstream line(result.err.substr(begin + label.size(), result.err.find('\n', begin) - begin - label.size()));
  std::string phase;
  for (std::uint64_t count = 0; line >> phase >> count; line.ignore(1)) counts[phase] = count;
  return counts;
}

/// All from 1 to `last`, or so many of them, the first and the last among them.
std::vector<std::uint64_t> some_of(std::uint64_t last, std::uint64_t most) {
  std::vector<std::uint64_t> some;
  const std::uint64_t number = std::min(last, most);
  for (std::uint64_t i = 0; i < number; ++i) some.push_back(number == 1 ? last : 1 + i * (last - 1) / (number - 1));
  return some;
}

std::vector<PlannedFault> plan(bool all) {
  std::vector<PlannedFault> faults;
  for (int rank = 0; rank < kRanks; ++rank) {
    for (const auto& [phase, count] : counts_of(rank)) {
      if (phase != "write" || rank == 0) EXPECT_GE(count, 1u) << phase << " of rank " << rank;
      const bool is_collective = phase == "collective";
      for (const char* action : {"throw", "kill", "stop", "hang"}) {
        // Of the suite: some collectives in every way, the phases thrown from by one rank and killed in the other.
        const std::map<std::string, std::uint64_t> of_suite =
            is_collective ? std::map<std::string, std::uint64_t>{{"throw", 2}, {"kill", 3}, {"stop", 1}, {"hang", 1}}
                          : std::map<std::string, std::uint64_t>{{rank == 0 ? "throw" : "kill", 1}};
        // Who writes may take any time (Phase::output): a hang there is not found.
        if (phase == "write" && std::string(action) == "hang") continue;
        const std::uint64_t most = all ? count : of_suite.contains(action) ? of_suite.at(action) : 0;
        for (const std::uint64_t time : some_of(count, most)) faults.push_back({rank, phase, action, time});
      }
    }
  }
  return faults;
}

/// Whoever reads the folder now finds complete files: JSON that parses, and of a log complete lines.
void expect_no_half_file(const SmallBench& bench) {
  if (!std::filesystem::exists(bench.results())) return;
  for (const auto& entry : std::filesystem::directory_iterator(bench.results())) {
    const std::string text = read_file(entry.path());
    if (entry.path().extension() == ".json") {
      EXPECT_TRUE(Json::accept(text)) << entry.path();
    } else if (entry.path().extension() == ".jsonl") {
      EXPECT_TRUE(text.empty() || text.back() == '\n') << entry.path();
      std::istringstream lines(text);
      for (std::string line; std::getline(lines, line);)
        EXPECT_TRUE(Json::accept(line)) << entry.path() << ": " << line;
    } else {
      EXPECT_NE(entry.path().extension(), ".partial") << entry.path();
    }
  }
}

/// The processes of the job that still run after as long as a rank may take to end.
std::vector<std::string> processes_left(const SmallBench& bench) {
  constexpr int kMostMilliseconds = 10000;
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    std::string line;
    std::getline(file, line);
    if (line.find(bench.results().string()) == std::string::npos) continue;
    const int pid = std::stoi(entry.path().filename());
    pollfd process{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)), POLLIN, 0};
    if (process.fd < 0) continue;  // it has ended meanwhile
    const bool ended = ::poll(&process, 1, kMostMilliseconds) == 1;
    ::close(process.fd);
    if (ended) continue;
    std::ranges::replace(line, '\0', ' ');
    found.push_back(fmt::format("{}: {}", pid, line));
  }
  return found;
}

/// Shared memory of specthink (/dev/shm/specthink_PID_TIME) whose process is gone.
std::vector<std::string> orphaned_memory() {
  std::vector<std::string> found;
  const std::string prefix = "specthink_";
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm", none)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(prefix)) continue;
    const std::string pid = name.substr(prefix.size(), name.find('_', prefix.size()) - prefix.size());
    if (!std::filesystem::exists("/proc/" + pid)) found.push_back(name);
  }
  return found;
}

/// mpirun with a folder for the files that it and the MPI library of the ranks share memory with. A job that does not
/// end is killed, and has a code that is not expected.
std::string bounded_mpirun(const std::filesystem::path& folder) {
  static const std::string mpirun = std::getenv("SPECTHINK_MPIRUN");
  std::filesystem::create_directories(folder);
  return fmt::format(
      "env TMPDIR='{0}' OMPI_MCA_btl_vader_backing_directory='{0}' OMPI_MCA_btl_sm_backing_directory='{0}' "
      "timeout -s KILL 60 {1}",
      folder.string(), mpirun);
}

void expect_a_clean_end(const PlannedFault& fault) {
  const SmallBench bench("every_fault");
  const auto shared_files = bench.folder / "shared";
  const ScopedVariable mpirun("SPECTHINK_MPIRUN", bounded_mpirun(shared_files));
  const ScopedVariable variable("SPECTHINK_FAULT", fault.text());
  const std::vector<std::string> orphaned_before = orphaned_memory();
  const ProgramResult result = run_program(bench.arguments() + kFewTokens, kRanks);
  EXPECT_EQ(processes_left(bench), std::vector<std::string>());
  EXPECT_EQ(orphaned_memory(), orphaned_before);
  EXPECT_TRUE(std::filesystem::is_empty(shared_files)) << *std::filesystem::directory_iterator(shared_files);
  // mpirun has a code of its own for a process that a signal ended.
  const bool killed = fault.action == "kill" && result.exit_code == 128 + 9;
  EXPECT_TRUE(result.exit_code == 3 || killed) << result.exit_code << ": " << result.err;
  if (fault.phase == "write" && fault.action == "throw") {  // what cannot be recorded may be said without a rank
    EXPECT_NE(result.err.find("failed on purpose: "), std::string::npos) << result.err;
  } else {
    EXPECT_EQ(count_rank_messages(result.err), 1) << result.err;
    EXPECT_NE(result.err.find(fmt::format("specthink: rank {}: ", fault.rank)), std::string::npos) << result.err;
  }
  // What was asked for, or what the rank did last.
  EXPECT_TRUE(result.err.find(fault.text()) != std::string::npos || result.err.find("last: ") != std::string::npos)
      << result.err;
  expect_no_half_file(bench);
  std::filesystem::remove_all(bench.folder);
}

TEST(every_fault, ends_the_job_with_one_message) {
  std::uint64_t first = 1;
  std::uint64_t stride = 1;
  const char* part = std::getenv("SPECTHINK_ALL_FAULTS");
  if (part) {
    char slash = 0;
    std::istringstream(part) >> first >> slash >> stride;
    ASSERT_TRUE(slash == '/' && first >= 1 && stride >= first) << "SPECTHINK_ALL_FAULTS is K/N, found " << part;
  }
  const std::vector<PlannedFault> faults = plan(part != nullptr);
  ASSERT_GE(faults.size(), 20u);
  std::size_t done = 0;
  for (std::size_t i = first - 1; i < faults.size(); i += stride) {
    SCOPED_TRACE(faults[i].text());
    expect_a_clean_end(faults[i]);
    ++done;
    if (testing::Test::HasFatalFailure()) return;
  }
  std::cout << done << " of " << faults.size() << " faults\n";
}

}  // namespace
}  // namespace specthink
