// Which group of ranks gets a run: the one that has its beginning in the cache, or the one that has least to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "specthink/base/types.h"
#include "specthink/kernels/limits.h"

namespace specthink::inline server {

/// A hash of the first page of a prompt, of its first two, and so on: what caches are shared by.
using PrefixKeys = std::vector<std::uint64_t>;
PrefixKeys prefix_keys(std::span<const TokenId> prompt);

class GroupChoice {
 public:
  /// `runs`: that a group does at a time.
  GroupChoice(std::size_t groups, int runs) : groups_(groups), runs_(runs) {}

  /// Whether a group is to take the run: it has most of the prompt, and at most kFewMore more runs than the one with
  /// the fewest; or no such group has any of it, and it has the fewest runs.
  bool may_take(std::size_t group, const PrefixKeys& prompt) const;

  void take(std::size_t group, const PrefixKeys& prompt);
  void give_back(std::size_t group) { --groups_[group].running; }

  int num_running() const;

  static constexpr int kFewMore = 2;

 private:
  struct Group {
    int running = 0;
    std::unordered_map<std::uint64_t, std::uint64_t> seen;  // key to when it was given last
  };

  bool has_room(const Group& group) const { return group.running < runs_; }
  int fewest() const;
  static void forget_old(Group& group);

  std::vector<Group> groups_;
  int runs_;
  std::uint64_t now_ = 0;
};

}  // namespace specthink::inline server
