// Executes commands on every rank of a group: sequences, the two models' caches, requests, sampling.
//
// Rank 0 opens sequences and runs requests of them; each call broadcasts one command, and every rank executes it and
// reaches the same tokens without a further message. The other ranks sit in serve().
//
//   const int sequence = engine.open(tokens).value();
//   const Generation generation = engine.generate(sequence, request, sampling, draw, ignore_eos);
//   engine.close(sequence);
//
// Several sequences share steps: start() a request of each, then run() them until the first one ends.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "specthink/base/end_reason.h"
#include "specthink/base/types.h"
#include "specthink/comm/collectives.h"
#include "specthink/comm/process_group.h"
#include "specthink/engine/decoder.h"
#include "specthink/engine/sampling.h"
#include "specthink/engine/speculation.h"
#include "specthink/model/memory_plan.h"
#include "specthink/model/page_allocator.h"
#include "specthink/model/transformer.h"
#include "specthink/schedule/schedule.h"

namespace specthink::inline engine {

struct ClosedSequence;
struct CommandHeader;
struct DraftProposer;
struct RowWork;
struct Sequence;
class Speculator;

/// One model's work for a sequence, summed over requests. A step that several sequences share counts for each of them
/// with its whole time: that is how long the sequence waited for it.
struct PhaseTimes {
  std::int64_t prefilled = 0;  ///< positions run in steps of more than one row of the sequence
  double prefill_seconds = 0;
  std::int64_t decode_steps = 0;  ///< with one row of the sequence, and the rows of what is proposed behind it
  double decode_seconds = 0;      ///< of these steps, sampling and host work included

  // Of the draft, where it proposes for requests to the target.
  std::int64_t proposal_prefilled = 0;  ///< positions that it caught up on, beyond one a step
  std::int64_t proposal_steps = 0;
  double proposal_seconds = 0;

  PhaseTimes& operator+=(const PhaseTimes& other);
  double milliseconds_per_step() const {
    return decode_steps ? 1e3 * decode_seconds / static_cast<double>(decode_steps) : 0;
  }
};

/// Sees tokens as they are sampled, each with its log-probability where the request asks for statistics.
using TokenSink = std::function<void(TokenId id, float logprob)>;

struct Generation {
  TokenIds ids;
  EndReason reason = EndReason::length;
  PhaseTimes times;
  int steps = 0;  ///< that gave its tokens, that of a prefill included
  ProposalCounts ngram;
  ProposalCounts draft_model;
  Measured measured;  ///< what the request asks for besides tokens
};

/// How a request is answered.
struct RequestOptions {
  SamplingParams sampling{};
  DrawKey draw{};
  bool ignore_eos = false;
  bool speculates = true;             ///< with the proposers that the engine has; changes no token
  std::span<const TokenId> forced{};  ///< emitted instead of what is sampled: max_tokens ids; empty: none
};

/// What a model's decode steps are made of.
struct StepChoice {
  std::optional<StepKernels> kernels;  ///< nothing: LibTorch operators
  std::string obstacle;                ///< why it is not the kernels for Hopper
  int max_rows = kMaxStepRows;         ///< of a step
};

/// Collective.
StepChoice choose_step_kernels(const LoadedShard& shard, DecodeKernels wanted, const ProcessGroup& group);

class Engine {
 public:
  struct Model {
    Transformer* transformer = nullptr;         ///< null: there is no such model
    TokenIds eos_ids;                           ///< end a request of this model
    std::int64_t prefill_rows = kPrefillChunk;  ///< of a prefill step at most
    std::int64_t vocab_size = 0;                ///< as Options::vocab_size, where the models' tokenizers differ
  };
  struct Options {
    std::int64_t vocab_size = 0;  ///< ids from here on are never sampled: what the smaller embedding holds
    int check_interval = 64;      ///< commands between comparisons of the ranks' state
    DecodeKernels decode_kernels = DecodeKernels::automatic;
    bool step_timeline = false;  ///< record it, where the decode kernels can
    AllReduce all_reduce = AllReduce::automatic;  ///< of the decode kernels
    double wait_limit_seconds = 300;              ///< of the decode kernels, for another rank
    SpeculationOptions speculation{};
    double forced_acceptance = 1;      ///< of the draft's proposals where tokens are forced
    int max_sequences = kMaxStepRows;  ///< at a time
    /// What the caches have of a closed sequence stays while nobody needs its pages: a sequence that begins with the
    /// same ids does not prefill them.
    bool keeps_prefixes = false;
  };

  /// Group, collectives and models must outlive the engine.
  Engine(const ProcessGroup& group, Collectives& collectives, Model target, Model draft, const Options& options);
  ~Engine();

  // --- Rank 0

  /// Gives every rank a table that requests stop at (Request::stops), once. It must outlive these requests. Workers
  /// know nothing of text.
  void install_stop_table(const StopTable& table);

  /// A new sequence of up to `tokens` ids, or none while other sequences hold the room that it needs; of one model
  /// alone where each has ids of its own. Throws InternalError for more tokens than capacity().
  std::optional<int> open(std::int64_t tokens, std::optional<Role> alone = {});

  /// The same with pages for `reserved` ids at first: reserve() is called before more are written.
  std::optional<int> open(std::int64_t tokens, std::int64_t reserved, std::optional<Role> alone);

  /// Sees to it that the sequence's pages hold `tokens` ids; false while other sequences hold too many.
  bool reserve(int sequence, std::int64_t tokens);

  /// Gives back the sequence's pages. Its ids stay, and what is under way goes on after reserve(): the cache is
  /// prefilled again.
  void evict(int sequence);

  /// Ids of the sequence, of a request that has not begun those that it continues.
  std::int64_t length(int sequence) const;
  bool has_pages(int sequence) const;

  /// That every model has, those of closed sequences included.
  std::int64_t num_free_pages() const;

  /// Gives back what the sequence holds; a request of it that has not ended is dropped.
  void close(int sequence);

  /// Forgets the ids of the sequence, so that the next request prefills from its start.
  void reset(int sequence);

  /// Begins a request: continues request.prefix, or reads request.suffix behind it and forgets that again. What the
  /// caches hold already of the prefix is used. The sequence has no other request under way. `sink` sees each token as
  /// it is sampled, but one that max_entropy refuses.
  void start(int sequence, const Request& request, const RequestOptions& options, TokenSink sink = {});

  /// Runs requests of one model, started and not ended, in steps that they share, until at least one has ended; returns
  /// the sequences of those that have. At most max_sequences_of_step(). Requests that sample in a way that the first
  /// one's decoder does not have are left waiting. It returns with none that has ended where a sequence has no room for
  /// another step, or at a limit.
  struct RunLimits {
    int max_steps = 0;             ///< 0: none
    std::int64_t max_prefill = 0;  ///< positions of each new request that are prefilled; 0: all
  };
  std::vector<int> run(std::span<const int> sequences, const RunLimits& limits);
  std::vector<int> run(std::span<const int> sequences) { return run(sequences, {}); }

  /// What the steps of the last run() cost, by the table that set_step_costs() has set; a prefill counts as a step.
  double cost_of_last_run() const { return cost_of_last_run_; }

  /// The answer of a request that has ended; once.
  Generation take(int sequence);

  /// Drops a request that has not ended; what it has written so far.
  Generation withdraw(int sequence);

  /// start(), run() and take() of one sequence.
  Generation generate(int sequence, const Request& request, const RequestOptions& options, TokenSink sink = {});

  /// Sets the costs that the number of proposals is chosen by, on every rank.
  void set_step_costs(const StepCosts& costs);

  /// Log-probability of ids[i+1] after ids[0..i], for every i. Needs room for a sequence of them. `margins`, if given,
  /// takes the probability of the likeliest token there minus that of the second.
  std::vector<float> score(Role role, std::span<const TokenId> ids, std::vector<float>* margins = nullptr);

  /// serve() of the other ranks returns this exit code.
  void shutdown(int exit_code);

  // --- Other ranks

  /// Executes rank 0's commands until shutdown.
  int serve();

  // --- Every rank

  /// True while a command is being executed: the other ranks may wait in a collective for this one.
  bool busy() const { return busy_; }

  /// Tokens that a sequence can have when it is the only one.
  std::int64_t capacity() const;

  int max_sequences() const { return options_.max_sequences; }
  /// That a step of the model takes at most: max_sequences(), or where it takes no batches kMaxStepRows.
  int max_sequences_of_step(Role role) const;

  /// How the model decodes, for the log: "decode kernels, fused all-reduce", or why not.
  std::string decode_path(Role role) const;
  /// Nothing: operators alone.
  std::optional<StepKernels> decode_kernels(Role role) const;

  /// The kernels of this rank's last step of one row; empty where they are not recorded.
  std::vector<KernelTimes> step_timeline(Role role) const;

 private:
  struct ModelState;

  void send(CommandHeader& header, std::span<const RowWork> works = {}, std::span<const TokenId> payload = {});
  void execute(const CommandHeader& header, std::span<const RowWork> works, std::span<const TokenId> payload);
  void make_graph_decoder(ModelState& state);
  void open_sequence(const CommandHeader& header);
  void reserve_pages(int slot, std::int64_t tokens);
  void release_pages(Sequence& sequence);
  void share_pages(const CommandHeader& header);
  void close_sequence(int slot, bool keeps);
  void forget_oldest();
  std::int64_t available_pages(Role role) const;
  bool free_pages(const std::array<std::int64_t, 2>& needed);
  std::int64_t missing_pages(const Sequence& sequence, Role role, std::int64_t tokens) const;
  bool share_prefix(int slot, std::span<const int> beginning);
  std::int64_t missing_positions(const Sequence& sequence) const;
  const Sequence& sequence(int slot) const;
  void receive_stop_table(const CommandHeader& header);
  void start_requests(const CommandHeader& header, std::span<const RowWork> works, std::span<const TokenId> payload);
  void fill_cache(Sequence& sequence, Role role, std::int64_t max_prefill);
  void run_requests(const CommandHeader& header, std::span<const RowWork> works);
  static void forget_reading(Sequence& own, Decoder& decoder);
  DraftProposer draft_proposer(Role role, const RowWork& work) const;
  void execute_score(const CommandHeader& header, std::span<const TokenId> ids);
  void compare_ranks(std::span<const RowWork> works) const;
  Decoder& decoder_of(ModelState& state, const RowWork& work) const;
  StepRequest step_request(const ModelState& state, const RowWork& work) const;
  int stop_table_id(const StopTable& table) const;
  Sequence& sequence(int slot);
  ModelState& state_of(Role role) const;
  std::vector<std::pair<Role, ModelState*>> models() const;

  const ProcessGroup& group_;
  Collectives& collectives_;
  Options options_;
  std::unique_ptr<ModelState> target_;
  std::unique_ptr<ModelState> draft_;  // null: there is none
  std::unique_ptr<Speculator> speculator_;
  std::vector<Sequence> sequences_;            // by slot
  std::vector<ClosedSequence> closed_;         // the longest unused first
  std::vector<std::uint16_t> stop_entries_;    // of the table that is being installed
  std::vector<const StopTable*> stop_tables_;  // rank 0: those installed, by id
  std::uint64_t serial_ = 0;
  std::vector<float> scores_;   // of the last score command
  std::vector<float> margins_;  // of the last one that asked for them
  bool busy_ = false;
  double cost_of_last_run_ = 0;
};

}  // namespace specthink::inline engine
