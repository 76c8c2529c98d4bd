#include "specthink/model/memory_plan.h"

#include <algorithm>

#include "specthink/base/error.h"
#include "specthink/kernels/prefill_attention.h"
#include "specthink/model/shard_plan.h"

namespace specthink::inline model {
namespace {

constexpr int kMaxRanks = 64;
constexpr std::int64_t kLeastContext = 1024;  // a shorter one holds no problem with its answer: not worth proposing

constexpr std::int64_t kFloat = sizeof(float);

std::int64_t activation_bytes_per_row(const ModelDescription& part, std::int64_t element) {
  const std::int64_t hidden = part.hidden_size;
  const std::int64_t queries = part.query_width();
  const std::int64_t qkv = part.qkv_width();
  const std::int64_t feed_forward = part.intermediate_size * 3;  // gate, up, product
  if (element < kFloat) return (hidden * 5 + qkv + queries * 2 + feed_forward) * element;
  return hidden * (3 * element + 2 * kFloat) + (qkv * 5 + queries + feed_forward) * element;
}

/// Whether the library's masked attention does the work: it copies keys and values for each query head and takes a
/// mask.
bool attends_by_mask(const ModelDescription& model, DType dtype) {
  return dtype == DType::float32 || model.has_windows();
}

std::int64_t bytes_per_context_token(const ModelDescription& part, bool uniform_groups, DType dtype) {
  const std::int64_t element = size_of(dtype);
  const bool masked = attends_by_mask(part, dtype);
  std::int64_t bytes = part.head_dim * 2 * element;  // cos and sin
  if (masked || !uniform_groups) bytes += part.query_width() * 2 * element;
  if (masked) bytes += kPrefillChunk * (1 + kFloat);
  return bytes;
}

// Gathered over the vocabulary: logits, probabilities and sorted values as floats, the order as 64-bit indices.
std::int64_t logit_bytes(const ShardPlan& plan) {
  constexpr std::int64_t kBytesPerLogit = 3 * kFloat + sizeof(std::int64_t);
  return kMaxStepRows * plan.vocab_local * plan.ranks * kBytesPerLogit;
}

std::int64_t cache_bytes_per_token(const ModelDescription& part, std::int64_t element) {
  return 2 * part.num_layers * part.kv_width() * element;
}

bool divides_heads(const ModelDescription& model, int ranks) { return model.num_heads % ranks == 0; }

// The share in hundredths, rounded up; a large number when the whole GPU is too small.
std::int64_t hundredths_for(std::int64_t needed_bytes, std::int64_t gpu_bytes) {
  std::int64_t hundredths = 1;
  while (hundredths <= 100 && budget_bytes(hundredths / 100.0, gpu_bytes) < needed_bytes) ++hundredths;
  return hundredths;
}

// The longest context of whole pages, at most `longest`, for which `fits` holds; 0 when it is not worth proposing.
// `fits` must hold for every context shorter than one for which it holds.
template <typename Predicate>
std::int64_t longest_context(std::int64_t longest, Predicate fits) {
  std::int64_t good = 0;
  std::int64_t bad = longest / kPageTokens + 1;
  while (bad - good > 1) {
    const std::int64_t pages = (good + bad) / 2;
    (fits(pages * kPageTokens) ? good : bad) = pages;
  }
  return good * kPageTokens < kLeastContext ? 0 : good * kPageTokens;
}

/// With prefill steps of `chunk` rows.
ModelMemory plan_with_chunk(const ModelDescription& model, int ranks, std::int64_t gpu_bytes, double utilization,
                            DType dtype, std::int64_t max_model_len, int models, int sequences, std::int64_t chunk) {
  const std::int64_t element = size_of(dtype);
  ModelMemory memory;
  memory.prefill_rows = chunk;
  memory.budget_bytes = budget_bytes(utilization, gpu_bytes);
  memory.wanted_tokens = std::min(max_model_len, model.max_position_embeddings);
  for (int rank = 0; rank < ranks; ++rank) {
    const ShardPlan plan(model, rank, ranks);
    const ModelDescription part = plan.part_of(model);
    const std::int64_t workspace = chunk * activation_bytes_per_row(part, element) + logit_bytes(plan) +
                                   PrefillAttention::most_workspace_bytes(part.head_dim) +
                                   (part.float8_linear ? part.largest_linear() * element : 0) +
                                   memory.wanted_tokens * bytes_per_context_token(part, plan.uniform_groups(), dtype) +
                                   (library_bytes(ranks) + models - 1) / models;
    memory.weight_bytes = std::max(memory.weight_bytes, part.weight_bytes(element));
    memory.workspace_bytes = std::max(memory.workspace_bytes, workspace);
    memory.kv_bytes_per_token = std::max(memory.kv_bytes_per_token, cache_bytes_per_token(part, element));
  }

  const std::int64_t page_bytes = kPageTokens * memory.kv_bytes_per_token;
  const std::int64_t wanted_pages = pages_for(memory.wanted_tokens);
  const std::int64_t left = memory.budget_bytes - memory.weight_bytes - memory.workspace_bytes;
  const std::int64_t pages = std::clamp<std::int64_t>(left / page_bytes, 0, sequences * wanted_pages);
  memory.kv_bytes = pages * page_bytes;
  memory.kv_tokens = std::max<std::int64_t>(pages * kPageTokens - kSpareTokens, 0);
  memory.needed_bytes = memory.weight_bytes + memory.workspace_bytes + wanted_pages * page_bytes;
  memory.least_utilization = static_cast<double>(memory.needed_bytes) / static_cast<double>(gpu_bytes);
  return memory;
}

}  // namespace

std::int64_t size_of(DType type) { return type == DType::float32 ? 4 : 2; }

std::int64_t budget_bytes(double utilization, std::int64_t gpu_bytes) {
  return static_cast<std::int64_t>(utilization * static_cast<double>(gpu_bytes));
}

ModelMemory plan_memory(const ModelDescription& model, int ranks, std::int64_t gpu_bytes, double utilization,
                        DType dtype, std::int64_t max_model_len, int models, int sequences) {
  check(ranks > 0 && gpu_bytes > 0 && max_model_len > 0 && models > 0 && sequences > 0,
        "a memory plan is for some ranks, memory, context, models and sequences");
  const auto with_chunk = [&](std::int64_t chunk) {
    return plan_with_chunk(model, ranks, gpu_bytes, utilization, dtype, max_model_len, models, sequences, chunk);
  };
  ModelMemory memory = with_chunk(kPrefillChunk);
  if (attends_by_mask(model, dtype)) return memory;
  // No step is longer than the context; a larger one must not cost any of it.
  for (std::int64_t chunk = 2 * kPrefillChunk; chunk <= kLargePrefillChunk && chunk / 2 < memory.wanted_tokens;
       chunk *= 2) {
    ModelMemory larger = with_chunk(chunk);
    if (!larger.fits()) break;
    larger.needed_bytes = memory.needed_bytes;
    larger.least_utilization = memory.least_utilization;
    memory = larger;
  }
  return memory;
}

StepBytes step_bytes(const ModelDescription& model, int ranks, DType dtype) {
  StepBytes bytes;
  for (int rank = 0; rank < ranks; ++rank) {
    const ModelDescription part = ShardPlan(model, rank, ranks).part_of(model);
    const std::int64_t embedding = part.tie_word_embeddings ? 0 : part.vocab_size * part.hidden_size;
    bytes.weights = std::max(bytes.weights, part.weight_bytes(size_of(dtype)) - embedding * size_of(dtype));
    if (part.float8_linear) bytes.float8_weights = std::max(bytes.float8_weights, part.num_linear());
    bytes.kv_per_token = std::max(bytes.kv_per_token, cache_bytes_per_token(part, size_of(dtype)));
  }
  return bytes;
}

std::optional<std::array<double, 2>> least_split(const ModelDescription& target, const ModelDescription* draft,
                                                 int ranks, std::int64_t gpu_bytes, DType dtype,
                                                 std::int64_t max_model_len) {
  const int models = draft ? 2 : 1;
  const auto hundredths = [&](const ModelDescription& model) {
    const ModelMemory memory = plan_memory(model, ranks, gpu_bytes, 1, dtype, max_model_len, models);
    return hundredths_for(memory.needed_bytes, gpu_bytes);
  };
  const std::int64_t target_share = hundredths(target);
  const std::int64_t draft_share = draft ? hundredths(*draft) : 1;
  if (target_share + draft_share > 100) return std::nullopt;
  return std::array{target_share / 100.0, draft_share / 100.0};
}

std::array<double, 2> automatic_split(const ModelDescription& target, const ModelDescription* draft, int ranks,
                                      std::int64_t gpu_bytes, DType dtype, std::int64_t max_model_len, double whole) {
  if (!draft) return {whole, 0};
  const auto need = [&](const ModelDescription& model) {
    return plan_memory(model, ranks, gpu_bytes, whole, dtype, max_model_len);
  };
  const std::array<ModelMemory, 2> needs{need(target), need(*draft)};
  const double total = whole * static_cast<double>(gpu_bytes);
  const auto fixed = [&](int i) {  // with prefill steps of the smallest size, as needed_bytes has it
    const ModelMemory& memory = needs[static_cast<std::size_t>(i)];
    const std::int64_t cache = pages_for(memory.wanted_tokens) * kPageTokens * memory.kv_bytes_per_token;
    return static_cast<double>(memory.needed_bytes - cache);
  };
  const auto all = [&](int i) { return static_cast<double>(needs[static_cast<std::size_t>(i)].needed_bytes); };

  double target_bytes = total * all(0) / (all(0) + all(1));
  const double left = total - fixed(0) - fixed(1);
  if (all(0) + all(1) > total && left > 0) {
    const double target_cache = all(0) - fixed(0);
    target_bytes = fixed(0) + left * target_cache / (target_cache + all(1) - fixed(1));
  }
  const double share = std::round(target_bytes / static_cast<double>(gpu_bytes) * 1e4) / 1e4;
  return {share, whole - share};
}

int ranks_that_fit(const ModelDescription& target, const ModelDescription* draft, int ranks, std::int64_t gpu_bytes,
                   DType dtype, std::int64_t max_model_len) {
  for (; ranks <= kMaxRanks; ++ranks) {
    if (divides_heads(target, ranks) && (!draft || divides_heads(*draft, ranks)) &&
        least_split(target, draft, ranks, gpu_bytes, dtype, max_model_len)) {
      return ranks;
    }
  }
  return 0;
}

std::vector<Deployment> suggest_deployments(const ModelDescription& target, const ModelDescription* draft,
                                            const Deployment& wanted, std::int64_t gpu_bytes, DType dtype) {
  const auto fits_as_split = [&](std::int64_t context) {
    const auto fits = [&](const ModelDescription& model, double utilization) {
      return plan_memory(model, wanted.gpus, gpu_bytes, utilization, dtype, context, draft ? 2 : 1).fits();
    };
    return fits(target, wanted.utilization[0]) && (!draft || fits(*draft, wanted.utilization[1]));
  };
  const auto split_for = [&](int gpus, std::int64_t context) {
    return least_split(target, draft, gpus, gpu_bytes, dtype, context);
  };
  if (fits_as_split(wanted.max_model_len)) return {};

  std::vector<Deployment> suggestions;
  std::int64_t longest = std::min(wanted.max_model_len, target.max_position_embeddings);
  if (draft) longest = std::min(longest, draft->max_position_embeddings);
  if (const auto split = split_for(wanted.gpus, wanted.max_model_len)) {
    suggestions.push_back({wanted.gpus, *split, wanted.max_model_len});
    const std::int64_t context = longest_context(longest, fits_as_split);
    if (context > 0) suggestions.push_back({wanted.gpus, wanted.utilization, context});
    return suggestions;
  }
  if (const int gpus = ranks_that_fit(target, draft, wanted.gpus + 1, gpu_bytes, dtype, wanted.max_model_len)) {
    suggestions.push_back({gpus, *split_for(gpus, wanted.max_model_len), wanted.max_model_len});
  }
  const std::int64_t context =
      longest_context(longest, [&](std::int64_t tokens) { return split_for(wanted.gpus, tokens).has_value(); });
  if (context > 0) suggestions.push_back({wanted.gpus, *split_for(wanted.gpus, context), context});
  return suggestions;
}

}  // namespace specthink::inline model
