// Which pages sequences have: what Engine does for these commands, on rank 0 and on every rank.
#include <algorithm>
#include <map>
#include <utility>

#include "engine/command.h"
#include "engine/model_state.h"
#include "engine/sequence.h"
#include "specthink/base/error.h"

namespace specthink::inline engine {
namespace {

constexpr std::size_t kMaxClosed = 256;  // sequences of which the caches are kept

/// What a sequence can have of another one's cache: whole pages that both read, and behind them part of a page, which
/// is copied since each goes on in it.
struct Prefix {
  std::int64_t shared = 0;
  std::int64_t copied = 0;

  std::int64_t tokens() const { return shared + copied; }
};

/// `equal`: leading ids that both have; `fixed`: of these, those that neither takes back.
Prefix usable_prefix(std::int64_t equal, std::int64_t fixed) {
  const std::int64_t shared = std::min(equal, fixed) / kPageTokens * kPageTokens;
  return {shared, std::min<std::int64_t>(equal - shared, kPageTokens)};
}

std::int64_t num_equal(std::span<const TokenId> a, std::span<const TokenId> b) {
  return std::ranges::mismatch(a, b).in1 - a.begin();
}

}  // namespace

std::int64_t Engine::capacity() const {
  std::int64_t pages = target_->model.transformer->num_pages();
  if (draft_) pages = std::min(pages, draft_->model.transformer->num_pages());
  return pages * kPageTokens - kSpareTokens;
}

// --- Rank 0

std::optional<int> Engine::open(std::int64_t tokens, std::optional<Role> alone) { return open(tokens, tokens, alone); }

std::optional<int> Engine::open(std::int64_t tokens, std::int64_t reserved, std::optional<Role> alone) {
  check(tokens >= 0 && reserved <= tokens && tokens <= capacity(), "a sequence longer than the KV cache");
  const auto end = sequences_.begin() + options_.max_sequences;
  const auto free = std::find_if(sequences_.begin(), end, [](const Sequence& sequence) { return !sequence.open; });
  if (free == end) return std::nullopt;
  std::array<std::int64_t, 2> needed{};
  for (const auto& [role, state] : models()) {
    if (alone.value_or(role) == role) needed[static_cast<std::size_t>(role)] = pages_for(reserved);
  }
  if (!free_pages(needed)) return std::nullopt;
  CommandHeader header;
  header.operation = Operation::open;
  if (alone) header.alone = static_cast<std::int32_t>(*alone);
  header.slot = static_cast<std::int32_t>(free - sequences_.begin());
  header.tokens = tokens;
  header.reserved = reserved;
  send(header);
  return header.slot;
}

bool Engine::reserve(int slot, std::int64_t tokens) {
  const Sequence& own = sequence(slot);
  check(tokens <= own.capacity, "a sequence has room for as much as it was opened for");
  if (tokens <= own.room) return true;
  std::array<std::int64_t, 2> needed{};
  for (const auto& [role, state] : models()) {
    needed[static_cast<std::size_t>(role)] = missing_pages(own, role, tokens);
  }
  if (!free_pages(needed)) return false;
  CommandHeader header;
  header.operation = Operation::reserve;
  header.slot = slot;
  header.tokens = tokens;
  send(header);
  return true;
}

void Engine::evict(int slot) {
  CommandHeader header;
  header.operation = Operation::evict;
  header.slot = slot;
  send(header);
}

std::int64_t Engine::length(int slot) const {
  const Sequence& own = sequence(slot);
  return static_cast<std::int64_t>(own.request.is_known ? own.ids.size()
                                                        : std::max(own.ids.size(), own.request.prefix.size()));
}

bool Engine::has_pages(int slot) const { return sequence(slot).room > 0; }

std::int64_t Engine::num_free_pages() const {
  std::int64_t pages = available_pages(Role::target);
  if (draft_) pages = std::min(pages, available_pages(Role::draft));
  return pages;
}

/// Free ones, and those that only closed sequences have.
std::int64_t Engine::available_pages(Role role) const {
  const PageAllocator& allocator = state_of(role).pages;
  std::map<std::int32_t, int> held;  // by closed sequences, how often
  for (const ClosedSequence& closed : closed_) {
    for (const std::int32_t page : closed.pages[static_cast<std::size_t>(role)]) ++held[page];
  }
  return allocator.num_free() + std::ranges::count_if(held, [&](const auto& page) {
           return allocator.num_holders(page.first) == page.second;
         });
}

/// Sees to it that each model has so many free pages, by Role: closed sequences give theirs, the longest unused first.
/// False, and nobody gives any, where these are not enough.
bool Engine::free_pages(const std::array<std::int64_t, 2>& needed) {
  const auto lacks = [&](const auto& pages_of) {
    return std::ranges::any_of(models(), [&](const auto& model) {
      return pages_of(model.first) < needed[static_cast<std::size_t>(model.first)];
    });
  };
  const auto num_free = [this](Role role) { return state_of(role).pages.num_free(); };
  if (!lacks(num_free)) return true;
  if (lacks([this](Role role) { return available_pages(role); })) return false;
  while (lacks(num_free)) {
    CommandHeader header;
    header.operation = Operation::forget;
    send(header);
  }
  return true;
}

/// Positions that the request's model has to run before the first step, or before the next one.
std::int64_t Engine::missing_positions(const Sequence& own) const {
  const std::int64_t cached = own.cached[static_cast<std::size_t>(own.request.role)];
  if (own.request.is_known) return static_cast<std::int64_t>(own.ids.size()) - 1 - cached;
  const std::int64_t common = num_equal(own.ids, own.request.prefix);
  return static_cast<std::int64_t>(own.request.prefix.size()) - 1 - std::min(cached, common);
}

/// Before a new request prefills what another sequence has cached it takes that one's pages, or a copy. False when it
/// is to wait, as one of the requests that are `beginning` is about to prefill the same.
bool Engine::share_prefix(int slot, std::span<const int> beginning) {
  const Sequence& own = sequence(slot);
  const std::int64_t missing = missing_positions(own);
  // A few positions run with the first step.
  if (own.request.is_known || own.alone || missing < kMaxStepRows) return true;
  const auto role = static_cast<std::size_t>(own.request.role);
  const std::span<const TokenId> prefix(own.request.prefix);
  const std::int64_t needed = static_cast<std::int64_t>(prefix.size()) - 1;  // the last id runs in any case
  const std::int64_t had = needed - missing;
  Prefix best;
  CommandHeader header;
  const auto consider = [&](std::span<const TokenId> ids, std::int64_t cached, std::int64_t fixed, int from) {
    const Prefix found = usable_prefix(std::min({num_equal(ids, prefix), cached, needed}), std::min(fixed, own.fixed));
    if (found.tokens() <= std::max(best.tokens(), had)) return;
    best = found;
    header.from_slot = from;
  };
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    const Sequence& other = sequences_[i];
    if (!other.open || other.alone || std::cmp_equal(i, slot)) continue;
    consider(other.ids, other.cached[role], other.fixed, static_cast<int>(i));
  }
  for (std::size_t i = 0; i < closed_.size(); ++i) {
    const ClosedSequence& closed = closed_[i];
    consider(closed.ids, closed.cached[role], closed.cached[role], -1 - static_cast<int>(i));
  }
  for (const int other : beginning) {
    const TokenIds& soon = sequence(other).request.prefix;
    const Prefix later =
        usable_prefix(std::min(num_equal(soon, prefix), needed), std::min(sequence(other).fixed, own.fixed));
    if (later.tokens() >= std::max(best.tokens(), had) + kMaxStepRows) return false;
  }
  if (best.tokens() <= had) return true;
  header.operation = Operation::share;
  header.role = own.request.role;
  header.slot = slot;
  header.shared = best.shared;
  header.copied = best.copied;
  send(header);
  return true;
}

// --- Every rank

void Engine::open_sequence(const CommandHeader& header) {
  Sequence& opened = sequences_.at(static_cast<std::size_t>(header.slot));
  check(!opened.open, "a slot that is free");
  opened = {};
  opened.open = true;
  opened.capacity = header.tokens;
  if (header.alone >= 0) opened.alone = static_cast<Role>(header.alone);
  reserve_pages(header.slot, header.reserved);
}

std::int64_t Engine::missing_pages(const Sequence& own, Role role, std::int64_t tokens) const {
  if (own.alone.value_or(role) != role) return 0;
  const auto held = static_cast<std::int64_t>(own.pages[static_cast<std::size_t>(role)].size());
  return std::max<std::int64_t>(0, pages_for(tokens) - held);
}

void Engine::reserve_pages(int slot, std::int64_t tokens) {
  Sequence& own = sequence(slot);
  for (const auto& [role, state] : models()) {
    const auto added = state->pages.allocate(missing_pages(own, role, tokens));
    check(added.has_value(), "rank 0 reserves pages only when there are enough");
    std::vector<std::int32_t>& pages = own.pages[static_cast<std::size_t>(role)];
    pages.insert(pages.end(), added->begin(), added->end());
    if (!added->empty()) state->model.transformer->set_pages(slot, pages);
    const auto held = static_cast<std::int64_t>(pages.size());
    if (own.alone.value_or(role) == role) own.room = held * kPageTokens - kSpareTokens;
  }
}

void Engine::share_pages(const CommandHeader& header) {
  Sequence& own = sequence(header.slot);
  const auto role = static_cast<std::size_t>(header.role);
  const bool from_closed = header.from_slot < 0;
  if (from_closed) {  // it was used last
    const auto used = closed_.begin() + (-1 - header.from_slot);
    std::rotate(used, used + 1, closed_.end());
  }
  Sequence* const open = from_closed ? nullptr : &sequence(header.from_slot);
  const TokenIds& ids = from_closed ? closed_.back().ids : open->ids;
  const std::vector<std::int32_t>& pages = from_closed ? closed_.back().pages[role] : open->pages[role];
  const std::int64_t cached = from_closed ? closed_.back().cached[role] : open->cached[role];
  const std::int64_t tokens = header.shared + header.copied;
  const auto count = static_cast<std::size_t>(header.shared / kPageTokens);
  check(tokens <= cached && tokens <= static_cast<std::int64_t>(own.pages[role].size()) * kPageTokens,
        "pages that are there");
  ModelState& state = state_of(header.role);
  const std::span<const std::int32_t> shared = std::span(pages).first(count);
  state.pages.share(shared);
  state.pages.release(std::span(own.pages[role]).first(count));
  std::ranges::copy(shared, own.pages[role].begin());
  state.model.transformer->set_pages(header.slot, own.pages[role]);
  if (header.copied > 0) state.model.transformer->copy_page(pages[count], own.pages[role][count], header.copied);
  if (static_cast<std::int64_t>(own.ids.size()) < tokens || num_equal(own.ids, ids) < tokens) {
    own.replace_tail(0, std::span(ids).first(static_cast<std::size_t>(tokens)));
  }
  own.cached[role] = tokens;
  own.shared = std::max(own.shared, header.shared);
  if (open) open->shared = std::max(open->shared, header.shared);
}

void Engine::release_pages(Sequence& own) {
  for (const auto& [role, state] : models()) {
    std::vector<std::int32_t>& pages = own.pages[static_cast<std::size_t>(role)];
    state->pages.release(pages);
    pages.clear();
  }
  own.cached = {};
  own.room = 0;
  own.shared = 0;
}

void Engine::close_sequence(int slot, bool keeps) {
  Sequence& own = sequence(slot);
  const std::int64_t cached = std::ranges::max(own.cached);
  if (keeps && cached >= kMaxStepRows) {
    ClosedSequence& closed = closed_.emplace_back();
    closed.ids.assign(own.ids.begin(), own.ids.begin() + cached);
    closed.cached = own.cached;
    for (const auto& [role, state] : models()) {
      const auto i = static_cast<std::size_t>(role);
      const auto used = static_cast<std::size_t>((own.cached[i] + kPageTokens - 1) / kPageTokens);
      closed.pages[i].assign(own.pages[i].begin(), own.pages[i].begin() + static_cast<std::ptrdiff_t>(used));
      own.pages[i].erase(own.pages[i].begin(), own.pages[i].begin() + static_cast<std::ptrdiff_t>(used));
    }
    if (closed_.size() > kMaxClosed) forget_oldest();
  }
  release_pages(own);
  own = {};
}

void Engine::forget_oldest() {
  check(!closed_.empty(), "a sequence that is closed");
  for (const auto& [role, state] : models()) {
    state->pages.release(closed_.front().pages[static_cast<std::size_t>(role)]);
  }
  closed_.erase(closed_.begin());
}

}  // namespace specthink::inline engine
