// How a GPU's memory is divided between the two models. Pure arithmetic: the engine allocates by it, and
// `specthink plan` prints it.
#pragma once

#include <cstdint>
#include <string>

#include "specthink/config/settings.h"
#include "specthink/model/model_config.h"

namespace specthink {

constexpr std::int64_t kPageTokens = 128;    ///< tokens of a page of the KV cache
constexpr std::int64_t kSpareTokens = 2;     ///< rows beyond the context, for steps that run past a stop
constexpr std::int64_t kPrefillChunk = 1024;  ///< rows of a prefill step at most

std::int64_t size_of(DType type);

/// One model on the rank that holds most.
struct ModelMemory {
  std::int64_t weight_bytes = 0;
  std::int64_t kv_bytes_per_token = 0;
  std::int64_t workspace_bytes = 0;  ///< activations of a prefill step, logits, the libraries' own
  std::int64_t budget_bytes = 0;     ///< utilization × GPU memory
  std::int64_t kv_bytes = 0;         ///< what weights and workspace leave, cut to what one context needs; 0 if negative
  std::int64_t kv_tokens = 0;        ///< whole pages, without the spare rows
  std::int64_t wanted_tokens = 0;    ///< max_model_len, cut to the model's own limit
  double least_utilization = 0;      ///< the smallest share that gives wanted_tokens

  std::int64_t total_bytes() const { return weight_bytes + workspace_bytes + kv_bytes; }
  bool loads() const { return kv_tokens > 0; }
  bool fits() const { return kv_tokens >= wanted_tokens; }
};

ModelMemory plan_memory(const ModelConfig& config, int ranks, std::int64_t gpu_bytes, double utilization, DType dtype,
                        std::int64_t max_model_len);

/// The smallest number of ranks (at least `ranks`, dividing the heads of both) for which both models fit; 0 for none up
/// to 64. A null draft is the target alone.
int ranks_that_fit(const ModelConfig& target, const ModelConfig* draft, int ranks, std::int64_t gpu_bytes, DType dtype,
                   std::int64_t max_model_len);

}  // namespace specthink
