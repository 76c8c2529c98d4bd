// Executes commands on every rank of a group: the sequence, the two models' caches, the decode loop, sampling.
//
// Rank 0 calls generate() and score(); each broadcasts one command, and every rank executes it and reaches the same
// tokens without a further message. The other ranks sit in serve().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "specthink/base/end_reason.h"
#include "specthink/base/types.h"
#include "specthink/comm/collectives.h"
#include "specthink/comm/process_group.h"
#include "specthink/engine/sampling.h"
#include "specthink/kernels/decode_step.h"
#include "specthink/model/memory_plan.h"
#include "specthink/model/transformer.h"
#include "specthink/schedule/schedule.h"

namespace specthink {

struct Command;

/// One model's work, summed over requests.
struct PhaseTimes {
  std::int64_t prefilled = 0;  ///< positions run in steps of more than one row
  double prefill_seconds = 0;
  std::int64_t decode_steps = 0;  ///< one-row steps
  double decode_seconds = 0;      ///< of these steps, sampling and host work included

  PhaseTimes& operator+=(const PhaseTimes& other);
  double milliseconds_per_step() const {
    return decode_steps ? 1e3 * decode_seconds / static_cast<double>(decode_steps) : 0;
  }
};

struct Generation {
  TokenIds ids;
  EndReason reason = EndReason::length;
  PhaseTimes times;
};

class Engine {
 public:
  struct Model {
    Transformer* transformer = nullptr;         ///< null: there is no such model
    TokenIds eos_ids;                           ///< end a request of this model
    std::int64_t prefill_rows = kPrefillChunk;  ///< of a prefill step at most
  };
  struct Options {
    std::int64_t vocab_size = 0;  ///< ids from here on are never sampled: what the smaller embedding holds
    int check_interval = 64;      ///< commands between comparisons of the ranks' state
    bool decode_kernels = true;   ///< use them where they can run a model; else LibTorch operators alone
    AllReduce all_reduce = AllReduce::automatic;  ///< of the decode kernels
    double wait_limit_seconds = 300;              ///< of the decode kernels, for another rank
  };

  /// Group, collectives and models must outlive the engine.
  Engine(const ProcessGroup& group, Collectives& collectives, Model target, Model draft, const Options& options);
  ~Engine();

  /// Rank 0: the table of the triggers that requests stop at. Workers know nothing of text.
  void install_stop_table(const StopTable& table);

  /// Rank 0: continues request.prefix. What the caches hold of it already is used: only the difference to the last
  /// request is sent and prefilled. `sink` sees each token as it is sampled.
  Generation generate(const Request& request, const SamplingParams& sampling, const DrawKey& key, bool ignore_eos,
                      const std::function<void(TokenId)>& sink = {});

  /// Rank 0: log-probability of ids[i+1] after ids[0..i], for every i.
  std::vector<float> score(Role role, std::span<const TokenId> ids);

  /// Rank 0: forgets the sequence, so that the next request prefills from its start.
  void reset();

  /// Rank 0: serve() of the other ranks returns this exit code.
  void shutdown(int exit_code);

  /// Other ranks: executes rank 0's commands until shutdown.
  int serve();

  /// True while a command is being executed: the other ranks may wait in a collective for this one.
  bool busy() const { return busy_; }

  /// Tokens that the smaller cache holds.
  std::int64_t capacity() const;

  /// How the model decodes, for the log: "decode kernels, fused all-reduce", or why not.
  std::string decode_path(Role role);

 private:
  struct ModelState {
    Model model;
    std::int64_t cached = 0;           // leading ids whose keys and values are in the cache
    std::unique_ptr<DecodeStep> step;  // null: LibTorch operators
    std::string obstacle;              // why it is null
  };

  void send(Command& command, std::span<const TokenId> payload);
  void make_step(ModelState& state);
  Generation execute_generate(const Command& command, const std::function<void(TokenId)>& sink);
  void generate_by_operators(ModelState& state, const Command& command, Generation& generation,
                             const std::function<void(TokenId)>& sink);
  void generate_by_steps(ModelState& state, const Command& command, Generation& generation,
                         const std::function<void(TokenId)>& sink);
  std::vector<float> execute_score(const Command& command);
  void receive_stop_table(const Command& command);
  void update_sequence(const Command& command, std::span<const TokenId> payload);
  at::Tensor prefill(ModelState& state, int slot);
  at::Tensor catch_up(ModelState& state, int slot, PhaseTimes& times);
  TokenId pick(const Transformer& model, const at::Tensor& hidden, const SamplingParams& sampling, double draw);
  void compare_ranks(const Command& command, int reason);
  ModelState& state_of(Role role);

  const ProcessGroup& group_;
  Collectives& collectives_;
  Options options_;
  ModelState target_;
  ModelState draft_;
  TokenIds ids_;                             // the one token list that both models follow
  std::vector<std::uint16_t> stop_entries_;  // StopTable::entries()
  std::size_t stop_vocab_ = 0;
  std::uint64_t serial_ = 0;
  bool busy_ = false;
};

}  // namespace specthink
