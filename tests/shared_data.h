// Recorded cases that are not part of the project.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace specthink::testing_support {

/// The folder SPECTHINK_DATA, else ../shared/data. May be absent: tests that need it are skipped then.
inline std::filesystem::path shared_data() {
  const char* folder = std::getenv("SPECTHINK_DATA");
  return folder && *folder ? folder : "../shared/data";
}

}  // namespace specthink::testing_support
