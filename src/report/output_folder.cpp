#include "specthink/report/output_folder.h"

#include <unistd.h>

#include <system_error>

#include "specthink/base/error.h"
#include "specthink/base/file.h"

namespace specthink::inline report {

namespace fs = std::filesystem;

// As much as a long run's record: a disk that is nearly full takes a few bytes still.
constexpr std::size_t kProbeBytes = 1 << 20;

void prepare_output_folder(const fs::path& folder) {
  std::error_code failure;
  std::error_code ignored;
  fs::create_directories(folder, failure);
  if (!fs::is_directory(folder, ignored)) {
    if (fs::exists(folder, ignored)) {
      throw UserError("cannot write results into {}: it is no folder; choose another one with --output-dir",
                      folder.string());
    }
    throw EnvironmentError("cannot create the folder {}: {}; choose another one with --output-dir", folder.string(),
                           failure.message());
  }
  const fs::path probe = folder / fmt::format(".write_test_{}", ::getpid());
  try {
    write_file_atomically(probe, std::string(kProbeBytes, '\n'));
  } catch (const EnvironmentError& error) {
    throw EnvironmentError("{}; choose another folder with --output-dir", error.what());
  }
  fs::remove(probe, ignored);
}

}  // namespace specthink::inline report
