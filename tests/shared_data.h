// Where tests find their cases: those of our own making, and recorded ones that are not part of the project.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace specthink::testing_support {

/// The folder SPECTHINK_DATA, else ../shared/data. May be absent: tests that need it are skipped then.
inline std::filesystem::path shared_data() {
  const char* folder = std::getenv("SPECTHINK_DATA");
  return folder && *folder ? folder : "../shared/data";
}

/// tests/data, laid out like shared_data(): never absent.
inline std::filesystem::path own_data() {
  const char* source = std::getenv("SPECTHINK_SOURCE_DIR");
  return std::filesystem::path(source && *source ? source : ".") / "tests" / "data";
}

}  // namespace specthink::testing_support
