// Where the time of a replayed run goes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "specthink/base/json.h"
#include "specthink/base/types.h"
#include "specthink/config/settings.h"
#include "specthink/model/memory_plan.h"
#include "specthink/report/jsonl.h"
#include "specthink/schedule/ledger.h"

namespace specthink::inline replay {

/// Upper limits of the contexts over which steps are averaged: up to 1K tokens, above that up to 2K, and so on; longer
/// ones are one more bucket.
constexpr std::array<std::int64_t, 6> kContextBuckets{1024, 2048, 4096, 8192, 16384, 32768};
constexpr std::size_t kNumContextBuckets = kContextBuckets.size() + 1;

/// The bucket of a step that continues `context` tokens.
std::size_t context_bucket(std::int64_t context);

/// One request as the engine did it.
struct RequestTiming {
  Role role = Role::draft;
  std::int64_t prefix = 0;  ///< tokens before the first new one
  std::int64_t tokens = 0;  ///< new ones
  double seconds = 0;       ///< from asking to having them all
  std::int64_t prefilled = 0;
  double prefill_seconds = 0;
  std::int64_t decode_steps = 0;
  double decode_seconds = 0;
  std::int64_t proposal_steps = 0;  ///< of the draft, for the target
  double proposal_seconds = 0;
  ProposalCounts ngram{};
  ProposalCounts draft_model{};
  std::vector<double> token_seconds;  ///< when each token came, since the request began; only long requests need it
};

/// Decode steps, a sum. Steps of a request that crosses a limit of buckets are divided by tokens, so that a count need
/// not be whole.
struct DecodeTimes {
  double steps = 0;
  double seconds = 0;
  double limit_seconds = 0;  ///< in which the memory could be read that they read at least (StepBytes)

  DecodeTimes& operator+=(const DecodeTimes& other);
  double milliseconds_per_step() const { return steps > 0 ? 1e3 * seconds / steps : 0; }
  /// The limit over the time taken; 0 without steps.
  double share_of_limit() const { return seconds > 0 ? limit_seconds / seconds : 0; }
};

struct ModelTimes {
  std::int64_t prefilled = 0;  ///< positions
  double prefill_seconds = 0;
  std::array<DecodeTimes, kNumContextBuckets> by_context;

  DecodeTimes decode() const;
  ModelTimes& operator+=(const ModelTimes& other);
};

/// One run, or a sum of runs.
struct ReplayTimes {
  std::int64_t tokens = 0;  ///< that stayed
  double seconds = 0;
  std::int64_t requests = 0;
  double request_seconds = 0;
  std::int64_t switches = 0;            ///< requests to another model than the one before
  double switch_hand_over_seconds = 0;  ///< of these requests: beyond their steps and their prefill
  std::array<ModelTimes, 2> models;     ///< by Role
  std::int64_t proposal_steps = 0;      ///< of the draft, for requests to the target
  double proposal_seconds = 0;
  std::array<std::int64_t, 2> generated{};  ///< by Role: tokens asked for, kept or not
  std::int64_t ngram_proposed = 0;
  std::int64_t ngram_accepted = 0;
  std::int64_t draft_proposed = 0;
  std::int64_t draft_accepted = 0;

  /// `previous` is the role of the run's last request, null for its first; `bytes` those of the request's model, which
  /// `bytes_per_second` can read.
  void add(const RequestTiming& request, const Role* previous, const StepBytes& bytes, double bytes_per_second);
  ReplayTimes& operator+=(const ReplayTimes& other);

  /// Tokens that a decode step of the model emits on average; 0 without steps.
  double tokens_per_step(Role role) const;

  const ModelTimes& of(Role role) const { return models[static_cast<std::size_t>(role)]; }
  ModelTimes& of(Role role) { return models[static_cast<std::size_t>(role)]; }

  /// What requests take beyond decode and prefill: the command to all ranks, the results' way back.
  double hand_over_seconds() const;
  /// What the run takes beyond its requests.
  double host_seconds() const { return seconds - request_seconds; }
  double tokens_per_second() const { return seconds > 0 ? static_cast<double>(tokens) / seconds : 0; }
};

/// One finished run.
struct ReplayRecord {
  ReplayLoop loop = ReplayLoop::original;
  std::size_t workload = 0;  ///< index in the file
  int problem = 0;
  int run = 0;
  int prompt_tokens = 0;
  ReplayTimes times;
  bool speculates = false;  ///< with proposers of tokens
};

OrderedJson to_json(const ReplayRecord& record);

/// Reads what to_json() wrote. Throws UserError that begins with `source`.
ReplayRecord parse_replay_record(const Json& object, std::string_view source);

}  // namespace specthink::inline replay
