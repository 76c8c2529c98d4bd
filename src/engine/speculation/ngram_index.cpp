#include "engine/speculation/ngram_index.h"

#include "specthink/base/error.h"

namespace specthink::inline engine {
namespace {

std::uint64_t pair_at(std::span<const TokenId> ids, std::size_t position) {
  return std::uint64_t{static_cast<std::uint32_t>(ids[position - 1])} << 32 | static_cast<std::uint32_t>(ids[position]);
}

/// Sets the entry of `key`; what it was before, or -1.
template <typename Map, typename Key>
std::int32_t exchange(Map& map, Key key, std::size_t position) {
  const auto [entry, is_new] = map.try_emplace(key, -1);
  return std::exchange(entry->second, static_cast<std::int32_t>(position));
}

template <typename Map, typename Key>
void restore(Map& map, Key key, std::int32_t before) {
  if (before < 0) {
    map.erase(key);
  } else {
    map[key] = before;
  }
}

}  // namespace

void NgramIndex::extend(std::span<const TokenId> ids) {
  for (std::size_t position = before_.size(); position < ids.size(); ++position) {
    Occurrences before;
    before.of_token = exchange(last_of_token_, ids[position], position);
    if (position > 0) before.of_pair = exchange(last_of_pair_, pair_at(ids, position), position);
    before_.push_back(before);
  }
}

void NgramIndex::truncate(std::span<const TokenId> ids, std::int64_t length) {
  check(static_cast<std::int64_t>(ids.size()) >= size(), "the tokens of an index");
  while (size() > length) {
    const std::size_t position = before_.size() - 1;
    restore(last_of_token_, ids[position], before_.back().of_token);
    if (position > 0) restore(last_of_pair_, pair_at(ids, position), before_.back().of_pair);
    before_.pop_back();
  }
}

NgramIndex::Match NgramIndex::longest_match(std::span<const TokenId> ids) const {
  check(static_cast<std::int64_t>(ids.size()) == size(), "an index of the whole text");
  if (ids.empty()) return {};
  const auto last = static_cast<std::int32_t>(ids.size()) - 1;
  const auto token = [&](std::int32_t position) { return ids[static_cast<std::size_t>(position)]; };
  Match best;
  for (std::int32_t end = before_.back().of_pair; end >= 0 && best.length < kMaxMatch;
       end = before_[static_cast<std::size_t>(end)].of_pair) {
    int length = 2;
    while (length < kMaxMatch && end >= length && token(end - length) == token(last - length)) ++length;
    if (length > best.length) best = {length, std::int64_t{end} + 1};
  }
  if (best.length == 0 && before_.back().of_token >= 0) best = {1, std::int64_t{before_.back().of_token} + 1};
  return best;
}

TokenIds tokens_behind(const NgramIndex::Match& match, std::span<const TokenId> ids, int count) {
  TokenIds result;
  const auto begin = static_cast<std::size_t>(match.begin);
  const std::size_t available = ids.size() - begin;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    result.push_back(i < available ? ids[begin + i] : result[i - available]);
  }
  return result;
}

}  // namespace specthink::inline engine
