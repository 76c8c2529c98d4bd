#include "report/run_lock.h"

#include <sys/wait.h>

#include <csignal>

#include "fixtures.h"

namespace specthink {
namespace {

namespace fs = std::filesystem;

TEST(run_lock, names_who_has_it) {
  const TemporaryFolder folder;
  const fs::path log = folder.path() / "log.jsonl";
  std::string owner;
  {
    RunLock first;
    ASSERT_TRUE(first.take(log, owner));
    RunLock second;
    EXPECT_FALSE(second.take(log, owner));
    expect_contains(owner, "pid " + std::to_string(::getpid()) + " on host ");
    EXPECT_TRUE(fs::exists(RunLock::path_for(log)));
  }
  EXPECT_FALSE(fs::exists(RunLock::path_for(log))) << "nothing stays behind";
  RunLock third;
  EXPECT_TRUE(third.take(log, owner));
}

TEST(run_lock, of_a_killed_process_is_taken_over) {
  const TemporaryFolder folder;
  const fs::path log = folder.path() / "log.jsonl";
  const pid_t child = ::fork();
  if (child == 0) {
    RunLock lock;
    std::string ignored;
    if (lock.take(log, ignored)) ::raise(SIGKILL);
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(fs::exists(RunLock::path_for(log)));
  RunLock lock;
  std::string owner;
  EXPECT_TRUE(lock.take(log, owner));
  expect_contains(slurp(RunLock::path_for(log)), "pid " + std::to_string(::getpid()) + " ");
}

TEST(run_lock, with_any_content_is_taken_over) {
  const TemporaryFolder folder;
  const fs::path log = folder.path() / "log.jsonl";
  folder.write(RunLock::path_for(log).filename(), std::string(5000, '\x01'));
  RunLock lock;
  std::string owner;
  EXPECT_TRUE(lock.take(log, owner));
}

}  // namespace
}  // namespace specthink
