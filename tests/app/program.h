// Runs the built program as a user does.
#pragma once

#include <filesystem>
#include <string>

namespace specthink::testing_support {

struct ProgramResult {
  int exit_code = -1;
  std::string out;
  std::string err;
};

/// `build/specthink ARGUMENTS`, under mpirun when `ranks` > 0. Arguments are shell text.
ProgramResult run_program(const std::string& arguments, int ranks = 0, const std::string& input = "");

/// A pair of random models (tools/random_pair.py), made once a process: FOLDER/target and FOLDER/draft.
const std::filesystem::path& random_pair();

/// A fresh folder that belongs to this test.
std::filesystem::path fresh_folder(const std::string& name);

/// Lines of a text that are not empty.
int count_lines(const std::string& text);

/// The program's own lines on stderr; libraries below it may add theirs (hwloc does where /sys is missing).
int count_messages(const std::string& err);

}  // namespace specthink::testing_support
