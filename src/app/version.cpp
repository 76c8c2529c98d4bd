// What this program is and what it runs on: specthink --version.
#include <fmt/format.h>
#include <link.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <utf8proc.h>

#include <filesystem>
#include <map>
#include <string_view>

#include "app/commands.h"
#include "specthink/base/json.h"
#include "specthink/comm/device.h"
#include "specthink/comm/process_group.h"

namespace specthink::inline app {
namespace {

/// A row of src/dependencies.txt that this build has, with the version that it was compiled with.
struct Library {
  std::string_view name;
  std::string_view version;
  std::string_view licence;
  std::string_view file;  ///< its file's name begins so; empty: headers alone
};

constexpr Library kLibraries[] = {
#include <libraries.inc>
};

/// "4.1.4" of "Open MPI v4.1.4".
std::string number_in(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_of("0123456789"), text.size());
  const std::size_t end = std::min(text.find_first_not_of("0123456789.", begin), text.size());
  return std::string(text.substr(begin, end - begin));
}

/// What the loaded libraries say of themselves; those that cannot are missing.
std::map<std::string_view, std::string> running_versions() {
  char pcre2[64] = {};
  static_assert(sizeof pcre2 >= 24, "pcre2_config writes as many units");
  pcre2_config(PCRE2_CONFIG_VERSION, pcre2);
  return {{"Open MPI", number_in(MpiSession::library_version())},
          {"CUDA", number_in(cuda_version())},
          {"NCCL", number_in(nccl_version())},
          {"PCRE2", number_in(pcre2)},
          {"utf8proc", number_in(utf8proc_version())}};
}

/// Files of the shared libraries that are loaded, links resolved: their names hold versions, too.
std::vector<std::filesystem::path> loaded_files() {
  std::vector<std::filesystem::path> files;
  const auto add = [](dl_phdr_info* info, std::size_t, void* list) {
    if (info->dlpi_name && *info->dlpi_name) {
      static_cast<std::vector<std::filesystem::path>*>(list)->emplace_back(info->dlpi_name);
    }
    return 0;
  };
  dl_iterate_phdr(add, &files);
  return files;
}

Json file_of(const Library& library, const std::vector<std::filesystem::path>& files) {
  if (library.file.empty()) return nullptr;
  for (const std::filesystem::path& file : files) {
    if (!file.filename().string().starts_with(std::string(library.file) + ".so")) continue;
    std::error_code ignored;
    const std::filesystem::path real = std::filesystem::canonical(file, ignored);
    return ignored ? file.string() : real.string();
  }
  return nullptr;
}

}  // namespace

std::string version_text() {
  return fmt::format("specthink {}\nMPI   {}\nNCCL  {}\ntorch {}\nCUDA  {}\n", SPECTHINK_VERSION,
                     MpiSession::library_version(), nccl_version(), SPECTHINK_TORCH_VERSION, cuda_version());
}

std::string version_json() {
  const std::map<std::string_view, std::string> running = running_versions();
  const std::vector<std::filesystem::path> files = loaded_files();
  OrderedJson libraries = OrderedJson::array();
  for (const Library& library : kLibraries) {
    const auto found = running.find(library.name);
    const bool says = found != running.end() && !found->second.empty();
    libraries.push_back({{"name", library.name},
                         {"compiled", library.version},
                         {"running", says ? OrderedJson(found->second) : OrderedJson()},
                         {"licence", library.licence},
                         {"file", file_of(library, files)}});
  }
  const OrderedJson document{{"name", "specthink"},
                             {"version", SPECTHINK_VERSION},
                             {"licence", "Apache-2.0"},
                             {"mpi", MpiSession::library_version()},
                             {"torch", SPECTHINK_TORCH_VERSION},
                             {"cuda", cuda_version()},
                             {"nccl", nccl_version()},
                             {"cuda_architectures", SPECTHINK_CUDA_ARCHITECTURES},
                             {"libraries", libraries}};
  return document.dump(2) + "\n";
}

}  // namespace specthink::inline app
