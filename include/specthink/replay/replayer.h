// Executes replayed requests on an engine and takes their time. On rank 0.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "specthink/engine/engine.h"
#include "specthink/replay/random_ids.h"
#include "specthink/replay/report.h"
#include "specthink/replay/workload.h"

namespace specthink::inline replay {

class Replayer {
 public:
  struct Options {
    bool has_draft = false;
    std::int64_t vocab_size = 0;  ///< ids of prompts and injected words are below
    SamplingParams sampling;
    std::uint64_t seed = 0;
    std::array<StepBytes, 2> step_bytes;  ///< by Role
    double read_bytes_per_second = 0;     ///< of the slowest rank
    bool speculates = false;              ///< in runs, with the engine's proposers
    /// By workload: the text of the recorded run, prompt included, which takes the place of what is sampled. Behind its
    /// end come random tokens. Empty: everything is sampled.
    std::vector<TokenIds> texts;
    std::function<bool()> stop_requested;  ///< asked before each request
  };

  /// The engine must outlive this.
  Replayer(Engine& engine, const Options& options);

  /// Gives the cache back; nothing is replayed any more.
  void close() { engine_.close(sequence_); }

  // Each of these ends early when options.stop_requested() says so.

  /// Some requests of every kind, so that the first timed one does not pay for what libraries set up on first use.
  void warm_up();

  /// One run. None when a signal ended it.
  bool speculates() const { return options_.speculates; }
  std::optional<ReplayRecord> run(const Trace& trace, std::size_t workload, ReplayLoop loop);

  /// Decode steps of each model at some contexts: of three runs the median.
  std::vector<StepRow> measure_steps();

  /// Requests for one token after prompts and after catching up: of three the median.
  std::vector<PrefillRow> measure_prefills();

 private:
  TokenIds recorded_ids(std::size_t workload, std::size_t begin, std::int64_t count);
  Generation generate(Role role, Purpose purpose, std::span<const TokenId> prefix, std::int64_t tokens);
  std::optional<double> step_milliseconds(Role role, std::int64_t context);
  void measure_prefill(Role role, PrefillRow& row);
  std::vector<Role> roles() const;
  bool fits(std::int64_t tokens) const { return tokens <= engine_.capacity(); }

  Engine& engine_;
  int sequence_;  // has the whole cache
  Options options_;
  DrawKey draw_;
  RandomIds random_;
};

}  // namespace specthink::inline replay
