// The world split into groups of equal size: data parallelism over tensor parallelism.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "specthink/comm/process_group.h"

namespace specthink::inline comm {

/// The group of each rank. `nodes[r]` names the node of rank r. Groups of `size` ranks are filled from one node as long
/// as it has that many; what is left over on the nodes is put together. Groups are numbered by their lowest rank.
/// `size` divides the number of ranks.
std::vector<int> assign_groups(std::span<const int> nodes, int size);

class RankGroups {
 public:
  /// Groups of `size` ranks; 0: one group of all. Collective. Throws (on every rank) UserError when the ranks do not
  /// divide into such groups. The world must outlive it.
  RankGroups(const ProcessGroup& world, int size);

  const ProcessGroup& world() const { return world_; }
  const ProcessGroup& own() const { return own_ ? *own_ : world_; }
  int index() const { return index_; }  ///< of this rank's group; rank 0 is in group 0
  int count() const { return world_.size() / own().size(); }

  /// Ranks of the world that are rank 0 of their group.
  const std::vector<int>& roots() const { return roots_; }

 private:
  const ProcessGroup& world_;
  std::optional<ProcessGroup> own_;  // none: the world itself
  int index_ = 0;
  std::vector<int> roots_{0};
};

}  // namespace specthink::inline comm
