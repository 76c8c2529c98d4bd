#include "specthink/replay/times.h"

#include <algorithm>
#include <limits>
#include <string>

#include "specthink/base/error.h"
#include "specthink/replay/workload.h"
#include "specthink/report/json_reader.h"

namespace specthink::inline replay {
namespace {

constexpr std::pair<const char*, std::int64_t ReplayTimes::*> kCounts[] = {
    {"ngram_proposed", &ReplayTimes::ngram_proposed},
    {"ngram_accepted", &ReplayTimes::ngram_accepted},
    {"draft_proposed", &ReplayTimes::draft_proposed},
    {"draft_accepted", &ReplayTimes::draft_accepted},
};

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

OrderedJson model_times_json(const ModelTimes& model) {
  OrderedJson contexts = OrderedJson::array();
  for (const DecodeTimes& decode : model.by_context) {
    contexts.push_back({{"steps", decode.steps}, {"seconds", decode.seconds}, {"limit_seconds", decode.limit_seconds}});
  }
  return {{"prefilled", model.prefilled}, {"prefill_seconds", model.prefill_seconds}, {"by_context", contexts}};
}

// Differences of two clock readings may lie below 0.
double seconds_of(const JsonReader& reader, const char* key) { return reader.number(key, -JsonReader::kMaxNumber); }

ModelTimes parse_model(const Json& object, std::string_view source) {
  const JsonReader reader(object, source, "the model");
  ModelTimes model;
  model.prefilled = reader.count("prefilled");
  model.prefill_seconds = seconds_of(reader, "prefill_seconds");
  const Json& contexts = reader.list("by_context");
  if (contexts.size() != kNumContextBuckets) {
    throw UserError("{}: expected a list of {} in 'by_context'", source, kNumContextBuckets);
  }
  for (std::size_t i = 0; i < kNumContextBuckets; ++i) {
    const JsonReader decode(contexts[i], source, "an entry of by_context");
    model.by_context[i] = {decode.number("steps"), seconds_of(decode, "seconds"), seconds_of(decode, "limit_seconds")};
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
    switch_hand_over_seconds +=
        request.seconds - request.decode_seconds - request.prefill_seconds - request.proposal_seconds;
  }
  proposal_steps += request.proposal_steps;
  proposal_seconds += request.proposal_seconds;
  generated[static_cast<std::size_t>(request.role)] += request.tokens;
  ngram_proposed += request.ngram.num_proposed();
  ngram_accepted += request.ngram.num_accepted();
  draft_proposed += request.draft_model.num_proposed();
  draft_accepted += request.draft_model.num_accepted();
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
  proposal_steps += other.proposal_steps;
  proposal_seconds += other.proposal_seconds;
  for (std::size_t i = 0; i < generated.size(); ++i) generated[i] += other.generated[i];
  for (const auto& [key, count] : kCounts) this->*count += other.*count;
  return *this;
}

double ReplayTimes::hand_over_seconds() const {
  double seconds = request_seconds - proposal_seconds;
  for (const ModelTimes& model : models) seconds -= model.decode().seconds + model.prefill_seconds;
  return seconds;
}

double ReplayTimes::tokens_per_step(Role role) const {
  const double steps = of(role).decode().steps;
  return steps > 0 ? static_cast<double>(generated[static_cast<std::size_t>(role)]) / steps : 0;
}

OrderedJson to_json(const ReplayRecord& record) {
  const ReplayTimes& times = record.times;
  OrderedJson object = {{"policy", name_of(record.loop)},
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
                        {"draft", model_times_json(times.of(Role::draft))},
                        {"target", model_times_json(times.of(Role::target))}};
  object["speculates"] = record.speculates;
  object["proposal_steps"] = times.proposal_steps;
  object["proposal_seconds"] = times.proposal_seconds;
  for (const Role role : {Role::draft, Role::target}) {
    object[std::string(name_of(role)) + "_generated"] = times.generated[static_cast<std::size_t>(role)];
  }
  for (const auto& [key, count] : kCounts) object[key] = times.*count;
  return object;
}

ReplayRecord parse_replay_record(const Json& object, std::string_view source) {
  const JsonReader reader(object, source, "the run");
  const auto count = [&](const char* key) {
    return static_cast<int>(reader.count(key, std::numeric_limits<int>::max()));
  };
  ReplayRecord record;
  const std::string loop = reader.text("policy");
  bool known = false;
  for (const ReplayLoop candidate : kReplayLoops) {
    const bool is_old_name = candidate == ReplayLoop::original && loop == "seed";
    if (loop != name_of(candidate) && !is_old_name) continue;
    record.loop = candidate;
    known = true;
  }
  if (!known) reader.fail("policy", "original, fixed or target");
  record.workload = static_cast<std::size_t>(reader.count("workload"));
  record.problem = count("problem");
  record.run = count("run");
  record.prompt_tokens = count("prompt_tokens");
  ReplayTimes& times = record.times;
  times.tokens = reader.count("tokens");
  times.seconds = seconds_of(reader, "seconds");
  times.requests = reader.count("requests");
  times.request_seconds = seconds_of(reader, "request_seconds");
  times.switches = reader.count("switches");
  times.switch_hand_over_seconds = seconds_of(reader, "switch_hand_over_seconds");
  times.of(Role::draft) = parse_model(reader.value("draft"), reader.source() + ": draft");
  times.of(Role::target) = parse_model(reader.value("target"), reader.source() + ": target");
  if (reader.has("speculates") || reader.has("proposal_steps")) {  // logs of older programs have no proposals
    if (!reader.value("speculates").is_boolean()) reader.fail("speculates", "true or false");
    record.speculates = reader.value("speculates").get<bool>();
    times.proposal_steps = reader.count("proposal_steps");
    times.proposal_seconds = seconds_of(reader, "proposal_seconds");
    for (const Role role : {Role::draft, Role::target}) {
      times.generated[static_cast<std::size_t>(role)] =
          reader.count((std::string(name_of(role)) + "_generated").c_str());
    }
    for (const auto& [key, count] : kCounts) times.*count = reader.count(key);
  }
  return record;
}

}  // namespace specthink::inline replay
