// The JSON of a replay.
#include "replay/figures.h"
#include "specthink/replay/workload.h"

namespace specthink::inline replay {
namespace {

OrderedJson or_null(const std::optional<double>& value) { return value ? OrderedJson(*value) : OrderedJson(); }

OrderedJson decode_json(const DecodeTimes& decode) {
  return {{"steps", decode.steps},
          {"seconds", decode.seconds},
          {"ms_per_step", decode.milliseconds_per_step()},
          {"share_of_limit", decode.share_of_limit()}};
}

OrderedJson model_json(const ModelTimes& model) {
  OrderedJson contexts = OrderedJson::object();
  for (std::size_t i = 0; i < kNumContextBuckets; ++i) {
    if (model.by_context[i].steps > 0) contexts[bucket_name(i)] = decode_json(model.by_context[i]);
  }
  return {{"decode", decode_json(model.decode())},
          {"prefilled", model.prefilled},
          {"prefill_s", model.prefill_seconds},
          {"by_context", std::move(contexts)}};
}

OrderedJson times_json(const ReplayTimes& times) {
  return {{"seconds", times.seconds},
          {"tokens", times.tokens},
          {"tokens_per_s", times.tokens_per_second()},
          {"draft_decode_s", times.of(Role::draft).decode().seconds},
          {"target_decode_s", times.of(Role::target).decode().seconds},
          {"draft_prefill_s", times.of(Role::draft).prefill_seconds},
          {"target_prefill_s", times.of(Role::target).prefill_seconds},
          {"hand_over_s", times.hand_over_seconds()},
          {"host_s", times.host_seconds()},
          {"requests", times.requests},
          {"switches", times.switches},
          {"switch_hand_over_s", times.switch_hand_over_seconds},
          {"draft", model_json(times.of(Role::draft))},
          {"target", model_json(times.of(Role::target))},
          {"tokens_per_step",
           {{"draft", times.tokens_per_step(Role::draft)}, {"target", times.tokens_per_step(Role::target)}}},
          {"proposal_steps", times.proposal_steps},
          {"proposal_s", times.proposal_seconds},
          {"proposed", {{"ngram", times.ngram_proposed}, {"draft", times.draft_proposed}}},
          {"accepted", {{"ngram", times.ngram_accepted}, {"draft", times.draft_accepted}}}};
}

/// The key of a loop: the files have called the original one `seed` from the first on.
const char* key_of(ReplayLoop loop) { return loop == ReplayLoop::original ? "seed" : name_of(loop); }

OrderedJson loop_json(const std::vector<ReplayRecord>& records) {
  OrderedJson runs = OrderedJson::array();
  for (const ReplayRecord& record : records) {
    OrderedJson run{{"workload", record.workload},
                    {"problem", record.problem},
                    {"run", record.run},
                    {"prompt_tokens", record.prompt_tokens}};
    run.update(times_json(record.times));
    runs.push_back(std::move(run));
  }
  return {{"workloads", records.size()}, {"total", times_json(sum_of(records))}, {"runs", std::move(runs)}};
}

OrderedJson step_json(const ReplayReport& report, Role role) {
  OrderedJson steps = OrderedJson::object();
  for (const StepRow& row : report.steps) {
    steps[std::to_string(row.context)] = or_null(row.milliseconds[static_cast<std::size_t>(role)]);
  }
  return steps;
}

OrderedJson limit_json(const ReplayReport& report, Role role) {
  OrderedJson limits = OrderedJson::object();
  for (const StepRow& row : report.steps) {
    limits[std::to_string(row.context)] = limit_ms(report, role, static_cast<double>(row.context));
  }
  return limits;
}

OrderedJson timeline_json(const ReplayReport& report, Role role) {
  OrderedJson contexts = OrderedJson::object();
  for (const StepRow& row : report.steps) {
    OrderedJson kernels = OrderedJson::array();
    for (const KernelShare& share : row.kernels[static_cast<std::size_t>(role)]) {
      kernels.push_back({{"kernel", share.name},
                         {"count", share.count},
                         {"ahead_us", share.ahead},
                         {"waited_us", share.waited},
                         {"ran_us", share.ran}});
    }
    if (!kernels.empty()) contexts[std::to_string(row.context)] = std::move(kernels);
  }
  return contexts;
}

OrderedJson prefills_json(const ReplayReport& report) {
  OrderedJson rows = OrderedJson::array();
  for (const PrefillRow& row : report.prefills) {
    OrderedJson entry{{"cached", row.cached}, {"new_tokens", row.new_tokens}};
    for (const Role role : roles_of(report)) {
      const auto i = static_cast<std::size_t>(role);
      entry[name_of(role)] = {{"first_token_ms", or_null(row.first_token_ms[i])},
                              {"prefill_ms", or_null(row.prefill_ms[i])}};
    }
    rows.push_back(std::move(entry));
  }
  return rows;
}

OrderedJson batch_steps_json(const ReplayReport& report) {
  OrderedJson rows = OrderedJson::array();
  for (const BatchStepRow& row : report.batch_steps) {
    OrderedJson entry{{"sequences", row.sequences}, {"context", row.context}};
    for (const Role role : roles_of(report)) {
      entry[std::string(name_of(role)) + "_ms"] = or_null(row.milliseconds[static_cast<std::size_t>(role)]);
    }
    rows.push_back(std::move(entry));
  }
  return rows;
}

OrderedJson batches_json(const ReplayReport& report) {
  OrderedJson rows = OrderedJson::array();
  for (const BatchTimes& batch : report.batches) {
    rows.push_back({{"policy", key_of(batch.loop)},
                    {"batch", batch.batch},
                    {"runs", batch.runs},
                    {"tokens", batch.tokens},
                    {"seconds", batch.seconds},
                    {"one_by_one_s", or_null(one_by_one_seconds(report, batch))},
                    {"one_by_one_runs", records_of(report, batch.loop, false).size()}});
  }
  return rows;
}

}  // namespace

OrderedJson to_json(const ReplayReport& report) {
  OrderedJson rates = OrderedJson::array();
  for (const double bytes : report.read_bytes_per_second) rates.push_back(bytes / 1e12);
  OrderedJson seconds = OrderedJson::object();
  OrderedJson sources = OrderedJson::object();
  OrderedJson loops = OrderedJson::object();
  OrderedJson speculative_seconds = OrderedJson::object();
  OrderedJson speculative_loops = OrderedJson::object();
  for (const ReplayLoop loop : kReplayLoops) {
    const std::optional<WorkloadSeconds> mean = workload_seconds(report, loop);
    seconds[key_of(loop)] = mean ? OrderedJson(mean->mean) : OrderedJson();
    sources[key_of(loop)] =
        mean ? OrderedJson(mean->computed ? "computed from the target's steps" : "measured") : OrderedJson();
    const std::vector<ReplayRecord> records = records_of(report, loop, false);
    if (!records.empty()) loops[key_of(loop)] = loop_json(records);
    const std::optional<WorkloadSeconds> speculative = workload_seconds(report, loop, true);
    speculative_seconds[key_of(loop)] = speculative ? OrderedJson(speculative->mean) : OrderedJson();
    const std::vector<ReplayRecord> with = records_of(report, loop, true);
    if (!with.empty()) speculative_loops[key_of(loop)] = loop_json(with);
  }
  OrderedJson bytes = OrderedJson::object();
  for (const Role role : roles_of(report)) {
    const StepBytes& step = report.step_bytes[static_cast<std::size_t>(role)];
    bytes[name_of(role)] = {{"weights", step.weights}, {"kv_per_token", step.kv_per_token}};
  }
  OrderedJson memory = OrderedJson::array();
  for (const RankMemory& rank : report.memory) {
    memory.push_back({{"planned_bytes", rank.planned_bytes},
                      {"measured_bytes", rank.measured_bytes},
                      {"total_bytes", rank.total_bytes}});
  }
  return {{"timestamp", report.timestamp},
          {"target_model", report.target},
          {"speculative_model", report.draft ? OrderedJson(*report.draft) : OrderedJson()},
          {"ranks", report.ranks},
          {"device", report.device},
          {"read_tb_s", read_limit(report) / 1e12},
          {"read_tb_s_by_rank", std::move(rates)},
          {"step_bytes", std::move(bytes)},
          {"target_ms", step_json(report, Role::target)},
          {"draft_ms", report.draft ? step_json(report, Role::draft) : OrderedJson::object()},
          {"target_limit_ms", limit_json(report, Role::target)},
          {"draft_limit_ms", report.draft ? limit_json(report, Role::draft) : OrderedJson::object()},
          {"target_timeline", timeline_json(report, Role::target)},
          {"draft_timeline", report.draft ? timeline_json(report, Role::draft) : OrderedJson::object()},
          {"workload_s", std::move(seconds)},
          {"workload_s_source", std::move(sources)},
          {"speculative_workload_s", std::move(speculative_seconds)},
          {"workloads", report.workloads},
          {"prefill", prefills_json(report)},
          {"batch_steps", batch_steps_json(report)},
          {"batches", batches_json(report)},
          {"memory", std::move(memory)},
          {"memory_growth_bytes", report.memory_growth ? OrderedJson(*report.memory_growth) : OrderedJson()},
          {"policies", std::move(loops)},
          {"speculative_policies", std::move(speculative_loops)},
          {"settings", OrderedJson(report.settings)}};
}

}  // namespace specthink::inline replay
