// A decode step of one model as one CUDA graph: the rows' tokens in, the next tokens out, without the host.
//
// A step takes up to 16 rows of any number of sequences, or 128 where it is built for batches. Each sequence has a
// slot, whose token, position, stop state and random counter live on the device; the host enqueues steps ahead and
// reads results behind. Each rank of the group makes the same calls, and all of them choose the same tokens. CUDA
// builds only.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "specthink/base/end_reason.h"
#include "specthink/base/purpose.h"
#include "specthink/base/sampling_params.h"
#include "specthink/base/token_statistics.h"
#include "specthink/base/types.h"
#include "specthink/comm/collectives.h"
#include "specthink/comm/process_group.h"
#include "specthink/config/settings.h"
#include "specthink/kernels/limits.h"
#include "specthink/kernels/loaded_shard.h"

namespace specthink::inline kernels {

/// A kernel of a step on the device's clock, in nanoseconds: when its first block started, when the kernel before it
/// had ended, when the block was done, and stages in between (linear layer: x ready, weights read; attention: queries
/// ready, tiles done, shares received; choose: candidates sent, received, weighted); 0 where a kernel has no such
/// stage.
struct KernelTimes {
  std::string name;
  std::uint64_t started = 0;
  std::uint64_t released = 0;
  std::uint64_t ended = 0;
  std::array<std::uint64_t, 3> stages{};
};

/// What a step's linear layers and attention are made of.
enum class StepKernels {
  hopper,    ///< bulk copies, clusters, dependent launches
  portable,  ///< plain kernels for any GPU, and LibTorch's products of several rows
};

/// Why the kernels cannot run this model; empty when they can. CPU builds never can.
std::string step_obstacle(const LoadedShard& model, StepKernels kernels);

/// Why a step of this model has no more than kMaxStepRows rows; empty when it may have kMaxBatchRows. The model has no
/// step_obstacle().
std::string batch_obstacle(const LoadedShard& model, StepKernels kernels);

/// What a request samples with.
struct StepSampling {
  SamplingParams params;
  DrawKey draw;
  Purpose purpose = Purpose::segment;
  std::int64_t vocab_limit = 0;  ///< ids from here on are never sampled; at least 1
};

/// A request of one sequence, as its slot keeps it on the device. Its first tokens are those of the first set_rows().
struct StepRequest {
  std::int64_t position = 0;         ///< where the first token of the first step stands; the cache holds all before
  std::int32_t max_tokens = 0;       ///< at least 1
  std::int32_t min_tokens = 0;       ///< a trigger that an earlier token completes does not end the request; EOS does
  std::span<const TokenId> eos_ids;  ///< at most kMaxEosIds
  int stop_table = -1;               ///< id of set_stop_table(); -1: triggers do not end the request
  std::uint32_t stop_state = 0;
  StepSampling sampling;
  TokenId stop_token = -1;                                     ///< ends the request wherever it stands; -1: none does
  float max_entropy = std::numeric_limits<float>::infinity();  ///< of the raw distribution: more ends the request
  bool statistics = false;                                     ///< wanted of each token
  std::span<const TokenId> read_ids;  ///< not empty: the request wants their log-probabilities, and no token
  std::span<const TokenId> forced;    ///< emitted instead of what is sampled: at least max_tokens; empty: nothing is
};

/// The rows of one sequence in the coming step.
struct StepRows {
  int slot = 0;
  /// Consecutive tokens whose keys and values the cache lacks: the first has the position at which the slot goes on.
  /// Empty: one row, the token that the slot's last step emitted last.
  std::span<const TokenId> tokens;
  /// The last `proposals` tokens are proposed, fewer than tokens.size(). A step samples behind the last token, and with
  /// proposals behind the one before them and behind each. It emits what it samples in order, up to the first token
  /// that differs from the proposal at its position, that one included; an end (eos, trigger, length) stops there. The
  /// slot goes on with the token emitted last, at the position that it has.
  int proposals = 0;
};

/// A token that a step has emitted.
struct StepToken {
  TokenId id = 0;
  std::optional<EndReason> end;  ///< the request ends with this token
  bool more = false;             ///< the same step has emitted the next token, too
  TokenStatistics statistics{};  ///< where they, or a limit of the entropy, are asked for
};

class DecodeStep {
 public:
  struct Options {
    StepKernels kernels = StepKernels::hopper;
    AllReduce all_reduce = AllReduce::automatic;
    double wait_limit_seconds = 300;  ///< for another rank
    int max_rows = kMaxStepRows;      ///< of a step: to kMaxBatchRows without a batch_obstacle()
    /// Shared memory of a block in bytes, for qkv, output, gate_up, down and head; 0: chosen by size. For benchmarks.
    std::array<std::size_t, 5> shared_budget{};
    /// Blocks of an attention cluster in steps of one sequence, 8 or 16; 0: chosen by the GPU and the KV heads.
    int attention_cluster = 0;
    bool timeline = false;  ///< record timeline() of steps of one row
  };

  /// Results of a slot that may wait to be read.
  static constexpr int kMaxUnreadResults = 64;

  /// Collective; builds the graphs on the current stream, which must not be the default one and which all work of the
  /// model uses. `group`, `collectives` and the model's tensors must outlive it. The model has no step_obstacle().
  /// Throws UserError when `fused` is asked for and cannot be had.
  static std::unique_ptr<DecodeStep> create(LoadedShard model, const ProcessGroup& group, Collectives& collectives,
                                            const Options& options);
  virtual ~DecodeStep() = default;

  /// Whether partial sums travel by mapped memory rather than NCCL.
  virtual bool fused() const = 0;

  /// Options::max_rows, or what it is padded to.
  virtual int max_rows() const = 0;

  /// Table `id` of triggers, [states, vocab]: next state, and kStopMatched (kernels/sampling_rule.h) for "matched". Ids
  /// are small and dense; a table that is set again replaces the one before, which no request of a slot may still use.
  /// Waits for the stream.
  virtual void set_stop_table(int id, std::span<const std::uint16_t> entries, std::int64_t vocab) = 0;

  /// Starts a request in a slot; its results are counted from 0. Steps of the request before that are still enqueued
  /// are done first; what they emit and nobody has read is dropped.
  virtual void begin(int slot, const StepRequest& request) = 0;

  /// The rows of the coming step: 1 to Options::max_rows, each slot once. Rows that all are {slot, {}} are those of
  /// every step until the next call; others are of one step.
  virtual void set_rows(std::span<const StepRows> rows) = 0;

  /// Enqueues a step over the rows. The slots' pages (LoadedShard::page_tables) hold every position that it runs: up to
  /// the last token's of the request, and the proposals behind it. A step of a slot whose request has ended emits
  /// nothing for it, but completes its cache for the last token.
  virtual void enqueue() = 0;

  /// In place of a request's first step: enqueues the choice of its first token from a hidden state after the final
  /// norm, [1, hidden], of the token at the request's position, whose keys and values are in the cache already. Leaves
  /// the rows as they are.
  virtual void enqueue_from_hidden(int slot, const at::Tensor& hidden) = 0;

  /// Waits for result `index` of the slot's request; each is read once, in order. Throws UserError for logits that are
  /// not numbers, EnvironmentError when another rank does not answer.
  virtual StepToken result(int slot, int index) = 0;

  /// Ends every wait of this rank's kernels: another rank is lost. From any thread.
  virtual void abort() = 0;

  /// Logits of the last step's rows, [rows, vocab_local] float32: those of its sequences one after the other. For
  /// tests.
  virtual at::Tensor logits(int rows) const = 0;

  /// The kernels of the last step of one row, in order; empty without Options::timeline.
  virtual std::vector<KernelTimes> timeline() const = 0;

  /// Device memory beside the model's.
  virtual std::int64_t buffer_bytes() const = 0;
};

}  // namespace specthink::inline kernels
