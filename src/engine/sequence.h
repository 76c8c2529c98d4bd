// What every rank knows of a sequence: its tokens, what each model has of them, and what is proposed behind them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "engine/command.h"
#include "engine/speculation/ngram_index.h"
#include "engine/speculation/proposal_count.h"
#include "specthink/base/error.h"
#include "specthink/engine/engine.h"

namespace specthink::inline engine {

/// Tokens that the coming step of a request verifies.
struct Proposal {
  Proposer by = Proposer::ngram;
  int ngram_match = 0;  // tokens of the match that they followed
  TokenIds ids;
};

/// A request from its first command to its end.
struct SequenceRequest {
  RowWork work;
  Role role = Role::target;
  TokenIds prefix;             // rank 0: what it continues
  TokenSink sink;              // rank 0
  TokenIds read_ids;           // of a reading
  TokenIds forced;             // instead of what is sampled, one after the other; empty: nothing is forced
  std::int64_t pending = 0;    // ids that the first step runs
  int enqueued = 0;            // steps so far
  bool is_known = false;       // the other ranks have it
  bool is_prefilling = false;  // positions before the first step's are missing in the cache
  bool ended = false;
  bool ran_beyond = false;  // a step after the end has completed the cache for the last token
  Proposal proposal;        // of the step that is under way
  Generation generation;

  int left() const { return work.max_tokens - static_cast<int>(generation.ids.size()); }
};

/// The sequence of a slot. Both models follow one token list.
struct Sequence {
  bool open = false;
  TokenIds ids;
  std::array<std::int64_t, 2> cached{};  // by Role: leading ids whose keys and values the model has
  std::array<std::vector<std::int32_t>, 2> pages;
  std::optional<Role> alone;  // the only model that runs it
  std::int64_t capacity = 0;  // ids that it can have
  std::int64_t room = 0;      // ids that its pages hold, rows of steps beyond an end left out
  std::int64_t shared = 0;    // leading ids whose pages others may read: they are never written again
  std::int64_t fixed = 0;     // rank 0: ids of the first request's prefix, which stay
  SequenceRequest request;
  NgramIndex ngrams;  // over leading ids
  ProposalHistory history;

  int slot() const { return request.work.slot; }

  /// Keeps the first `length` ids and puts `added` behind them.
  void replace_tail(std::int64_t length, std::span<const TokenId> added) {
    check(length >= shared, "pages that others read are not written");
    ngrams.truncate(ids, length);
    ids.resize(static_cast<std::size_t>(length));
    ids.insert(ids.end(), added.begin(), added.end());
    for (std::int64_t& count : cached) count = std::min(count, length);
  }
};

/// What the caches have of a sequence that is closed, for those to come that begin with the same ids.
struct ClosedSequence {
  TokenIds ids;
  std::array<std::int64_t, 2> cached{};  // by Role, as of a Sequence
  std::array<std::vector<std::int32_t>, 2> pages;
};

}  // namespace specthink::inline engine
