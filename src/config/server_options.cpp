// The rows of the option table that belong to batches and to the server, and the settings that a request gives.
#include <algorithm>
#include <array>

#include "config/option_builder.h"

namespace specthink::inline config {

using enum Affects;

void add_batching(TableBuilder& table) {
  using Part = BenchSettings;
  constexpr auto kPart = &Settings::bench;
  table.add(
      kBench | kEval | kReplay | kServe | kConfig, times,
      {"batch",
       "at a time: they share the steps of a model, where their tokens differ from those alone by rounding; auto: as "
       "many as memory and kernels allow, at most 64, or 16 where kernels take no more",
       "runs"},
      AutoInteger{.max = kMaxBatch}, 1, kPart, &Part::batch);
  table.add(
      kBench | kEval | kReplay | kServe | kConfig, times,
      {"reserve",
       "a run begins when the cache has room for all that it may write; without it, for what it has, and when the "
       "cache is full the youngest run gives its part back and is prefilled again later"},
      Boolean{}, false, kPart, &Part::reserve);
}

void add_server(TableBuilder& table) {
  using Part = ServeSettings;
  constexpr auto kPart = &Settings::serve;
  table.begin(Group::serve);
  table.add(kServe, nothing, {"host", "address that is listened on; 0.0.0.0: all of this machine"},
            Text{.name = "ADDRESS", .null_allowed = false}, "127.0.0.1", kPart, &Part::host);
  table.add(kServe, nothing, {"port", "0: any that is free, which the log names"}, Integer{.min = 0, .max = 65535},
            8000, kPart, &Part::port);
  table.add(kServe, nothing,
            {"api_key", "that requests must bring as `Authorization: Bearer KEY`; better given in the environment"},
            Text{.name = "KEY"}, {}, kPart, &Part::api_key);
  table.add(kServe, nothing, {"max_queue", "that wait at most; further requests are answered 429", "answers"},
            Integer{}, 512, kPart, &Part::max_queue);
  table.add(kServe, nothing, {"max_connections", "at a time; further clients are answered 503", "connections"},
            Integer{.max = 65536}, 1024, kPart, &Part::max_connections);
  table.add(kServe, nothing, {"max_request_bytes", "of a request's body; a larger one is answered 413", "bytes"},
            Integer{.min = 1024}, 4 << 20, kPart, &Part::max_request_bytes);
  table.add(kServe, nothing, {"request_timeout", "for a request to arrive; a slower one is answered 408", "seconds"},
            Number{.min = 0, .max = 1e6, .excludes_min = true}, 30, kPart, &Part::request_timeout);
  table.add(kServe, nothing, {"queue_timeout", "for an answer to begin; one that waits longer becomes 503", "seconds"},
            Number{.min = 0, .max = 1e6, .excludes_min = true}, 600, kPart, &Part::queue_timeout);
  table.add(kServe, nothing, {"drain_timeout", "after a stop, for what was accepted to be answered", "seconds"},
            Number{.min = 0, .max = 1e6}, 60, kPart, &Part::drain_timeout);
  table.add(kServe, nothing,
            {"keep_prefixes",
             "the cache of an answered request stays while there is room, and requests that begin with the same text "
             "go on from there"},
            Boolean{}, true, kPart, &Part::keep_prefixes);
}

ScheduleSettings with_schedule(ScheduleSettings settings, const Json& given) {
  // What models and tokenizers are loaded for, and what every rank knows by then.
  constexpr std::array<std::string_view, 7> kFixed{"mode",        "compat",         "TRIGGER_TOKENS",    "cues",
                                                   "match_share", "score_question", "score_answer_start"};
  Settings all;
  all.schedule = std::move(settings);
  for (const auto& [key, value] : given.items()) {
    const Option* option = find_option(key);
    if (!option || (option->group != Group::schedule && option->group != Group::policy)) {
      throw UserError("'{}' is no setting of the schedule{}", key, suggest_key(key));
    }
    if (std::ranges::find(kFixed, key) != kFixed.end()) {
      throw UserError("'{}' is the same for all requests of a server", key);
    }
    option->read(all, parse_yaml(value.dump(), key), Location::in_request(key));
  }
  const ScheduleSettings& schedule = all.schedule;
  const bool needs_fixed_loop = schedule.policy != Policy::sentiment || schedule.thinking_budget > 0;
  if (!given.empty() && needs_fixed_loop && (schedule.mode != Mode::vllm || schedule.compat != Compat::fixed)) {
    throw UserError(
        "policies other than sentiment, and thinking_budget, need a server with mode vllm and compat fixed");
  }
  if (schedule.policy == Policy::random && !schedule.target_rate) {
    throw UserError("policy random needs target_rate, a probability from 0 to 1");
  }
  return schedule;
}

}  // namespace specthink::inline config
