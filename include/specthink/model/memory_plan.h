// How a GPU's memory is divided between the two models. Pure arithmetic: the engine allocates by it, and
// `specthink plan` prints it.
//
// As in vLLM, a model's share of the memory (gpu_memory_utilization) pays for its weights, its workspace and its cache:
//
//   weights   = ModelDescription::weight_bytes of ShardPlan::part_of
//   cache     = 2 (K and V) × layers × KV heads × head_dim × element size, for each token
//   workspace = activations of a prefill step + logits of kMaxStepRows rows
//               + parts of attention results (kernels/prefill_attention.h) + what depends on the context + the
//               libraries' own
//
// where heads, KV heads, intermediate size and vocabulary are the rank's own part. A prefill step has kPrefillChunk
// rows, or, in the 16-bit types and without windows, up to kLargePrefillChunk where the whole context fits beside them.
// One row's activations are, in the 16-bit types,
//
//   hidden × 5 elements (residual, norm, two block outputs that take turns, result)
//   + (heads + 2 KV heads) × head_dim elements (q, k, v)
//   + heads × head_dim × 2 elements (rotated queries, attention output)
//   + intermediate × 3 elements (gate, up, their product)
//
// and in float32, where LibTorch's operators do the work,
//
//   hidden × (3 elements: residual, norm, block output; 2 floats: inside the norm)
//   + (heads + 2 KV heads) × head_dim × 5 elements (q, k, v, their norm, the terms of the rotation)
//   + heads × head_dim elements (attention output)
//   + intermediate × 3 elements,
//
// added up as if all were alive at once, which leaves the allocator room for its rounding. One token of context takes
//
//   head_dim × 2 elements (tables of cos and sin)
//   + heads × head_dim × 2 elements (K and V, copied for each query head) where the library's attention cannot take
//     groups: when they are uneven (ShardPlan::uniform_groups), in float32, and with windows
//   + kPrefillChunk × 5 bytes (the mask, as booleans and as floats) in float32 and with windows.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "specthink/config/settings.h"
#include "specthink/kernels/limits.h"
#include "specthink/kernels/model_description.h"

namespace specthink::inline model {

constexpr std::int64_t kSpareTokens = 2;           ///< rows beyond the context, for steps that run past a stop
constexpr std::int64_t kPrefillChunk = 1024;       ///< rows of a prefill step, where there is no room for more
constexpr std::int64_t kLargePrefillChunk = 8192;  ///< larger ones gain nothing

/// What a process takes on a GPU whatever its models; the models share the cost evenly.
constexpr std::int64_t kCudaContextBytes = std::int64_t{664} << 20;     ///< context, loaded kernels, graphs
constexpr std::int64_t kCublasWorkspaceBytes = std::int64_t{64} << 20;  ///< 32 MiB each for cuBLAS and cuBLASLt
constexpr std::int64_t kNcclBytes = std::int64_t{880} << 20;            ///< one communicator of two GPUs, measured
constexpr std::int64_t kNcclBytesAlone = std::int64_t{400} << 20;       ///< of one: what was left

constexpr std::int64_t library_bytes(int ranks) {
  return kCudaContextBytes + kCublasWorkspaceBytes + (ranks > 1 ? kNcclBytes : kNcclBytesAlone);
}

std::int64_t size_of(DType type);

/// Pages of the cache that a sequence of `tokens` takes, with its spare rows.
constexpr std::int64_t pages_for(std::int64_t tokens) {
  return (tokens + kSpareTokens + kPageTokens - 1) / kPageTokens;
}

/// Bytes of `utilization` × `gpu_bytes`, rounded down.
std::int64_t budget_bytes(double utilization, std::int64_t gpu_bytes);

/// One model on the rank that holds most.
struct ModelMemory {
  std::int64_t weight_bytes = 0;
  std::int64_t kv_bytes_per_token = 0;
  std::int64_t prefill_rows = 0;     ///< of a prefill step at most
  std::int64_t workspace_bytes = 0;  ///< activations of a prefill step, logits, the libraries' own
  std::int64_t budget_bytes = 0;     ///< utilization × GPU memory
  std::int64_t kv_bytes = 0;         ///< what weights and workspace leave, cut to what one context needs; 0 if negative
  std::int64_t kv_tokens = 0;      ///< whole pages, without the spare rows; can exceed wanted_tokens by part of a page
  std::int64_t wanted_tokens = 0;  ///< max_model_len, cut to the model's own limit
  std::int64_t needed_bytes = 0;   ///< weights, workspace with steps of kPrefillChunk, a cache of wanted_tokens
  double least_utilization = 0;    ///< the smallest share that gives wanted_tokens; above 1 when no share does

  std::int64_t total_bytes() const { return weight_bytes + workspace_bytes + kv_bytes; }
  bool loads() const { return kv_tokens > 0; }
  bool fits() const { return kv_tokens >= wanted_tokens; }
};

/// `models` is how many share the GPU: 2, or 1 for the target alone. `sequences`: the cache may take what so many
/// sequences of max_model_len need, where the memory has it; what fits() asks for is room for one.
/// Throws UserError when `ranks` does not divide the query heads.
ModelMemory plan_memory(const ModelDescription& model, int ranks, std::int64_t gpu_bytes, double utilization,
                        DType dtype, std::int64_t max_model_len, int models = 2, int sequences = 1);

/// What a decode step of one row reads at least, on the rank that reads most: every weight but the embedding table, of
/// which it reads one row (a tied table is the head and is read once), and the keys and values so far.
struct StepBytes {
  std::int64_t weights = 0;
  std::int64_t kv_per_token = 0;
  std::int64_t float8_weights = 0;  ///< of the weights' bytes those of 8-bit ones

  double at(double context) const { return static_cast<double>(weights) + static_cast<double>(kv_per_token) * context; }
};

/// Throws UserError when `ranks` does not divide the query heads.
StepBytes step_bytes(const ModelDescription& model, int ranks, DType dtype);

/// The smallest shares (target, draft), in hundredths, that give both models a cache of max_model_len tokens; none when
/// they add up to more than 1. A null draft is the target alone; the draft's share is then the smallest that the option
/// takes.
std::optional<std::array<double, 2>> least_split(const ModelDescription& target, const ModelDescription* draft,
                                                 int ranks, std::int64_t gpu_bytes, DType dtype,
                                                 std::int64_t max_model_len);

constexpr double kAutomaticUtilization = 0.9;  ///< of a GPU, where the settings do not divide it

/// Shares (target, draft) that add up to `whole` of a GPU: what each model needs for a cache of max_model_len tokens,
/// and of what is left as much as it needs. Where not all of that fits, both get their weights and workspace and as
/// many tokens of cache as the rest has room for. A null draft is the target alone, with all of it.
std::array<double, 2> automatic_split(const ModelDescription& target, const ModelDescription* draft, int ranks,
                                      std::int64_t gpu_bytes, DType dtype, std::int64_t max_model_len,
                                      double whole = kAutomaticUtilization);

/// The smallest number of ranks (at least `ranks`, dividing the heads of both) for which both models fit; 0 for none up
/// to 64. A null draft is the target alone.
int ranks_that_fit(const ModelDescription& target, const ModelDescription* draft, int ranks, std::int64_t gpu_bytes,
                   DType dtype, std::int64_t max_model_len);

/// A deployment of a model pair: what a user can change about it.
struct Deployment {
  int gpus = 0;
  std::array<double, 2> utilization{};  ///< target, draft
  std::int64_t max_model_len = 0;

  bool operator==(const Deployment&) const = default;
};

/// Deployments in which both models fit, the one that changes least first; empty when `wanted` fits as it is or nothing
/// makes it fit. Considered are, in this order: another split of the memory; where no split does, more GPUs; a shorter
/// context, with the split as it is if another split would do, with the best split otherwise.
std::vector<Deployment> suggest_deployments(const ModelDescription& target, const ModelDescription* draft,
                                            const Deployment& wanted, std::int64_t gpu_bytes, DType dtype);

}  // namespace specthink::inline model
