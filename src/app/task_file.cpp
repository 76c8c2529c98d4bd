#include "app/task_file.h"

#include <fmt/format.h>

#include <set>
#include <vector>

#include "specthink/base/error.h"
#include "specthink/base/lowercase.h"
#include "specthink/base/strings.h"

namespace specthink::inline app {
namespace {

namespace fs = std::filesystem;

/// The folders that may hold configs/: the one that has the build folder, and the working directory.
std::vector<fs::path> roots() {
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  return {program.parent_path().parent_path(), fs::current_path(ignored)};
}

bool is_task_file(const fs::path& path) { return path.extension() == ".yml" || path.extension() == ".yaml"; }

}  // namespace

fs::path task_file(const Settings& settings) {
  if (!settings.bench.task.empty()) return settings.bench.task;
  const fs::path shipped = "configs/tasks/aime25.yml";
  for (const fs::path& root : roots()) {
    if (fs::exists(root / shipped)) return root / shipped;
  }
  throw UserError("no task: give --aime-config FILE (a task file such as {})", shipped.string());
}

fs::path find_task(const std::string& name, const Settings& settings) {
  if (is_task_file(name) || name.find('/') != std::string::npos) return name;
  std::vector<fs::path> folders;
  if (!settings.data_dir.empty()) folders = {settings.data_dir, fs::path(settings.data_dir) / "tasks"};
  for (const fs::path& root : roots()) folders.push_back(root / "configs" / "tasks");
  std::set<std::string> known;
  for (const fs::path& folder : folders) {
    std::error_code ignored;
    for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
      if (!is_task_file(entry->path())) continue;
      const std::string stem = lowercase(entry->path().stem().string());
      if (stem == lowercase(name)) return entry->path();
      known.insert(stem);
    }
  }
  throw UserError("--evals: no task '{}'{} in {}; found {}; the path of a task file does as well", name,
                  did_you_mean(lowercase(name), {known.begin(), known.end()}), folders.front().string(),
                  known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", ")));
}

}  // namespace specthink::inline app
