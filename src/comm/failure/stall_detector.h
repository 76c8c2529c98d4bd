// Decides from what the ranks of a node say of themselves whether the job is stuck, and by whom. Pure logic.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>

#include "specthink/comm/rank_status.h"

namespace specthink::inline comm {

struct Finding {
  std::optional<int> rank;  ///< none: the rank to blame is not on this node
  std::string message;      ///< what happened to it and what it did last
};

class StallDetector {
 public:
  struct Options {
    int own_rank = 0;
    int world_size = 1;
    double timeout = 0;  ///< seconds without progress; 0: only ranks that are gone are found
  };
  explicit StallDetector(const Options& options) : options_(options), group_size_(options.world_size) {}

  /// Ranks of this rank's group, here and on other nodes; without it, the whole world.
  void set_group_size(int ranks) { group_size_ = ranks > 0 ? ranks : options_.world_size; }

  /// To be called again and again with the status of all ranks of the node and the seconds since the last call. A long
  /// gap counts little: after a job was suspended as a whole, nobody is to blame for the time that has passed.
  std::optional<Finding> look(std::span<const RankSnapshot> ranks, double seconds);

 private:
  struct Record {
    std::uint64_t progress = 0;
    std::uint64_t beat = 0;
    double quiet = 0;     // seconds without progress
    double lifeless = 0;  // seconds without a beat
  };
  void update(std::span<const RankSnapshot> ranks, double seconds);
  std::optional<Finding> find_busy(std::span<const RankSnapshot> ranks) const;
  std::optional<Finding> find_absent(std::span<const RankSnapshot> ranks) const;

  Options options_;
  int group_size_;
  std::map<int, Record> records_;  // by rank
};

/// A rank whose process has ended without having finished.
std::optional<Finding> find_gone(std::span<const RankSnapshot> ranks);

}  // namespace specthink::inline comm
