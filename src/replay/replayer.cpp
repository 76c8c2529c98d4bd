#include "specthink/replay/replayer.h"

#include <algorithm>

#include "replay/figures.h"
#include "specthink/base/error.h"
#include "specthink/base/stopwatch.h"
#include "specthink/kernels/limits.h"

namespace specthink::inline replay {
namespace {

constexpr std::array<std::int64_t, 4> kStepContexts{1024, 4096, 8192, 16384};
constexpr std::int64_t kSteps = 100;
constexpr int kRepeats = 3;
constexpr int kRepeatsOfStep = 15;  // of a single step, whose time varies more

struct PrefillCase {
  std::int64_t cached;
  std::int64_t new_tokens;
};
// Verification steps of 2 to 16 rows, the catching up that recorded runs need most, and prompts.
constexpr PrefillCase kPrefills[] = {{1024, 2},  {1024, 4},   {1024, 8}, {1024, 16},
                                     {8192, 20}, {8192, 120}, {0, 1024}, {0, 16384}};

}  // namespace

Replayer::Replayer(Engine& engine, const Options& options)
    : engine_(engine),
      sequence_(engine.open(engine.capacity()).value()),
      options_(options),
      draw_{options.seed, 0, 0},
      random_(options.seed, options.vocab_size) {
  check(options.vocab_size > 0, "a replay has ids to choose from");
  check(options.stop_requested != nullptr, "a replay can be told to stop");
}

/// Part of the recorded text; random tokens where there is none.
TokenIds Replayer::recorded_ids(std::size_t workload, std::size_t begin, std::int64_t count) {
  TokenIds ids;
  if (!options_.texts.empty()) {
    const TokenIds& text = options_.texts[workload];
    const std::size_t end = std::min(text.size(), begin + static_cast<std::size_t>(count));
    if (begin < end)
      ids.assign(text.begin() + static_cast<std::ptrdiff_t>(begin), text.begin() + static_cast<std::ptrdiff_t>(end));
  }
  const TokenIds rest = random_.take(count - static_cast<std::int64_t>(ids.size()));
  ids.insert(ids.end(), rest.begin(), rest.end());
  return ids;
}

std::vector<Role> Replayer::roles() const {
  std::vector<Role> roles{Role::target};
  if (options_.has_draft) roles.push_back(Role::draft);
  return roles;
}

Generation Replayer::generate(Role role, Purpose purpose, std::span<const TokenId> prefix, std::int64_t tokens) {
  Request request;
  request.role = role;
  request.purpose = purpose;
  request.prefix = prefix;
  request.max_tokens = static_cast<int>(tokens);
  return engine_.generate(sequence_, request,
                          {.sampling = options_.sampling, .draw = draw_, .ignore_eos = true, .speculates = false});
}

void Replayer::warm_up() {
  constexpr std::int64_t kTokens = 24;
  engine_.reset(sequence_);
  TokenIds text = random_.take(std::min<std::int64_t>(kTokens, engine_.capacity() / 8));
  for (int turn = 0; turn < 2; ++turn) {
    for (const Role role : roles()) {
      if (options_.stop_requested()) return;
      const Purpose purpose = role == Role::draft ? Purpose::segment : Purpose::takeover;
      const std::int64_t room = engine_.capacity() - static_cast<std::int64_t>(text.size());
      if (room < 1) return;
      const TokenIds ids = generate(role, purpose, text, std::min(kTokens, room)).ids;
      text.insert(text.end(), ids.begin(), ids.end());
    }
  }
}

std::optional<ReplayRecord> Replayer::run(const Trace& trace, std::size_t workload, ReplayLoop loop) {
  ReplayRecord record;
  record.loop = loop;
  record.workload = workload;
  record.problem = trace.problem;
  record.run = trace.run;
  record.speculates = options_.speculates;
  record.prompt_tokens = trace.prompt_tokens;
  const std::vector<ReplayRequest> requests = replay_requests(trace, loop);
  draw_ = {options_.seed, static_cast<std::uint32_t>(trace.problem), static_cast<std::uint32_t>(trace.run)};
  random_ = {options_.seed + workload, options_.vocab_size};  // a run has the same ids whichever runs came before
  engine_.reset(sequence_);
  TokenIds text = recorded_ids(workload, 0, trace.prompt_tokens);

  std::optional<Role> previous;
  const Stopwatch run_watch;
  for (const ReplayRequest& asked : requests) {
    if (options_.stop_requested()) return std::nullopt;
    if (!asked.purpose) {
      const TokenIds words = recorded_ids(workload, text.size(), asked.tokens);
      text.insert(text.end(), words.begin(), words.end());
      record.times.tokens += asked.tokens;
      continue;
    }
    Request request;
    request.role = role_of(*asked.purpose);
    request.purpose = *asked.purpose;
    request.prefix = text;
    request.max_tokens = asked.tokens;
    TokenIds read;
    const TokenId any_id = 0;
    if (asked.reads) {
      read = random_.take(asked.tokens);
      request.suffix = read;
      request.read_ids = std::span(&any_id, 1);
    }
    RequestTiming timing;
    timing.role = request.role;
    timing.prefix = static_cast<std::int64_t>(text.size());
    timing.tokens = asked.reads ? 0 : asked.tokens;
    const bool crosses =
        !asked.reads && context_bucket(timing.prefix) != context_bucket(timing.prefix + timing.tokens - 1);
    const Stopwatch watch;
    TokenSink sink;
    if (crosses) sink = [&](TokenId, float) { timing.token_seconds.push_back(watch.seconds()); };
    TokenIds forced;
    if (!options_.texts.empty() && !asked.reads) forced = recorded_ids(workload, text.size(), asked.tokens);
    const RequestOptions options{.sampling = options_.sampling,
                                 .draw = draw_,
                                 .ignore_eos = true,
                                 .speculates = options_.speculates,
                                 .forced = forced};
    const Generation generation = engine_.generate(sequence_, request, options, sink);
    timing.seconds = watch.seconds();
    check(std::cmp_equal(generation.ids.size(), timing.tokens), "a request without a stop is answered in full");
    timing.prefilled = generation.times.prefilled;
    timing.prefill_seconds = generation.times.prefill_seconds;
    timing.decode_steps = generation.times.decode_steps;
    timing.decode_seconds = generation.times.decode_seconds;
    timing.proposal_steps = generation.times.proposal_steps;
    timing.proposal_seconds = generation.times.proposal_seconds;
    timing.ngram = generation.ngram;
    timing.draft_model = generation.draft_model;
    text.insert(text.end(), generation.ids.begin(), generation.ids.begin() + asked.kept);
    record.times.tokens += asked.kept;
    record.times.add(timing, previous ? &*previous : nullptr,
                     options_.step_bytes[static_cast<std::size_t>(request.role)], options_.read_bytes_per_second);
    previous = request.role;
  }
  record.times.seconds = run_watch.seconds();
  check(record.times.tokens == trace.completion_tokens, "a replay keeps as many tokens as were recorded");
  return record;
}

std::optional<double> Replayer::step_milliseconds(Role role, std::int64_t context) {
  if (!fits(context + kSteps)) return std::nullopt;
  const Purpose purpose = role == Role::draft ? Purpose::segment : Purpose::takeover;
  engine_.reset(sequence_);
  const TokenIds text = random_.take(context);
  generate(role, purpose, text, 1);
  std::vector<double> milliseconds;
  for (int repeat = 0; repeat < kRepeats && !options_.stop_requested(); ++repeat) {
    const PhaseTimes times = generate(role, purpose, text, kSteps).times;
    if (times.decode_steps > 0) milliseconds.push_back(times.milliseconds_per_step());
  }
  return median(std::move(milliseconds), kRepeats);
}

std::vector<StepRow> Replayer::measure_steps() {
  std::vector<StepRow> rows;
  for (const std::int64_t context : kStepContexts) {
    StepRow row{context, {}, {}};
    for (const Role role : roles()) {
      if (options_.stop_requested()) continue;
      const auto index = static_cast<std::size_t>(role);
      row.milliseconds[index] = step_milliseconds(role, context);
      if (row.milliseconds[index]) row.kernels[index] = kernel_shares(engine_.step_timeline(role));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

void Replayer::measure_prefill(Role role, PrefillRow& row) {
  // In a run decode steps come before new text. Right after a prompt, which takes all the power there is, clocks are
  // low for about 100 ms.
  const std::int64_t steps_before = row.cached > 0 ? kSteps : 0;
  if (!fits(row.cached + std::max(row.new_tokens + 1, steps_before))) return;
  const Purpose purpose = role == Role::draft ? Purpose::segment : Purpose::takeover;
  const TokenIds cached = random_.take(row.cached);
  engine_.reset(sequence_);
  if (steps_before > 0) generate(role, purpose, cached, steps_before);
  std::vector<double> first_token;
  std::vector<double> prefill;
  // The first one is not timed: matrix products of a new size are set up in it.
  const int repeats = row.new_tokens <= kMaxStepRows ? kRepeatsOfStep : kRepeats;
  for (int repeat = 0; repeat <= repeats && !options_.stop_requested(); ++repeat) {
    if (cached.empty()) engine_.reset(sequence_);
    TokenIds text = cached;
    const TokenIds added = random_.take(row.new_tokens);
    text.insert(text.end(), added.begin(), added.end());
    const Stopwatch watch;
    const PhaseTimes times = generate(role, purpose, text, 1).times;
    if (repeat == 0) continue;
    first_token.push_back(1e3 * watch.seconds());
    prefill.push_back(1e3 * times.prefill_seconds);
  }
  row.first_token_ms[static_cast<std::size_t>(role)] = median(std::move(first_token), kRepeats);
  row.prefill_ms[static_cast<std::size_t>(role)] = median(std::move(prefill), kRepeats);
}

std::vector<PrefillRow> Replayer::measure_prefills() {
  std::vector<PrefillRow> rows;
  for (const auto& [cached, new_tokens] : kPrefills) {
    PrefillRow row{cached, new_tokens, {}, {}};
    for (const Role role : roles()) measure_prefill(role, row);
    rows.push_back(row);
  }
  return rows;
}

}  // namespace specthink::inline replay
