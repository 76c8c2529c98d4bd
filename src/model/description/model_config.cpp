#include "specthink/model/model_config.h"

#include <algorithm>
#include <system_error>

#include "model/checkpoint/quantized_weights.h"
#include "model/description/config_reader.h"
#include "model/description/rope_config.h"
#include "model/description/window_config.h"
#include "model/families/family.h"
#include "specthink/base/error.h"
#include "specthink/base/log.h"

namespace specthink::inline model {
namespace {

// Bounds far above any known model, so that with all sizes at their bounds everything fits into 63 bits:
// weights: layers × (4 × hidden × width + 3 × hidden × intermediate) × 4 bytes < 2^55
// cache of one context: layers × 2 × width × context × 4 bytes = 2^61
constexpr std::int64_t kMaxHidden = std::int64_t{1} << 18;
constexpr std::int64_t kMaxIntermediate = std::int64_t{1} << 22;
constexpr std::int64_t kMaxLayers = std::int64_t{1} << 10;
constexpr std::int64_t kMaxHeads = std::int64_t{1} << 12;
constexpr std::int64_t kMaxHeadDim = std::int64_t{1} << 12;
constexpr std::int64_t kMaxWidth = std::int64_t{1} << 20;  // heads × head_dim
constexpr std::int64_t kMaxVocab = std::int64_t{1} << 24;

std::string supported_types(std::span<const Family> families) {
  std::string names;
  for (const Family& family : families) names += (names.empty() ? "" : ", ") + family.model_type;
  return names;
}

// model_type decides; without it, the architectures do.
const Family& find_family(const ConfigReader& config, std::span<const Family> families) {
  const bool has_type = config.has("model_type");
  const std::string type = config.text("model_type", "");
  const Json* architectures = config.find("architectures");
  for (const Family& family : families) {
    if (has_type ? type == family.model_type
                 : architectures && architectures->is_array() &&
                       std::ranges::find(*architectures, Json(family.architecture)) != architectures->end()) {
      return family;
    }
  }
  const std::string supported = supported_types(families);
  if (!has_type && architectures) {
    throw UserError("{}: architectures: {} is not supported; supported model types: {}", config.file(),
                    excerpt(*architectures), supported);
  }
  if (!has_type) config.fail("model_type", "one of " + supported);
  throw UserError("{}: model_type: {} is not supported; supported model types: {}", config.file(), excerpt(type),
                  supported);
}

void check_activation(const ConfigReader& config) {
  const std::string activation = config.text("hidden_act", "silu");
  if (activation != "silu" && activation != "swish") config.fail("hidden_act", "silu (or swish, its other name)");
}

void parse_attention_sizes(const ConfigReader& config, const Family& family, ModelConfig& model) {
  model.num_heads = config.integer("num_attention_heads", 1, kMaxHeads);

  const bool kv_given = config.contains("num_key_value_heads");  // null: one for each query head
  const std::int64_t kv_default = kv_given ? model.num_heads : family.default_kv_heads.value_or(model.num_heads);
  model.num_kv_heads = config.integer("num_key_value_heads", 1, kMaxHeads, kv_default);
  if (model.num_heads % model.num_kv_heads != 0) {
    throw UserError("{}: num_key_value_heads: expected a divisor of num_attention_heads ({}), found {}{}",
                    config.file(), model.num_heads, model.num_kv_heads, kv_given ? "" : ", the default");
  }

  if (config.has("head_dim") || (!config.contains("head_dim") && family.default_head_dim)) {
    model.head_dim = config.integer("head_dim", 1, kMaxHeadDim, family.default_head_dim);
  } else {
    if (model.hidden_size % model.num_heads != 0) {
      config.fail("hidden_size",
                  fmt::format("a multiple of num_attention_heads ({}), as there is no head_dim", model.num_heads));
    }
    model.head_dim = model.hidden_size / model.num_heads;
  }
  if (model.head_dim % 2 != 0) {
    throw UserError("{}: head_dim: expected an even number (pairs of values are rotated), found {}", config.file(),
                    model.head_dim);
  }
  if (model.num_heads * model.head_dim > kMaxWidth) {
    throw UserError("{}: num_attention_heads × head_dim: expected at most {}, found {} × {}", config.file(), kMaxWidth,
                    model.num_heads, model.head_dim);
  }
}

TokenIds parse_eos_ids(const ConfigReader& config, std::int64_t vocab_size) {
  const Json* value = config.find("eos_token_id");
  if (!value) return {};
  TokenIds ids;
  for (const Json& id : value->is_array() ? *value : Json::array({*value})) {
    if (!id.is_number_integer()) config.fail("eos_token_id", "a token id or a list of token ids");
    // A negative number compares as negative, one beyond 63 bits only fits the unsigned type.
    const bool in_vocabulary = id.is_number_unsigned()
                                   ? id.get<std::uint64_t>() < static_cast<std::uint64_t>(vocab_size)
                                   : id >= 0 && id < vocab_size;
    if (!in_vocabulary) {
      spdlog::warn("{}: eos_token_id: {} is outside the vocabulary of {} tokens and is ignored", config.file(),
                   excerpt(id), vocab_size);
    } else if (std::ranges::find(ids, id.get<TokenId>()) == ids.end()) {
      ids.push_back(id.get<TokenId>());
    }
  }
  return ids;
}

// generation_config.json, or null: a file that cannot be read is left out, as in transformers, which says nothing.
Json read_generation_config(const std::filesystem::path& path) {
  std::error_code ignored;  // a file that cannot be looked at is reported when it is read
  if (std::filesystem::symlink_status(path, ignored).type() == std::filesystem::file_type::not_found) return {};
  try {
    return read_json(path);
  } catch (const UserError& error) {
    spdlog::warn("{}; it is ignored, the ids that end a text are those of config.json", error.what());
    return {};
  }
}

}  // namespace

ModelConfig ModelConfig::load(const std::filesystem::path& folder) { return load(folder, supported_families()); }

ModelConfig ModelConfig::load(const std::filesystem::path& folder, std::span<const Family> families) {
  return parse(read_json(folder / "config.json"), read_generation_config(folder / "generation_config.json"),
               folder.string(), families);
}

ModelConfig ModelConfig::parse(const Json& config, const Json& generation_config, const std::string& folder) {
  return parse(config, generation_config, folder, supported_families());
}

ModelConfig ModelConfig::parse(const Json& config_json, const Json& generation_config, const std::string& folder,
                               std::span<const Family> families) {
  const std::filesystem::path path(folder);
  const ConfigReader config(config_json, (path / "config.json").string());
  const Family& family = find_family(config, families);
  check_activation(config);

  ModelConfig model;
  model.source = folder;
  model.model_type = family.model_type;
  model.tensors = family.tensors;
  model.quantization = parse_quantization(config);
  model.hidden_size = config.integer("hidden_size", 1, kMaxHidden);
  model.intermediate_size = config.integer("intermediate_size", 1, kMaxIntermediate);
  model.num_layers = config.integer("num_hidden_layers", 1, kMaxLayers);
  model.vocab_size = config.integer("vocab_size", 1, kMaxVocab);
  model.max_position_embeddings =
      config.integer("max_position_embeddings", 1, kMaxContext, family.default_max_position_embeddings);
  parse_attention_sizes(config, family, model);
  model.windows = parse_windows(config, family, model.num_layers);
  model.rms_norm_eps = config.number_above(0, "rms_norm_eps", family.default_rms_norm_eps);
  model.tie_word_embeddings = config.boolean("tie_word_embeddings", false);
  model.rope = parse_rope(config, family, model.head_dim, model.max_position_embeddings);
  model.max_position_embeddings = longest_context(model.rope, model.max_position_embeddings);
  family.describe(config, model);

  if (!generation_config.is_null()) {
    const ConfigReader generation(generation_config, (path / "generation_config.json").string());
    if (generation.has("eos_token_id")) {
      model.eos_ids = parse_eos_ids(generation, model.vocab_size);
      return model;
    }
  }
  model.eos_ids = parse_eos_ids(config, model.vocab_size);
  if (!config.contains("eos_token_id") && family.default_eos_id.value_or(model.vocab_size) < model.vocab_size) {
    model.eos_ids = {*family.default_eos_id};
  }
  return model;
}

void ModelConfig::set_layout(WeightPrecision choice, DType dtype, bool on_gpu) {
  const bool possible = rotary_dim() == head_dim;
  if (choice == WeightPrecision::float8 && !possible) {
    throw UserError(
        "{}: --weights fp8 is not supported for a model that rotates a part of each head (its rows are put into "
        "another order, across the blocks of 8-bit weights): use --weights bf16",
        source);
  }
  // Without the decode kernels each product would convert its weights anew.
  const bool stays = quantization.method == "fp8" && on_gpu && possible;
  float8_linear = choice == WeightPrecision::float8 || (choice == WeightPrecision::automatic && stays);
  constexpr std::int64_t kSmallerHead = 64;
  constexpr std::int64_t kLargerHead = 128;
  const bool have_kernels = on_gpu && dtype != DType::float32 && !float8_linear && !has_windows();
  if (have_kernels && head_dim > kSmallerHead && head_dim < kLargerHead && !qk_norm) {
    own_head_dim = head_dim;
    head_dim = kLargerHead;
  }
}

void ModelConfig::set_context(std::int64_t tokens) {
  rope.context = tokens;
  for (std::int64_t& window : windows) {
    if (window >= tokens) window = 0;
  }
}

}  // namespace specthink::inline model
