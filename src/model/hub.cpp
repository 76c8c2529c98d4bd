#include "specthink/model/hub.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <string_view>
#include <system_error>

#include "specthink/base/error.h"
#include "specthink/base/file.h"

namespace specthink::inline model {
namespace {

namespace fs = std::filesystem;

// An empty variable counts as unset.
const char* environment(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;
}

/// The home folder of `user`, or of the one who runs this where it is empty.
std::string home_folder(const std::string& user) {
  if (user.empty()) {
    if (const char* home = environment("HOME")) return home;
  }
  const passwd* entry = user.empty() ? ::getpwuid(::getuid()) : ::getpwnam(user.c_str());
  return entry && entry->pw_dir ? entry->pw_dir : "";
}

/// A leading ~ or ~user, as os.path.expanduser; one that names nobody stays.
std::string expand_home(const std::string& path) {
  if (!path.starts_with('~')) return path;
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string home = home_folder(path.substr(1, end - 1));
  return home.empty() ? path : home + path.substr(end);
}

/// $NAME and ${NAME}, as os.path.expandvars: once, and what is not set stays.
std::string expand_variables(const std::string& path) {
  std::string result;
  for (std::size_t at = 0; at < path.size();) {
    const bool braces = path.compare(at, 2, "${") == 0;
    const std::size_t begin = at + (braces ? 2 : 1);
    std::size_t end = begin;
    if (path[at] == '$') {
      const auto in_name = [&](char c) {
        return braces ? c != '}' : c == '_' || std::isalnum(static_cast<unsigned char>(c));
      };
      while (end < path.size() && in_name(path[end])) ++end;
    }
    const bool is_variable = path[at] == '$' && end > begin && (!braces || end < path.size());
    const std::size_t next = is_variable ? end + (braces ? 1 : 0) : at + 1;
    const char* value = is_variable ? std::getenv(path.substr(begin, end - begin).c_str()) : nullptr;
    result += value ? std::string(value) : path.substr(at, next - at);
    at = next;
  }
  return result;
}

fs::path expand(const std::string& path) { return expand_variables(expand_home(path)); }

/// As huggingface_hub finds it, the older names of variables included.
fs::path cache_folder() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const char* cache = environment(name)) return expand(cache);
  }
  if (const char* home = environment("HF_HOME")) return expand(home) / "hub";
  if (const char* cache = environment("XDG_CACHE_HOME")) return expand(cache) / "huggingface" / "hub";
  return expand("~/.cache/huggingface/hub");
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool path_exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

bool is_name_character(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

// The hub's own rule for the parts of a name. It leaves no way to name another folder.
bool is_name_part(std::string_view part) {
  const auto is_end = [](char c) { return c == '-' || c == '.'; };
  return !part.empty() && std::ranges::all_of(part, is_name_character) && !is_end(part.front()) &&
         !is_end(part.back()) && part.find("--") == part.npos && part.find("..") == part.npos;
}

// NAME or ORGANISATION/NAME
bool is_hub_name(std::string_view name) {
  constexpr std::size_t kMaxLength = 96;
  if (name.size() > kMaxLength) return false;
  const std::size_t slash = name.find('/');
  if (slash == name.npos) return is_name_part(name);
  return is_name_part(name.substr(0, slash)) && is_name_part(name.substr(slash + 1));
}

// The commit that refs/main names: one line of letters and digits.
std::string read_revision(const fs::path& refs_main) {
  constexpr std::uint64_t kMaxBytes = 256;
  std::string revision = read_file(refs_main, kMaxBytes);
  revision.resize(revision.find_last_not_of(" \t\r\n") + 1);
  if (!is_name_part(revision)) {
    throw UserError("{}: expected the name of a snapshot, found something else; delete the file and download again",
                    refs_main.string());
  }
  return revision;
}

fs::path find_snapshot(const std::string& name) {
  const fs::path cache = cache_folder();
  std::string folder_name = "models--" + name;
  if (const std::size_t slash = folder_name.find('/'); slash != folder_name.npos) folder_name.replace(slash, 1, "--");
  const fs::path model = cache / folder_name;
  if (!path_exists(model / "refs" / "main")) {
    throw UserError(
        "model {}: no such folder, and not in the hub cache {}; download it with `hf download {}`, or set "
        "HF_HOME to where it was downloaded",
        name, cache.string(), name);
  }
  const fs::path snapshot = model / "snapshots" / read_revision(model / "refs" / "main");
  if (!is_folder(snapshot)) {
    throw UserError("model {}: the snapshot {} is missing in the hub cache; download it with `hf download {}`", name,
                    snapshot.string(), name);
  }
  return snapshot;
}

}  // namespace

fs::path resolve_model(const std::string& name_or_folder, const std::string& needed) {
  if (is_folder(name_or_folder)) {
    const fs::path folder = name_or_folder;
    if (!path_exists(folder / needed)) {
      throw UserError("model folder {}: expected a file {} in it, found none", folder.string(), needed);
    }
    return folder;
  }
  if (name_or_folder.ends_with(".gguf") && path_exists(name_or_folder)) {
    throw UserError("model {}: a GGUF file is imported first: specthink import {} NEW_FOLDER", name_or_folder,
                    name_or_folder);
  }
  if (path_exists(name_or_folder)) {
    throw UserError("model {}: expected a folder or a hub name, found a file; name the folder it is in",
                    name_or_folder);
  }
  if (!is_hub_name(name_or_folder)) {
    throw UserError("model '{}': no such folder (and not a hub name like Qwen/Qwen3-32B)", name_or_folder);
  }
  const fs::path snapshot = find_snapshot(name_or_folder);
  if (!path_exists(snapshot / needed)) {
    throw UserError("model {}: {} has no {}; complete it with `hf download {}`", name_or_folder, snapshot.string(),
                    needed, name_or_folder);
  }
  return snapshot;
}

}  // namespace specthink::inline model
