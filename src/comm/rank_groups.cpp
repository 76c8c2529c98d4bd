#include "specthink/comm/rank_groups.h"

#include <algorithm>
#include <map>

namespace specthink::inline comm {

std::vector<int> assign_groups(std::span<const int> nodes, int size) {
  check(size > 0 && nodes.size() % static_cast<std::size_t>(size) == 0, "groups of equal size");
  const auto group_size = static_cast<std::size_t>(size);
  std::map<int, std::vector<int>> by_node;
  for (std::size_t rank = 0; rank < nodes.size(); ++rank) by_node[nodes[rank]].push_back(static_cast<int>(rank));
  std::vector<std::vector<int>> groups;
  std::vector<int> left_over;
  for (const auto& [node, ranks] : by_node) {
    std::size_t first = 0;
    for (; first + group_size <= ranks.size(); first += group_size) {
      const auto begin = ranks.begin() + static_cast<std::ptrdiff_t>(first);
      groups.emplace_back(begin, begin + size);
    }
    left_over.insert(left_over.end(), ranks.begin() + static_cast<std::ptrdiff_t>(first), ranks.end());
  }
  for (std::size_t first = 0; first < left_over.size(); first += group_size) {
    const auto begin = left_over.begin() + static_cast<std::ptrdiff_t>(first);
    groups.emplace_back(begin, begin + size);
    std::sort(groups.back().begin(), groups.back().end());
  }
  std::sort(groups.begin(), groups.end());
  std::vector<int> result(nodes.size());
  for (std::size_t group = 0; group < groups.size(); ++group) {
    for (const int rank : groups[group]) result[static_cast<std::size_t>(rank)] = static_cast<int>(group);
  }
  return result;
}

RankGroups::RankGroups(const ProcessGroup& world, int size) : world_(world) {
  together(world, [&] {
    if (size <= 0 || world.size() % size == 0) return;
    throw UserError("--tp {}: {} rank{} cannot be split into groups of {}; start a multiple of {} ranks", size,
                    world.size(), world.size() == 1 ? "" : "s", size, size);
  });
  if (size <= 0 || size == world.size()) return;
  std::vector<int> nodes;
  for (const std::int64_t node : world.all_gather(std::int64_t{world.node()})) nodes.push_back(static_cast<int>(node));
  const std::vector<int> groups = assign_groups(nodes, size);
  index_ = groups[static_cast<std::size_t>(world.rank())];
  own_ = world.split(index_);
  roots_.clear();
  for (int group = 0; group < world.size() / size; ++group) {
    roots_.push_back(static_cast<int>(std::find(groups.begin(), groups.end(), group) - groups.begin()));
  }
  world.board().set_group(index_, size);
}

}  // namespace specthink::inline comm
