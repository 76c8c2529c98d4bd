// A machine that lacks something: one line says where and what to do, and no file is half written.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <sstream>

#include "app/background_program.h"
#include "app/small_bench.h"

namespace specthink {
namespace {

using testing_support::BackgroundProgram;
using testing_support::fresh_folder;
using testing_support::ProgramResult;
using testing_support::random_pair;
using testing_support::run_program;
using testing_support::ScopedVariable;
using testing_support::SmallBench;

void expect_one_line(const ProgramResult& result, int exit_code, const std::vector<std::string>& parts) {
  EXPECT_EQ(result.exit_code, exit_code) << result.err;
  // What had been said before the failure are facts of models, and how far they are loaded where that takes long.
  std::istringstream lines(result.err);
  std::vector<std::string> messages;
  for (std::string line; std::getline(lines, line);) {
    const bool is_fact = line.find(" ranks, rank 0 on ") != std::string::npos ||
                         line.find(" loaded in ") != std::string::npos ||
                         line.find(": layer ") != std::string::npos ||
                         line.find("token-level speculation by ") != std::string::npos;
    if (line.starts_with("specthink: ") && !is_fact) messages.push_back(line);
  }
  ASSERT_EQ(messages.size(), 1u) << result.err;
  for (const std::string& part : parts)
    EXPECT_NE(messages[0].find(part), std::string::npos) << part << ": " << messages[0];
}

/// A file system of its own, of a few megabytes, on a folder; is_there() is false where mounting is not permitted.
class SmallDisk {
 public:
  SmallDisk(const std::filesystem::path& folder, const char* options, unsigned long flags = 0) : folder_(folder) {
    std::filesystem::create_directories(folder);
    // In a namespace of this process and those that it starts, so that nothing is left behind however it ends.
    static const bool kIsPrivate =
        ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    mounted_ = kIsPrivate && ::mount("tmpfs", folder.c_str(), "tmpfs", flags, options) == 0;
    if (!mounted_) why_ = std::strerror(errno);
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  void make_read_only() const {
    ASSERT_EQ(::mount(nullptr, folder_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  }

  bool is_there() const { return mounted_; }
  const std::string& why_not() const { return why_; }

  /// Takes all that is free but so many bytes.
  void fill(std::size_t leave) const {
    struct statvfs info {};
    ASSERT_EQ(::statvfs(folder_.c_str(), &info), 0);
    const std::size_t free = info.f_bavail * info.f_frsize;
    if (free <= leave) return;
    std::ofstream(folder_ / "ballast") << std::string(free - leave, 'x');
  }

 private:
  std::filesystem::path folder_;
  bool mounted_ = false;
  std::string why_;
};

#define SKIP_WITHOUT(disk) \
  if (!(disk).is_there()) GTEST_SKIP() << "a file system cannot be mounted here: " << (disk).why_not()

constexpr const char* kGreedyAnswer =
    " --dtype float32 --temperature 0 --max-tokens 12 --ignore-eos --device cpu Hello";

std::string models() {
  return " --target " + (random_pair() / "target").string() + " --draft " + (random_pair() / "draft").string();
}

TEST(machine, a_full_disk_is_found_before_models_are_loaded) {
  const SmallBench bench("machine_full");
  const SmallDisk disk(bench.results(), "size=2m");
  SKIP_WITHOUT(disk);
  disk.fill(4096);
  const ProgramResult result = run_program(bench.arguments(), 2);
  expect_one_line(result, 3,
                  {bench.results().string(), "No space left on device", "choose another folder with --output-dir"});
  EXPECT_EQ(result.err.find("loaded"), std::string::npos) << result.err;
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(bench.results()), {}), 1) << "only what filled it";
}

TEST(machine, a_disk_that_fills_up_keeps_the_finished_runs) {
  const SmallBench bench("machine_fills");
  const SmallDisk disk(bench.results(), "size=4m");
  SKIP_WITHOUT(disk);
  const std::string flags = " --max-tokens 50 --num-runs 6";
  ProgramResult result;
  {
    BackgroundProgram program(bench.arguments() + flags, 2);
    program.wait_until([&] { return bench.logged_runs() >= 2; });
    disk.fill(0);
    result = program.wait();
  }
  expect_one_line(result, 3,
                  {bench.results().string(), "No space left on device", "finished runs are safe in", "--resume"});
  EXPECT_TRUE(bench.files(".json").empty());
  const std::string log = read_file(bench.only_file(".jsonl"));
  EXPECT_TRUE(log.ends_with('\n')) << "half a line is left";
  EXPECT_GE(bench.logged_runs(), 2);
  std::filesystem::remove(bench.results() / "ballast");
  const ProgramResult resumed = run_program(bench.arguments() + flags + " --resume", 2);
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_TRUE(Json::accept(read_file(bench.only_file(".json"))));
}

TEST(machine, a_folder_that_cannot_be_written_is_named) {
  const SmallBench bench("machine_read_only");
  const SmallDisk disk(bench.results(), "size=1m", MS_RDONLY);
  SKIP_WITHOUT(disk);
  expect_one_line(run_program(bench.arguments(), 2), 3,
                  {bench.results().string(), "Read-only file system", "choose another folder with --output-dir"});
  const std::string page = (bench.results() / "report.html").string();
  const SmallBench good("machine_read_only_source");
  ASSERT_EQ(run_program(good.arguments() + " --max-tokens 12 --num-problems 1 --num-runs 1", 2).exit_code, 0);
  expect_one_line(run_program("report " + good.only_file(".json").string() + " -o " + page), 3,
                  {page, "Read-only file system"});
}

TEST(machine, models_are_read_from_a_folder_that_cannot_be_written) {
  const auto folder = fresh_folder("machine_read_only_models");
  const SmallDisk disk(folder, "size=64m");
  SKIP_WITHOUT(disk);
  std::filesystem::copy(random_pair(), folder, std::filesystem::copy_options::recursive);
  disk.make_read_only();
  const ProgramResult result = run_program(
      "generate --target " + (folder / "target").string() + " --draft " + (folder / "draft").string() + kGreedyAnswer,
      2);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, run_program("generate" + models() + kGreedyAnswer, 2).out);
}

// Containers give little of it. Ranks then talk through MPI.
TEST(machine, without_shared_memory_the_tokens_are_the_same) {
  const std::string arguments = "generate" + models() + kGreedyAnswer;
  const ProgramResult expected = run_program(arguments, 2);
  ASSERT_EQ(expected.exit_code, 0) << expected.err;
  ASSERT_FALSE(expected.out.empty());
  const SmallDisk full("/dev/shm", "size=4k");
  SKIP_WITHOUT(full);
  full.fill(0);
  const ProgramResult result = run_program(arguments, 2);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, expected.out);
}

// Of one rank: MPI shares memory through files.
TEST(machine, a_file_that_may_not_grow_is_named) {
  const SmallBench bench("machine_small_files");
  const std::string binary = std::getenv("SPECTHINK_BINARY");
  const auto script = bench.folder / "specthink_limited";
  std::ofstream(script) << "#!/bin/sh\nulimit -f 64\nexec '" << binary << "' \"$@\"\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  const ScopedVariable limited("SPECTHINK_BINARY", script.string());
  expect_one_line(run_program(bench.arguments()), 3, {bench.results().string(), "File too large", "--output-dir"});
  EXPECT_TRUE(std::filesystem::is_empty(bench.results()));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which want terabytes of address space
// Libraries need some address space to be loaded at all; below that the loader speaks. Weights do not fit into a little
// more.
TEST(machine, too_little_memory_is_named) {
  const std::string binary = std::getenv("SPECTHINK_BINARY");
  const auto script = fresh_folder("machine_memory") / "specthink_limited";
  std::ofstream(script) << "#!/bin/sh\nulimit -v $SPECTHINK_TEST_LIMIT\nexec '" << binary << "' \"$@\"\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  const ScopedVariable limited("SPECTHINK_BINARY", script.string());
  const auto run_limited = [&](int megabytes, const std::string& arguments) {
    const ScopedVariable size("SPECTHINK_TEST_LIMIT", std::to_string(megabytes * 1024));
    return run_program(arguments, 2);
  };
  constexpr int kMost = 16000;
  int enough = 1000;
  while (enough < kMost &&
         run_limited(enough, "generate --config configs/demo.yml --max-tokens 2 --device cpu Hello").exit_code != 0) {
    enough += 500;
  }
  ASSERT_LT(enough, kMost);
  const ProgramResult result = run_limited(
      enough + 300,
      "replay --workload-file tests/replay/data/workloads.jsonl --target configs/models/Qwen3-8B --draft none --loop target "
      "--dummy-weights --device cpu --output-dir " +
          (script.parent_path() / "results").string());
  expect_one_line(result, 3, {"out of memory: ", "--max-model-len", "use more ranks"});
}
#endif

TEST(machine, a_missing_gpu_is_named) {
  const ScopedVariable none("CUDA_VISIBLE_DEVICES", "");
  const ProgramResult result = run_program("generate" + models() + " --device cuda Hello", 2);
  expect_one_line(result, 3, {"--device cuda: ", "or use --device cpu"});
}

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

/// A port of this machine that nobody listened on a moment ago.
int free_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  EXPECT_EQ(::bind(probe, reinterpret_cast<sockaddr*>(&address), length), 0);
  EXPECT_EQ(::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &length), 0);
  ::close(probe);
  return ntohs(address.sin_port);
}

bool is_listened_on(int port) {
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const bool connected = ::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(client);
  return connected;
}

TEST(machine, a_second_server_on_a_port_is_refused_before_models_are_loaded) {
  const int port = free_port();
  const std::string arguments = "serve" + models() + " --port " + std::to_string(port);
  BackgroundProgram first(arguments, 2);
  first.wait_until([&] { return is_listened_on(port); });
  const ProgramResult second = run_program(arguments, 2);
  expect_one_line(
      second, 3,
      {fmt::format("cannot listen on 127.0.0.1:{}", port), "Address already in use", "choose another --port"});
  EXPECT_EQ(second.err.find("loaded"), std::string::npos) << second.err;
  EXPECT_TRUE(is_listened_on(port)) << "the first one goes on";
  first.signal_launcher(SIGUSR1);
  EXPECT_EQ(first.wait().exit_code, 0);
}

TEST(machine, two_jobs_that_go_on_with_one_benchmark_are_told_apart) {
  const SmallBench bench("machine_two_jobs");
  const std::string flags = " --num-runs 60";
  BackgroundProgram first(bench.arguments() + flags, 2);
  first.wait_until([&] { return bench.logged_runs() >= 1; });
  const ProgramResult second = run_program(bench.arguments() + flags + " --resume", 2);
  expect_one_line(second, 2, {bench.results().string(), "pid ", "on host "});
  first.signal_launcher(SIGUSR1);
  EXPECT_EQ(first.wait().exit_code, 143);
  EXPECT_TRUE(read_file(bench.only_file(".jsonl")).ends_with('\n'));
}

}  // namespace
}  // namespace specthink
