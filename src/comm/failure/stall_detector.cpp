#include "comm/failure/stall_detector.h"

#include <fmt/format.h>

#include <algorithm>

namespace specthink::inline comm {
namespace {

constexpr double kLongestGap = 1;  // seconds

/// A rank that may be without progress although it waits for no rank: it waits for a user, a judge or a disk.
bool may_take_any_time(const RankSnapshot& rank) {
  return rank.phase == Phase::input || rank.phase == Phase::output || rank.phase == Phase::finished;
}

/// A rank that accuses nobody when it waits in vain, as the others may be at work for hours.
bool is_patient(const RankSnapshot& rank) { return rank.phase == Phase::idle || may_take_any_time(rank); }

}  // namespace

std::optional<Finding> find_gone(std::span<const RankSnapshot> ranks) {
  for (const RankSnapshot& rank : ranks) {
    if (!rank.gone || rank.phase == Phase::finished) continue;
    return Finding{rank.rank, fmt::format("its process is gone (killed or crashed); last: {}", describe(rank))};
  }
  return std::nullopt;
}

std::optional<Finding> StallDetector::look(std::span<const RankSnapshot> ranks, double seconds) {
  update(ranks, std::min(seconds, kLongestGap));
  if (std::optional<Finding> gone = find_gone(ranks)) return gone;
  if (options_.timeout <= 0) return std::nullopt;
  // From the surest evidence to the weakest: a process that does not run, a rank that is busy without getting on, a
  // rank that the others wait for.
  for (const RankSnapshot& rank : ranks) {
    const double lifeless = records_.at(rank.rank).lifeless;
    if (lifeless < options_.timeout || rank.phase == Phase::finished) continue;
    return Finding{rank.rank, fmt::format("its process does not run (stopped by a signal?) for {:.0f} s; last: {}",
                                          lifeless, describe(rank))};
  }
  if (std::optional<Finding> busy = find_busy(ranks)) return busy;
  return find_absent(ranks);
}

void StallDetector::update(std::span<const RankSnapshot> ranks, double seconds) {
  for (const RankSnapshot& rank : ranks) {
    const auto [entry, is_new] = records_.try_emplace(rank.rank, Record{rank.progress, rank.beat, 0, 0});
    if (is_new) continue;
    Record& record = entry->second;
    record.quiet = rank.progress == record.progress ? record.quiet + seconds : 0;
    record.lifeless = rank.beat == record.beat ? record.lifeless + seconds : 0;
    record.progress = rank.progress;
    record.beat = rank.beat;
  }
}

/// The rank that stopped first among those that wait for nobody and get nowhere: the others may be stuck because of it
/// (a GPU waits inside a kernel, which no status tells).
std::optional<Finding> StallDetector::find_busy(std::span<const RankSnapshot> ranks) const {
  const RankSnapshot* first = nullptr;
  for (const RankSnapshot& rank : ranks) {
    if (may_take_any_time(rank) || rank.wait != Wait::none) continue;
    if (records_.at(rank.rank).quiet < options_.timeout) continue;
    if (!first || rank.since < first->since) first = &rank;
  }
  if (!first) return std::nullopt;
  return Finding{first->rank, fmt::format("no progress for {:.0f} s (--collective-timeout); last: {}",
                                          records_.at(first->rank).quiet, describe(*first))};
}

/// What this rank waits for in vain.
std::optional<Finding> StallDetector::find_absent(std::span<const RankSnapshot> ranks) const {
  const auto own = std::find_if(ranks.begin(), ranks.end(),
                                [&](const RankSnapshot& rank) { return rank.rank == options_.own_rank; });
  if (own == ranks.end() || own->wait == Wait::none) return std::nullopt;
  if (is_patient(*own) && own->wait != Wait::answer) return std::nullopt;  // rank 0 answers at once
  const double quiet = records_.at(own->rank).quiet;
  if (quiet < options_.timeout) return std::nullopt;
  if (own->wait == Wait::answer) {
    return Finding{0, fmt::format("gives rank {} no answer for {:.0f} s (--collective-timeout); rank {} last: {}",
                                  own->rank, quiet, own->rank, describe(*own))};
  }
  int members = 0;
  const RankSnapshot* behind = nullptr;
  const bool with_all = own->phase == Phase::start || own->phase == Phase::load;  // phases of the whole job
  for (const RankSnapshot& rank : ranks) {
    if (!with_all && rank.group != own->group) continue;
    ++members;
    const bool waits_elsewhere = rank.wait != Wait::none && rank.collectives != own->collectives;
    if (waits_elsewhere && (!behind || rank.collectives < behind->collectives)) behind = &rank;
    // Someone here is still at work (when it is not, find_busy() says so), or the user is.
    if (rank.wait == Wait::none && rank.phase != Phase::finished) return std::nullopt;
  }
  const bool all_are_here = members == (with_all ? options_.world_size : group_size_);
  if (!all_are_here && with_all) return std::nullopt;  // other nodes may need longer to load, or wait for the user
  if (behind && behind->collectives < own->collectives) {
    return Finding{behind->rank,
                   fmt::format("is in another collective than rank {} for {:.0f} s; last: {}; rank {}: {}", own->rank,
                               quiet, describe(*behind), own->rank, describe(*own))};
  }
  return Finding{std::nullopt, fmt::format("no answer for {:.0f} s (--collective-timeout) from {}; last: {}", quiet,
                                           all_are_here ? "a collective that all ranks have entered (network?)"
                                                        : "the ranks on other nodes",
                                           describe(*own))};
}

}  // namespace specthink::inline comm
