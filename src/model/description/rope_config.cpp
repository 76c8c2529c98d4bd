#include "model/description/rope_config.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "specthink/base/error.h"

namespace specthink::inline model {
namespace {

// The object with the settings: rope_scaling (transformers 4), else rope_parameters (5). An empty one is none.
std::optional<ConfigReader> find_settings(const ConfigReader& config) {
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    if (const Json* value = config.find(key)) {
      const ConfigReader settings = config.object(key);
      if (!value->empty()) return settings;
    }
  }
  return std::nullopt;
}

void check_same_for_all_layers(const ConfigReader& settings) {
  for (const char* layer_type : {"full_attention", "sliding_attention"}) {
    if (settings.has(layer_type)) settings.fail(layer_type, "one rotary embedding for all layers");
  }
}

std::string parse_type(const ConfigReader& settings, const Family& family) {
  const char* key = settings.has("rope_type") ? "rope_type" : "type";  // "type" is the oldest spelling
  const std::string type = settings.text(key, "default");
  if (type == "default" || type == "longrope") return type;
  if (family.longrope_alone) {
    if (type == "su" || type == "yarn") return "longrope";
    settings.fail(key, "default or longrope");
  }
  if (type != "linear" && type != "dynamic" && type != "llama3" && type != "yarn") {
    settings.fail(key, "one of default, linear, dynamic, llama3, yarn, longrope");
  }
  return type;
}

std::int64_t parse_original_length(const ConfigReader& config, const ConfigReader& settings, const Family& family,
                                   std::int64_t max_position_embeddings) {
  const char* key = "original_max_position_embeddings";
  if (config.has(key)) return config.integer(key, 1, kMaxContext);
  if (family.default_original_context) return *family.default_original_context;
  return settings.integer(key, 1, kMaxContext, max_position_embeddings);
}

double default_attention_factor(const ConfigReader& settings, double factor) {
  const auto scale = [factor](double mscale) { return factor <= 1 ? 1.0 : 0.1 * mscale * std::log(factor) + 1; };
  const auto optional_scale = [&](const char* key) {  // 0 counts as not given
    const Json* value = settings.find(key);
    return value && *value == 0 ? 0.0 : settings.number_above(0, key, 0);
  };
  const double mscale = optional_scale("mscale");
  const double mscale_all_dim = optional_scale("mscale_all_dim");
  return mscale != 0 && mscale_all_dim != 0 ? scale(mscale) / scale(mscale_all_dim) : scale(1);
}

void parse_yarn(const ConfigReader& settings, std::int64_t max_position_embeddings, RopeConfig& rope) {
  // The key is required, but its value may be null.
  const double ratio = static_cast<double>(max_position_embeddings) / rope.original_max_position_embeddings;
  rope.factor = settings.number_above(0, "factor", settings.contains("factor") ? std::optional(ratio) : std::nullopt);
  rope.attention_factor = settings.number_above(0, "attention_factor", default_attention_factor(settings, rope.factor));
  rope.beta_fast = settings.number_above(0, "beta_fast", rope.beta_fast);
  rope.beta_slow = settings.number_above(0, "beta_slow", rope.beta_slow);
  if (rope.beta_fast < rope.beta_slow) {
    settings.fail("beta_fast", fmt::format("at least beta_slow ({})", rope.beta_slow));
  }
  rope.truncate = settings.boolean("truncate", true);
}

void parse_llama3(const ConfigReader& settings, RopeConfig& rope) {
  rope.factor = settings.number_above(0, "factor");
  rope.low_freq_factor = settings.number_above(0, "low_freq_factor");
  rope.high_freq_factor = settings.number_above(rope.low_freq_factor, "high_freq_factor");
}

// The base grows by a power of dim / (dim - 2).
void parse_dynamic(const ConfigReader& settings, std::int64_t rotary_dim, RopeConfig& rope) {
  if (rotary_dim <= 2) {
    throw UserError("{}: a dynamic rope needs more than 2 rotated elements of a head, found {}", settings.file(),
                    rotary_dim);
  }
  rope.factor = settings.number_above(0, "factor");
}

// One factor for each rotated pair.
std::vector<double> parse_factors(const ConfigReader& settings, const char* key, std::int64_t pairs) {
  const std::string expected = fmt::format("a list of {} numbers above 0, one for each rotated pair", pairs);
  const Json* value = settings.find(key);
  if (!value || !value->is_array() || value->size() != static_cast<std::size_t>(pairs)) settings.fail(key, expected);
  std::vector<double> factors;
  for (const Json& factor : *value) {
    if (!factor.is_number() || !std::isfinite(factor.get<double>()) || factor.get<double>() <= 0) {
      settings.fail(key, expected);
    }
    factors.push_back(factor.get<double>());
  }
  return factors;
}

void parse_longrope(const ConfigReader& settings, std::int64_t rotary_dim, std::int64_t max_position_embeddings,
                    RopeConfig& rope) {
  rope.short_factor = parse_factors(settings, "short_factor", rotary_dim / 2);
  rope.long_factor = parse_factors(settings, "long_factor", rotary_dim / 2);
  const auto original = static_cast<double>(rope.original_max_position_embeddings);
  rope.factor = settings.number_above(0, "factor", static_cast<double>(max_position_embeddings) / original);
  const double stretched = original > 1 ? std::sqrt(1 + std::log(rope.factor) / std::log(original)) : 1;
  rope.attention_factor = settings.number_above(0, "attention_factor", rope.factor <= 1 ? 1 : stretched);
}

/// How many elements of a head rotate; the key may stand in the settings or at the top.
std::int64_t parse_rotary_dim(const ConfigReader& config, const std::optional<ConfigReader>& settings,
                              const Family& family, std::int64_t head_dim) {
  const char* key = "partial_rotary_factor";
  const ConfigReader& reader = settings && settings->has(key) ? *settings : config;
  if (!reader.has(key) || *reader.find(key) == 1) return head_dim;
  if (!family.rotates_part_of_head) reader.fail(key, "1 (the whole head is rotated)");
  const double factor = reader.number_above(0, key);
  const auto dim = factor < 1 ? static_cast<std::int64_t>(static_cast<double>(head_dim) * factor) : 0;
  if (dim < 2 || dim % 2 != 0) {
    reader.fail(key, fmt::format("a number up to 1 by which an even part of a head (head_dim {}) rotates", head_dim));
  }
  return dim;
}

}  // namespace

RopeConfig parse_rope(const ConfigReader& config, const Family& family, std::int64_t head_dim,
                      std::int64_t max_position_embeddings) {
  RopeConfig rope;
  rope.theta = config.number_above(1, "rope_theta", rope.theta);
  const std::optional<ConfigReader> settings = find_settings(config);
  const std::int64_t rotary_dim = parse_rotary_dim(config, settings, family, head_dim);
  if (rotary_dim < head_dim) rope.rotary_dim = rotary_dim;
  if (!settings) return rope;

  check_same_for_all_layers(*settings);
  rope.theta = settings->number_above(1, "rope_theta", rope.theta);
  rope.type = parse_type(*settings, family);
  if (rope.type == "linear") rope.factor = settings->number_above(0, "factor");
  if (rope.type == "dynamic") {
    rope.original_max_position_embeddings = max_position_embeddings;
    parse_dynamic(*settings, rotary_dim, rope);
  }
  if (rope.type == "llama3" || rope.type == "yarn" || rope.type == "longrope") {
    rope.original_max_position_embeddings = parse_original_length(config, *settings, family, max_position_embeddings);
  }
  if (rope.type == "llama3") parse_llama3(*settings, rope);
  if (rope.type == "yarn") parse_yarn(*settings, max_position_embeddings, rope);
  if (rope.type == "longrope") parse_longrope(*settings, rotary_dim, max_position_embeddings, rope);
  return rope;
}

std::int64_t longest_context(const RopeConfig& rope, std::int64_t max_position_embeddings) {
  if (rope.type != "dynamic" || rope.factor <= 1) return max_position_embeddings;
  const double stretched = rope.factor * static_cast<double>(max_position_embeddings);
  return static_cast<std::int64_t>(std::min(stretched, static_cast<double>(kMaxContext)));
}

}  // namespace specthink::inline model
