#include "server/groups/group_choice.h"

#include <algorithm>

#include "specthink/base/hash.h"

namespace specthink::inline server {
namespace {

// Keys that are remembered of a group: of more pages than its caches may still have.
constexpr std::size_t kMaxKeys = 1 << 14;

}  // namespace

PrefixKeys prefix_keys(std::span<const TokenId> prompt) {
  PrefixKeys keys;
  std::uint64_t key = kHashSeed;
  for (; prompt.size() >= kPageTokens; prompt = prompt.subspan(kPageTokens)) {
    key = hash_bytes(std::as_bytes(prompt.first(kPageTokens)), key);
    keys.push_back(key);
  }
  return keys;
}

int GroupChoice::fewest() const { return std::ranges::min(groups_, {}, &Group::running).running; }

bool GroupChoice::may_take(std::size_t group, const PrefixKeys& prompt) const {
  if (!has_room(groups_[group])) return false;
  const int few = fewest();
  const auto pages_of = [&](const Group& own) -> std::ptrdiff_t {
    if (!has_room(own) || own.running > few + kFewMore) return 0;
    return std::ranges::find_if(prompt, [&](std::uint64_t key) { return !own.seen.contains(key); }) - prompt.begin();
  };
  std::ptrdiff_t most = 0;
  for (const Group& other : groups_) most = std::max(most, pages_of(other));
  return most > 0 ? pages_of(groups_[group]) == most : groups_[group].running == few;
}

void GroupChoice::take(std::size_t group, const PrefixKeys& prompt) {
  Group& own = groups_[group];
  ++own.running;
  ++now_;
  for (const std::uint64_t key : prompt) own.seen[key] = now_;
  if (own.seen.size() > kMaxKeys) forget_old(own);
}

/// Half of the keys, those that were not given for the longest time.
void GroupChoice::forget_old(Group& group) {
  std::vector<std::uint64_t> times;
  for (const auto& [key, time] : group.seen) times.push_back(time);
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  std::erase_if(group.seen, [limit = *middle](const auto& entry) { return entry.second < limit; });
}

int GroupChoice::num_running() const {
  int sum = 0;
  for (const Group& group : groups_) sum += group.running;
  return sum;
}

}  // namespace specthink::inline server
