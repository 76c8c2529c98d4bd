#include "specthink/replay/batch.h"

#include <algorithm>
#include <array>
#include <utility>

#include "replay/figures.h"
#include "specthink/base/error.h"
#include "specthink/base/stopwatch.h"
#include "specthink/replay/random_ids.h"

namespace specthink::inline replay {
namespace {

constexpr std::array<std::int64_t, 2> kBatchContexts{1024, 4096};
constexpr int kFewestSequences = 8;
constexpr int kBatchSteps = 50;
constexpr int kBatchRepeats = 3;

class ReplaySchedule final : public Schedule {
 public:
  ReplaySchedule(std::vector<ReplayRequest> requests, TokenIds prompt, std::function<TokenIds(std::int64_t)> words)
      : requests_(std::move(requests)), words_(std::move(words)), prompt_size_(prompt.size()), ids_(std::move(prompt)) {
    proceed();
  }

  const Request* request() const override { return request_ ? &*request_ : nullptr; }

  void resume(std::span<const TokenId> ids, EndReason, const Measured&) override {
    const ReplayRequest& asked = requests_[next_ - 1];
    const Origin origin = request_->role == Role::target ? Origin::target : Origin::draft;
    check(asked.reads || std::cmp_equal(ids.size(), asked.tokens), "a request without a stop is answered in full");
    if (!asked.reads) append(ids.first(static_cast<std::size_t>(asked.kept)), origin);
    proceed();
  }

  void interrupt() override {
    request_.reset();
    finish_reason_ = FinishReason::interrupted;
  }

  std::span<const TokenId> settled_ids() const override { return std::span(ids_).subspan(prompt_size_); }
  std::span<const Origin> settled_origins() const override { return origins_; }
  std::span<const float> settled_logprobs() const override { return {}; }
  std::span<const TextPiece> settled_text() const override { return {}; }

  RunResult result() const override {
    RunResult result;
    result.ids.assign(settled_ids().begin(), settled_ids().end());
    result.origins = origins_;
    result.finish_reason = finish_reason_;
    return result;
  }

 private:
  void append(std::span<const TokenId> ids, Origin origin) {
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    origins_.insert(origins_.end(), ids.size(), origin);
  }

  /// To the next request of a model.
  void proceed() {
    request_.reset();
    while (next_ < requests_.size() && !requests_[next_].purpose)
      append(words_(requests_[next_++].tokens), Origin::injected);
    if (next_ == requests_.size()) return;
    const ReplayRequest& asked = requests_[next_++];
    Request& request = request_.emplace();
    request.role = role_of(*asked.purpose);
    request.purpose = *asked.purpose;
    request.prefix = ids_;
    request.max_tokens = asked.tokens;
    if (!asked.reads) return;
    read_ = words_(asked.tokens);
    request.suffix = read_;
    request.read_ids = std::span(&any_id_, 1);
  }

  std::vector<ReplayRequest> requests_;
  std::function<TokenIds(std::int64_t)> words_;
  std::size_t prompt_size_;
  std::size_t next_ = 0;  // request behind the one that waits
  TokenIds ids_;          // prompt and text
  std::vector<Origin> origins_;
  TokenIds read_;
  TokenId any_id_ = 0;
  std::optional<Request> request_;
  FinishReason finish_reason_ = FinishReason::length;
};

}  // namespace

std::unique_ptr<Schedule> make_replay_schedule(std::vector<ReplayRequest> requests, TokenIds prompt,
                                               std::function<TokenIds(std::int64_t count)> words) {
  return std::make_unique<ReplaySchedule>(std::move(requests), std::move(prompt), std::move(words));
}

std::optional<BatchTimes> BatchReplayer::run(std::span<const Trace> traces, std::span<const std::size_t> selected,
                                             ReplayLoop loop) {
  BatchTimes times;
  times.loop = loop;
  times.batch = options_.batch.runs;
  std::size_t begun = 0;
  const Stopwatch watch;
  run_schedules(engine_, options_.batch, [&]() -> std::optional<ScheduledRun> {
    if (begun == selected.size() || options_.stop_requested()) return std::nullopt;
    const std::size_t workload = selected[begun++];
    const Trace& trace = traces[workload];
    RandomIds random(options_.seed + workload, options_.vocab_size);
    ScheduledRun run;
    run.setup.ignore_eos = true;
    run.setup.prompt = random.take(trace.prompt_tokens);
    run.setup.max_model_len = static_cast<int>(replay_context(trace, loop));
    run.setup.max_tokens = run.setup.max_model_len - trace.prompt_tokens;
    run.make = [requests = replay_requests(trace, loop), random](RunSetup setup) mutable {
      return make_replay_schedule(std::move(requests), std::move(setup.prompt),
                                  [random](std::int64_t count) mutable { return random.take(count); });
    };
    run.options.sampling = options_.sampling;
    run.options.draw = {options_.seed, static_cast<std::uint32_t>(trace.problem),
                        static_cast<std::uint32_t>(trace.run)};
    run.options.speculates = false;
    run.options.interrupted = options_.stop_requested;
    run.done = [&times](const EngineRun& ended) {
      if (ended.result.finish_reason == FinishReason::interrupted) return;
      times.runs += 1;
      times.tokens += static_cast<std::int64_t>(ended.result.ids.size());
    };
    return run;
  });
  times.seconds = watch.seconds();
  return times.runs == selected.size() ? std::optional(times) : std::nullopt;
}

std::optional<double> BatchReplayer::step_milliseconds(Role role, int sequences, std::int64_t context) {
  const std::int64_t tokens = context + kBatchSteps + 1;
  if (sequences > engine_.max_sequences_of_step(role)) return std::nullopt;
  if (engine_.num_free_pages() < sequences * pages_for(tokens)) return std::nullopt;
  RandomIds random(options_.seed, options_.vocab_size);
  std::vector<int> slots;
  std::vector<TokenIds> texts;
  Request request;
  request.role = role;
  request.purpose = role == Role::draft ? Purpose::segment : Purpose::takeover;
  const RequestOptions options{
      .sampling = options_.sampling, .draw = {options_.seed, 0, 0}, .ignore_eos = true, .speculates = false};
  for (int i = 0; i < sequences; ++i) {
    slots.push_back(engine_.open(tokens).value());
    request.prefix = texts.emplace_back(random.take(context));
    request.max_tokens = 1;
    engine_.generate(slots.back(), request, options);
  }
  std::vector<double> milliseconds;
  for (int repeat = 0; repeat < kBatchRepeats && !options_.stop_requested(); ++repeat) {
    request.max_tokens = kBatchSteps;
    for (std::size_t i = 0; i < slots.size(); ++i) {
      request.prefix = texts[i];
      engine_.start(slots[i], request, options);
    }
    std::vector<int> waiting = slots;
    PhaseTimes times;
    while (!waiting.empty()) {
      for (const int ended : engine_.run(waiting)) {
        std::erase(waiting, ended);
        times = engine_.take(ended).times;  // each waits for all of them
      }
    }
    milliseconds.push_back(times.milliseconds_per_step());
  }
  for (const int slot : slots) engine_.close(slot);
  return median(std::move(milliseconds), kBatchRepeats);
}

std::vector<BatchStepRow> BatchReplayer::measure_steps() {
  std::vector<BatchStepRow> rows;
  for (const std::int64_t context : kBatchContexts) {
    int sequences = std::min(kFewestSequences, options_.batch.runs);
    while (true) {
      BatchStepRow row{sequences, context, {}};
      for (const Role role : {Role::target, Role::draft}) {
        if (options_.stop_requested() || (role == Role::draft && !options_.has_draft)) continue;
        row.milliseconds[static_cast<std::size_t>(role)] = step_milliseconds(role, sequences, context);
      }
      rows.push_back(row);
      if (sequences == options_.batch.runs) break;
      sequences = std::min(2 * sequences, options_.batch.runs);
    }
  }
  return rows;
}

}  // namespace specthink::inline replay
