// A decode step of one model as one CUDA graph: the rows' tokens in, the next token out, without the host.
//
// Token, position, stop state and random counter live on the device; the host enqueues steps ahead and reads results
// behind. Each rank of the group enqueues the same steps, and all of them choose the same tokens. CUDA builds only.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "specthink/base/types.h"
#include "specthink/comm/collectives.h"
#include "specthink/comm/process_group.h"
#include "specthink/config/settings.h"
#include "specthink/kernels/loaded_shard.h"

namespace specthink {

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

/// Why the kernels cannot run this model; empty when they can. CPU builds never can.
std::string step_obstacle(const LoadedShard& model);

/// What a step samples with, and how its draws are named: engine/sampling.h.
struct StepSampling {
  float temperature = 0;
  float top_p = 1;
  std::int32_t top_k = 1;
  std::uint64_t seed = 0;
  std::uint32_t problem = 0;
  std::uint32_t run = 0;
  std::uint32_t purpose = 0;
};

constexpr int kLargestDeviceTopK = 64;

/// One request: rows to run first, and when to stop.
struct StepRequest {
  std::span<const TokenId> tokens;  ///< 1 to DecodeStep::kMaxRows tokens whose keys and values the cache lacks
  std::int64_t position = 0;        ///< of the first; the cache holds all earlier ones
  std::int32_t max_tokens = 0;
  std::span<const TokenId> eos_ids;
  bool stop_at_trigger = false;
  std::uint32_t stop_state = 0;
  StepSampling sampling;
};

enum class StepStop { running, length, eos, trigger };

struct StepToken {
  TokenId id = 0;
  StepStop stop = StepStop::running;
};

class DecodeStep {
 public:
  struct Options {
    AllReduce all_reduce = AllReduce::automatic;
    std::int64_t sampled_ids = 0;     ///< ids from here on are never sampled
    double wait_limit_seconds = 300;  ///< for another rank
    /// Shared memory of a block in bytes, for qkv, output, gate_up, down and head; 0: chosen by size. For benchmarks.
    std::array<std::size_t, 5> shared_budget{};
    int attention_cluster = 0;  ///< blocks of an attention cluster, 8 or 16; 0: chosen by the GPU and the KV heads
    bool timeline = false;      ///< record timeline() of steps of one row
  };

  /// Collective; builds the graphs on the current stream, which must not be the default one and which all work of the
  /// model uses. `group`, `collectives` and the model's tensors must outlive it. The model has no step_obstacle().
  /// Throws UserError when `fused` is asked for and cannot be had.
  static std::unique_ptr<DecodeStep> create(LoadedShard model, const ProcessGroup& group, Collectives& collectives,
                                            const Options& options);
  virtual ~DecodeStep() = default;

  static constexpr int kMaxRows = 16;
  static constexpr int kMaxEosIds = 16;  ///< of a request

  /// Whether partial sums travel by mapped memory rather than NCCL.
  virtual bool fused() const = 0;

  /// The table of triggers, [states, vocab]: next state, and a top bit for "matched" (text/stop_matcher.h).
  virtual void set_stop_table(std::span<const std::uint16_t> entries, std::int64_t vocab) = 0;

  /// Starts a request; its results are counted from 0. All results of the request before must have been read.
  virtual void begin(const StepRequest& request) = 0;

  /// Enqueues a step: the first one over the request's tokens, later ones over the token before. A step after the
  /// request's end samples nothing, but completes the cache for the last token.
  virtual void enqueue() = 0;

  /// In place of the first enqueue(): enqueues the choice of a first token from a hidden state after the final norm,
  /// [1, hidden], of the request's only token, whose keys and values are in the cache already.
  virtual void enqueue_from_hidden(const at::Tensor& hidden) = 0;

  /// Waits for result `index` of the request. Throws UserError for logits that are not numbers, EnvironmentError when
  /// another rank does not answer.
  virtual StepToken result(int index) = 0;

  /// Ends every wait of this rank's kernels: another rank is lost. From any thread.
  virtual void abort() = 0;

  /// Logits of the last step's rows, [rows, vocab_local] float32; for tests.
  virtual at::Tensor logits(int rows) const = 0;

  /// The kernels of the last step of one row, in order; empty without Options::timeline.
  virtual std::vector<KernelTimes> timeline() const = 0;

  /// Device memory beside the model's.
  virtual std::int64_t buffer_bytes() const = 0;
};

}  // namespace specthink
