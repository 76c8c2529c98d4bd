// Parsing command lines and YAML texts in tests.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "specthink/base/error.h"
#include "specthink/config/options.h"

namespace specthink {

using Variables = std::map<std::string, std::string>;

/// A folder of its own for each test, removed at its end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "specthink_config_XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("cannot make a temporary folder");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  /// Writes a file and returns its path.
  std::string write(const std::string& name, std::string_view content) const {
    const auto path = path_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }

 private:
  std::filesystem::path path_;
};

inline ParseResult parse_result(const std::vector<std::string>& arguments, const Variables& variables = {}) {
  std::vector<const char*> argv{"specthink"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  return parse_invocation(static_cast<int>(argv.size()), argv.data(), [&](const char* name) -> const char* {
    const auto variable = variables.find(name);
    return variable == variables.end() ? nullptr : variable->second.c_str();
  });
}

inline Invocation parse(const std::vector<std::string>& arguments, const Variables& variables = {}) {
  return std::get<Invocation>(parse_result(arguments, variables));
}

/// The message of the UserError that `run` throws.
template <class Function>
std::string user_error(Function run) {
  try {
    run();
  } catch (const UserError& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << "more than one line: " << error.what();
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "no UserError: " << error.what();
    return "";
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

inline std::string flag_error(const std::vector<std::string>& arguments, const Variables& variables = {}) {
  return user_error([&] { parse_result(arguments, variables); });
}

inline void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "expected: " << part << "\nin: " << text;
}

inline const ResolvedOption& option_of(const Invocation& invocation, std::string_view key) {
  for (const ResolvedOption& option : invocation.options) {
    if (option.key == key) return option;
  }
  throw std::out_of_range(std::string(key));
}

}  // namespace specthink
