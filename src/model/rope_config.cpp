#include "model/rope_config.h"

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

std::string parse_type(const ConfigReader& settings) {
  const char* key = settings.has("rope_type") ? "rope_type" : "type";  // "type" is the oldest spelling
  const std::string type = settings.text(key, "default");
  if (type != "default" && type != "linear" && type != "llama3" && type != "yarn") {
    settings.fail(key, "one of default, linear, llama3, yarn");
  }
  return type;
}

std::int64_t parse_original_length(const ConfigReader& config, const ConfigReader& settings, std::int64_t fallback) {
  const char* key = "original_max_position_embeddings";
  return (config.has(key) ? config : settings).integer(key, 1, kMaxContext, fallback);
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

}  // namespace

RopeConfig parse_rope(const ConfigReader& config, std::int64_t max_position_embeddings) {
  RopeConfig rope;
  const auto check_whole_head_rotates = [](const ConfigReader& reader) {
    const char* key = "partial_rotary_factor";
    if (reader.has(key) && *reader.find(key) != 1) reader.fail(key, "1 (the whole head is rotated)");
  };
  check_whole_head_rotates(config);
  rope.theta = config.number_above(1, "rope_theta", rope.theta);

  const std::optional<ConfigReader> settings = find_settings(config);
  if (!settings) return rope;
  check_whole_head_rotates(*settings);
  check_same_for_all_layers(*settings);
  rope.theta = settings->number_above(1, "rope_theta", rope.theta);
  rope.type = parse_type(*settings);
  if (rope.type == "linear") rope.factor = settings->number_above(0, "factor");
  if (rope.type == "llama3" || rope.type == "yarn") {
    rope.original_max_position_embeddings = parse_original_length(config, *settings, max_position_embeddings);
  }
  if (rope.type == "llama3") parse_llama3(*settings, rope);
  if (rope.type == "yarn") parse_yarn(*settings, max_position_embeddings, rope);
  return rope;
}

}  // namespace specthink::inline model
