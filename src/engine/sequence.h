// What every rank knows of a sequence: its tokens, and what each model has of them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/command.h"
#include "specthink/engine/engine.h"

namespace specthink::inline engine {

/// A request from its first command to its end.
struct SequenceRequest {
  RowWork work;
  Role role = Role::target;
  TokenIds prefix;                    // rank 0: what it continues
  std::function<void(TokenId)> sink;  // rank 0
  std::int64_t pending = 0;           // ids that the first step runs
  int enqueued = 0;                   // steps so far
  bool ended = false;
  Generation generation;
};

/// The sequence of a slot. Both models follow one token list.
struct Sequence {
  bool open = false;
  TokenIds ids;
  std::array<std::int64_t, 2> cached{};  // by Role: leading ids whose keys and values the model has
  std::array<std::vector<std::int32_t>, 2> pages;
  std::int64_t capacity = 0;  // ids that the pages hold, rows of steps beyond an end left out
  SequenceRequest request;

  /// Keeps the first `length` ids and puts `added` behind them.
  void replace_tail(std::int64_t length, std::span<const TokenId> added) {
    ids.resize(static_cast<std::size_t>(length));
    ids.insert(ids.end(), added.begin(), added.end());
    for (std::int64_t& count : cached) count = std::min(count, length);
  }
};

}  // namespace specthink::inline engine
