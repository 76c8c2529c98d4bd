// The log of a replay: a JSONL whose first line says what is replayed on what, and to which every run is appended and
// synced as it ends. Replays of other loops and workloads with the same settings go on in the same log.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "specthink/base/json.h"
#include "specthink/replay/times.h"

namespace specthink::inline replay {

class ReplayLog {
 public:
  /// Starts `folder`/replay_TIMESTAMP.jsonl. Where that name is taken (another job started within the second), the time
  /// is moved on until it is free. `settings` is everything that decides what the runs take, but not which runs they
  /// are. Throws EnvironmentError.
  static ReplayLog create(const std::filesystem::path& folder, Json settings, std::string timestamp);

  /// The newest log in `folder` with these settings; null when there is no log. A torn last line is cut off with a
  /// warning, its run is done again. Throws UserError when there are logs but only with other settings (it names what
  /// changed in the newest), and for a log that is damaged elsewhere.
  static std::optional<ReplayLog> resume(const std::filesystem::path& folder, const Json& settings);

  /// Appends and syncs. Throws EnvironmentError; what was appended before stays readable.
  void append(const ReplayRecord& record);

  /// The record of a run, or null; of two the later one.
  const ReplayRecord* find(ReplayLoop loop, std::size_t workload, bool speculates = false) const;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path result_path() const;  ///< the result file that belongs to it
  const std::string& timestamp() const { return timestamp_; }

 private:
  std::filesystem::path path_;
  std::string timestamp_;
  std::vector<ReplayRecord> records_;
};

}  // namespace specthink::inline replay
