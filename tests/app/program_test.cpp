// The helpers of program.h, which the other files of this folder use.
#include "app/program.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "specthink/base/file.h"
#include "specthink/base/json.h"

namespace specthink::testing_support {
namespace {

std::string shell_word(const std::filesystem::path& path) { return "'" + path.string() + "'"; }

std::string required_variable(const char* name) {
  const char* value = std::getenv(name);
  if (!value) throw std::runtime_error(std::string(name) + " is not set: run the tests with ctest");
  return value;
}

}  // namespace

std::filesystem::path fresh_folder(const std::string& name) {
  const auto folder =
      std::filesystem::path(testing::TempDir()) / ("specthink_" + name + "_" + std::to_string(::getpid()));
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

ProgramResult run_program(const std::string& arguments, int ranks, const std::string& input) {
  static const std::filesystem::path folder = fresh_folder("program");
  std::ofstream(folder / "in") << input;
  std::string command = "cd " + shell_word(required_variable("SPECTHINK_SOURCE_DIR")) + " && ";
  if (ranks > 0) command += required_variable("SPECTHINK_MPIRUN") + " " + std::to_string(ranks) + " ";
  command += shell_word(required_variable("SPECTHINK_BINARY")) + " " + arguments;
  command = "(" + command + ") >" + shell_word(folder / "out") + " 2>" + shell_word(folder / "err") + " <" +
            shell_word(folder / "in");
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(folder / "out"), read_file(folder / "err")};
}

const std::filesystem::path& random_pair() {
  static const std::filesystem::path folder = [] {
    auto made = fresh_folder("pair");
    const std::string command = "python3 " +
                                shell_word(required_variable("SPECTHINK_SOURCE_DIR") + "/tools/random_pair.py") + " " +
                                shell_word(made);
    if (std::system(command.c_str()) != 0) throw std::runtime_error("tools/random_pair.py failed");
    return made;
  }();
  return folder;
}

int count_lines(const std::string& text) {
  std::istringstream lines(text);
  int count = 0;
  for (std::string line; std::getline(lines, line);) count += !line.empty();
  return count;
}

int count_messages(const std::string& err) {
  std::istringstream lines(err);
  int count = 0;
  for (std::string line; std::getline(lines, line);) count += line.starts_with("specthink: ");
  return count;
}

TEST(program, prints_its_version) {
  const ProgramResult result = run_program("--version");
  EXPECT_EQ(result.exit_code, 0);
  for (const char* part : {"specthink ", "MPI", "NCCL", "torch 2.", "CUDA"})
    EXPECT_NE(result.out.find(part), std::string::npos) << part;
}

// A list of what the program is made of: every row of src/dependencies.txt but those of building and testing.
TEST(program, lists_its_libraries) {
  const ProgramResult result = run_program("--version --format json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json document = parse_json(result.out, "the list");
  EXPECT_EQ(document.at("name"), "specthink");
  EXPECT_EQ(document.at("licence"), "Apache-2.0");
  std::map<std::string, Json> listed;
  for (const Json& library : document.at("libraries")) {
    const std::string name = library.at("name");
    EXPECT_TRUE(listed.emplace(name, library).second) << name << " stands twice";
    EXPECT_FALSE(library.at("compiled").get<std::string>().empty()) << name;
    EXPECT_FALSE(library.at("licence").get<std::string>().empty()) << name;
    // Built and run here, with the same libraries.
    if (!library.at("running").is_null() && name != "CUDA")
      EXPECT_EQ(library.at("running"), library.at("compiled")) << name;
  }
  const bool has_cuda = document.at("cuda") != "none";
  std::ifstream table(std::filesystem::path(std::getenv("SPECTHINK_SOURCE_DIR")) / "src/dependencies.txt");
  int rows = 0;
  for (std::string line; std::getline(table, line);) {
    if (line.empty() || line[0] == '#') continue;
    ++rows;
    const std::string name = line.substr(0, line.find(" | "));
    const bool expected = name != "GoogleTest" && name != "GCC" && (has_cuda || (name != "CUDA" && name != "NCCL"));
    EXPECT_EQ(listed.count(name), expected ? 1u : 0u) << name;
  }
  EXPECT_GE(rows, 12);
  for (const char* name : {"Open MPI", "PCRE2", "utf8proc"}) EXPECT_TRUE(listed[name]["running"].is_string()) << name;
  EXPECT_TRUE(std::filesystem::exists(listed["LibTorch"]["file"].get<std::string>()));
  EXPECT_EQ(run_program("--version --format=json").out, result.out);
  EXPECT_EQ(run_program("generate --version --format json").out, result.out);
}

TEST(program, one_message_for_a_mistake_that_all_ranks_find) {
  for (const int ranks : {0, 2, 3}) {
    const ProgramResult result = run_program("generate --no-such-flag", ranks);
    EXPECT_EQ(result.exit_code, 2) << ranks;
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(count_messages(result.err), 1) << result.err;
    EXPECT_NE(result.err.find("--no-such-flag"), std::string::npos) << result.err;
  }
}

TEST(program, what_needs_no_ranks_is_printed_once) {
  EXPECT_EQ(run_program("config --format json", 3).out, run_program("config --format json").out);
}

}  // namespace specthink::testing_support
