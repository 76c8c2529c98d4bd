#include "specthink/replay/times.h"

#include <algorithm>

#include "specthink/base/error.h"
#include "specthink/replay/workload.h"

namespace specthink {
namespace {

/// How a request's steps lie over the buckets.
struct BucketShare {
  double tokens = 0;
  double seconds = 0;
  double context = 0;  // summed over the tokens
};

std::array<BucketShare, kNumContextBuckets> divide(const RequestTiming& request) {
  std::array<BucketShare, kNumContextBuckets> shares;
  const bool timed = request.token_seconds.size() == static_cast<std::size_t>(request.tokens);
  // The first token's time holds the prefill; where there are others, they stand for the steps.
  for (std::int64_t i = request.tokens > 1 ? 1 : 0; i < request.tokens; ++i) {
    BucketShare& share = shares[context_bucket(request.prefix + i)];
    const auto token = static_cast<std::size_t>(i);
    share.tokens += 1;
    share.context += static_cast<double>(request.prefix + i);
    if (timed && i > 0) share.seconds += request.token_seconds[token] - request.token_seconds[token - 1];
  }
  return shares;
}

void add_decode(ModelTimes& model, const RequestTiming& request, const StepBytes& bytes, double bytes_per_second) {
  if (request.decode_steps == 0 && request.decode_seconds == 0) return;
  const auto shares = divide(request);
  double tokens = 0;
  double seconds = 0;
  for (const BucketShare& share : shares) {
    tokens += share.tokens;
    seconds += share.seconds;
  }
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const BucketShare& share = shares[i];
    if (share.tokens == 0) continue;
    const double steps = static_cast<double>(request.decode_steps) * share.tokens / tokens;
    const double part = seconds > 0 ? share.seconds / seconds : share.tokens / tokens;
    model.by_context[i] +=
        {steps, request.decode_seconds * part, steps * bytes.at(share.context / share.tokens) / bytes_per_second};
  }
}

double require_number(const Json& object, const char* key, std::string_view source) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || found == object.end() || !found->is_number()) {
    throw UserError("{}: expected a number in '{}'", source, key);
  }
  return found->get<double>();
}

std::int64_t require_count(const Json& object, const char* key, std::string_view source) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  const double value = require_number(object, key, source);
  if (!object.at(key).is_number_integer() || value < 0 || value > kExact) {
    throw UserError("{}: expected a count in '{}', found {}", source, key, excerpt(object.at(key)));
  }
  return static_cast<std::int64_t>(value);
}

const Json& require(const Json& object, const char* key, std::string_view source) {
  if (!object.is_object() || !object.contains(key)) throw UserError("{}: expected the key '{}'", source, key);
  return object.at(key);
}

OrderedJson model_json(const ModelTimes& model) {
  OrderedJson contexts = OrderedJson::array();
  for (const DecodeTimes& decode : model.by_context) {
    contexts.push_back({{"steps", decode.steps}, {"seconds", decode.seconds}, {"limit_seconds", decode.limit_seconds}});
  }
  return {{"prefilled", model.prefilled}, {"prefill_seconds", model.prefill_seconds}, {"by_context", contexts}};
}

ModelTimes parse_model(const Json& object, std::string_view source) {
  ModelTimes model;
  model.prefilled = require_count(object, "prefilled", source);
  model.prefill_seconds = require_number(object, "prefill_seconds", source);
  const Json& contexts = require(object, "by_context", source);
  if (!contexts.is_array() || contexts.size() != kNumContextBuckets) {
    throw UserError("{}: expected a list of {} in 'by_context'", source, kNumContextBuckets);
  }
  for (std::size_t i = 0; i < kNumContextBuckets; ++i) {
    model.by_context[i] = {require_number(contexts[i], "steps", source), require_number(contexts[i], "seconds", source),
                           require_number(contexts[i], "limit_seconds", source)};
  }
  return model;
}

}  // namespace

std::size_t context_bucket(std::int64_t context) {
  return static_cast<std::size_t>(std::lower_bound(kContextBuckets.begin(), kContextBuckets.end(), context) -
                                  kContextBuckets.begin());
}

DecodeTimes& DecodeTimes::operator+=(const DecodeTimes& other) {
  steps += other.steps;
  seconds += other.seconds;
  limit_seconds += other.limit_seconds;
  return *this;
}

DecodeTimes ModelTimes::decode() const {
  DecodeTimes sum;
  for (const DecodeTimes& decode : by_context) sum += decode;
  return sum;
}

ModelTimes& ModelTimes::operator+=(const ModelTimes& other) {
  prefilled += other.prefilled;
  prefill_seconds += other.prefill_seconds;
  for (std::size_t i = 0; i < by_context.size(); ++i) by_context[i] += other.by_context[i];
  return *this;
}

void ReplayTimes::add(const RequestTiming& request, const Role* previous, const StepBytes& bytes,
                      double bytes_per_second) {
  check(bytes_per_second > 0, "a memory can be read");
  ++requests;
  request_seconds += request.seconds;
  if (previous && *previous != request.role) {
    ++switches;
    switch_hand_over_seconds += request.seconds - request.decode_seconds - request.prefill_seconds;
  }
  ModelTimes& model = of(request.role);
  model.prefilled += request.prefilled;
  model.prefill_seconds += request.prefill_seconds;
  add_decode(model, request, bytes, bytes_per_second);
}

ReplayTimes& ReplayTimes::operator+=(const ReplayTimes& other) {
  tokens += other.tokens;
  seconds += other.seconds;
  requests += other.requests;
  request_seconds += other.request_seconds;
  switches += other.switches;
  switch_hand_over_seconds += other.switch_hand_over_seconds;
  for (std::size_t i = 0; i < models.size(); ++i) models[i] += other.models[i];
  return *this;
}

double ReplayTimes::hand_over_seconds() const {
  double seconds = request_seconds;
  for (const ModelTimes& model : models) seconds -= model.decode().seconds + model.prefill_seconds;
  return seconds;
}

OrderedJson to_json(const ReplayRecord& record) {
  const ReplayTimes& times = record.times;
  return {{"policy", name_of(record.policy)},
          {"workload", record.workload},
          {"problem", record.problem},
          {"run", record.run},
          {"prompt_tokens", record.prompt_tokens},
          {"tokens", times.tokens},
          {"seconds", times.seconds},
          {"requests", times.requests},
          {"request_seconds", times.request_seconds},
          {"switches", times.switches},
          {"switch_hand_over_seconds", times.switch_hand_over_seconds},
          {"draft", model_json(times.of(Role::draft))},
          {"target", model_json(times.of(Role::target))}};
}

ReplayRecord parse_replay_record(const Json& object, std::string_view source) {
  ReplayRecord record;
  const Json& policy = require(object, "policy", source);
  bool known = false;
  for (const ReplayPolicy candidate : {ReplayPolicy::original, ReplayPolicy::fixed, ReplayPolicy::target}) {
    const bool is_old_name = candidate == ReplayPolicy::original && policy == "seed";
    if (policy != name_of(candidate) && !is_old_name) continue;
    record.policy = candidate;
    known = true;
  }
  if (!known) throw UserError("{}: expected original, fixed or target in 'policy', found {}", source, excerpt(policy));
  record.workload = static_cast<std::size_t>(require_count(object, "workload", source));
  record.problem = static_cast<int>(require_count(object, "problem", source));
  record.run = static_cast<int>(require_count(object, "run", source));
  record.prompt_tokens = static_cast<int>(require_count(object, "prompt_tokens", source));
  ReplayTimes& times = record.times;
  times.tokens = require_count(object, "tokens", source);
  times.seconds = require_number(object, "seconds", source);
  times.requests = require_count(object, "requests", source);
  times.request_seconds = require_number(object, "request_seconds", source);
  times.switches = require_count(object, "switches", source);
  times.switch_hand_over_seconds = require_number(object, "switch_hand_over_seconds", source);
  times.of(Role::draft) = parse_model(require(object, "draft", source), source);
  times.of(Role::target) = parse_model(require(object, "target", source), source);
  return record;
}

}  // namespace specthink
