// Which pages sequences have: what Engine does for these commands, on rank 0 and on every rank.
#include <algorithm>

#include "engine/command.h"
#include "engine/model_state.h"
#include "engine/sequence.h"
#include "specthink/base/error.h"

namespace specthink::inline engine {

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
  for (const auto& [role, state] : models()) {
    if (alone.value_or(role) == role && state->pages.num_free() < pages_for(reserved)) return std::nullopt;
  }
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
  for (const auto& [role, state] : models()) {
    if (missing_pages(own, role, tokens) > state->pages.num_free()) return false;
  }
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
  std::int64_t pages = target_->pages.num_free();
  if (draft_) pages = std::min(pages, draft_->pages.num_free());
  return pages;
}

/// Positions that the request's model has to run before the first step, or before the next one.
std::int64_t Engine::missing_positions(const Sequence& own) const {
  const std::int64_t cached = own.cached[static_cast<std::size_t>(own.request.role)];
  if (own.request.is_known) return static_cast<std::int64_t>(own.ids.size()) - 1 - cached;
  const auto common = std::ranges::mismatch(own.ids, own.request.prefix).in1 - own.ids.begin();
  return static_cast<std::int64_t>(own.request.prefix.size()) - 1 - std::min<std::int64_t>(cached, common);
}

/// Before a new request prefills what another sequence has cached it takes that one's pages. False when it is to wait,
/// as one of the requests that are `beginning` is about to prefill the same.
bool Engine::share_prefix(int slot, std::span<const int> beginning) {
  const Sequence& own = sequence(slot);
  const std::int64_t missing = missing_positions(own);
  if (own.request.is_known || own.alone || missing < kPageTokens) return true;
  const auto role = static_cast<std::size_t>(own.request.role);
  const std::span<const TokenId> prefix(own.request.prefix);
  const std::int64_t needed = static_cast<std::int64_t>(prefix.size()) - 1;  // the last id runs in any case
  const auto whole_pages = [](std::int64_t tokens) { return tokens / kPageTokens * kPageTokens; };
  // Leading ids that both have and that neither takes back.
  const auto common = [&](const Sequence& other, std::span<const TokenId> ids) {
    const auto equal = std::ranges::mismatch(ids, prefix).in1 - ids.begin();
    return std::min({static_cast<std::int64_t>(equal), other.fixed, own.fixed, needed});
  };
  CommandHeader header;
  header.operation = Operation::share;
  header.role = own.request.role;
  header.slot = slot;
  header.shared = needed - missing;
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    const Sequence& other = sequences_[i];
    if (!other.open || other.alone || static_cast<int>(i) == slot || other.cached[role] == 0) continue;
    const std::int64_t shared = whole_pages(std::min(common(other, other.ids), other.cached[role]));
    if (shared <= header.shared) continue;
    header.shared = shared;
    header.from_slot = static_cast<std::int32_t>(i);
  }
  const bool found = header.shared > needed - missing;
  for (const int other : beginning) {
    const SequenceRequest& request = sequence(other).request;
    const std::int64_t soon = whole_pages(common(sequence(other), request.prefix));
    if (soon > header.shared) return false;
  }
  if (found) send(header);
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
    if (!added->empty()) state->set_pages(slot, pages);
    const auto held = static_cast<std::int64_t>(pages.size());
    if (own.alone.value_or(role) == role) own.room = held * kPageTokens - kSpareTokens;
  }
}

void Engine::share_pages(const CommandHeader& header) {
  Sequence& own = sequence(header.slot);
  Sequence& from = sequence(header.from_slot);
  const auto role = static_cast<std::size_t>(header.role);
  ModelState& state = state_of(header.role);
  const auto count = static_cast<std::size_t>(header.shared / kPageTokens);
  check(count <= own.pages[role].size() && header.shared <= from.cached[role], "pages that are there");
  const std::span<const std::int32_t> shared = std::span(from.pages[role]).first(count);
  state.pages.share(shared);
  state.pages.release(std::span(own.pages[role]).first(count));
  std::ranges::copy(shared, own.pages[role].begin());
  state.set_pages(header.slot, own.pages[role]);
  if (static_cast<std::int64_t>(own.ids.size()) < header.shared ||
      !std::equal(own.ids.begin(), own.ids.begin() + header.shared, from.ids.begin())) {
    own.replace_tail(0, std::span(from.ids).first(static_cast<std::size_t>(header.shared)));
  }
  own.cached[role] = header.shared;
  own.shared = std::max(own.shared, header.shared);
  from.shared = std::max(from.shared, header.shared);
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

void Engine::close_sequence(int slot) {
  Sequence& closed = sequence(slot);
  release_pages(closed);
  closed = {};
}

}  // namespace specthink::inline engine
