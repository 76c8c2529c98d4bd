#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "specthink/model/model_config.h"

// Positions are multiplied by these numbers, up to tens of thousands, so that a last-bit difference would show in the
// angles: each step is done in float32 and in the order in which transformers does it.

namespace specthink::inline model {
namespace {

// theta^(2i / dim) for each pair i
std::vector<float> wave_factors(double theta, std::int64_t dim) {
  std::vector<float> factors;
  for (std::int64_t i = 0; i < dim; i += 2) {
    const float exponent = static_cast<float>(i) / static_cast<float>(dim);
    factors.push_back(std::pow(static_cast<float>(theta), exponent));
  }
  return factors;
}

// The base with which a context beyond the original one is reached.
double dynamic_theta(const RopeConfig& rope, std::int64_t dim) {
  const auto original = static_cast<double>(rope.original_max_position_embeddings);
  const double length = std::max(static_cast<double>(rope.context), original);
  const double stretch = rope.factor * length / original - (rope.factor - 1);
  return rope.theta * std::pow(stretch, static_cast<double>(dim) / static_cast<double>(dim - 2));
}

// Long waves are stretched by `factor`, short ones stay, those between are blended.
float scale_llama3(const RopeConfig& rope, float inverse) {
  const auto length = static_cast<float>(rope.original_max_position_embeddings);
  const auto factor = static_cast<float>(rope.factor);
  const float wave = static_cast<float>(2 * std::numbers::pi) / inverse;
  const double exact_length = static_cast<double>(rope.original_max_position_embeddings);
  const auto longest_kept = static_cast<float>(exact_length / rope.high_freq_factor);
  const auto shortest_stretched = static_cast<float>(exact_length / rope.low_freq_factor);
  if (wave > shortest_stretched) return inverse / factor;
  if (wave < longest_kept) return inverse;
  const float smooth = (length / wave - static_cast<float>(rope.low_freq_factor)) /
                       static_cast<float>(rope.high_freq_factor - rope.low_freq_factor);
  return (1 - smooth) * inverse / factor + smooth * inverse;
}

// The dimensions between which yarn changes from "as trained" to "stretched by factor".
std::pair<double, double> yarn_ramp(const RopeConfig& rope, std::int64_t dim) {
  const auto dimension_of = [&](double rotations) {  // the dimension that makes so many turns within the old context
    const auto length = static_cast<double>(rope.original_max_position_embeddings);
    return static_cast<double>(dim) * std::log(length / (rotations * 2 * std::numbers::pi)) /
           (2 * std::log(rope.theta));
  };
  double low = dimension_of(rope.beta_fast);
  double high = dimension_of(rope.beta_slow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(dim - 1));
  if (low == high) high += 0.001;  // transformers' way around a division by zero
  return {low, high};
}

std::vector<float> yarn_frequencies(const RopeConfig& rope, const std::vector<float>& waves, std::int64_t dim) {
  const auto [low, high] = yarn_ramp(rope, dim);
  std::vector<float> result;
  for (std::size_t i = 0; i < waves.size(); ++i) {
    const float position = (static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(high - low);
    const float kept = 1 - std::clamp(position, 0.0F, 1.0F);
    const float stretched = 1 / (static_cast<float>(rope.factor) * waves[i]);
    result.push_back(stretched * (1 - kept) + 1 / waves[i] * kept);
  }
  return result;
}

}  // namespace

RopeFrequencies rope_frequencies(const ModelDescription& model) {
  const RopeConfig& rope = model.rope;
  const std::int64_t dim = model.rotary_dim();
  const std::vector<float> waves = wave_factors(rope.type == "dynamic" ? dynamic_theta(rope, dim) : rope.theta, dim);
  RopeFrequencies result{{}, static_cast<float>(rope.attention_factor)};
  if (rope.type == "yarn") {
    result.inverse = yarn_frequencies(rope, waves, dim);
    return result;
  }
  if (rope.type == "longrope") {
    const bool is_long = rope.context > rope.original_max_position_embeddings;
    const std::vector<double>& factors = is_long ? rope.long_factor : rope.short_factor;
    for (std::size_t i = 0; i < waves.size(); ++i) {
      result.inverse.push_back(1 / (static_cast<float>(factors[i]) * waves[i]));
    }
    return result;
  }
  for (const float wave : waves) {
    float inverse = 1 / wave;
    if (rope.type == "linear") inverse /= static_cast<float>(rope.factor);
    if (rope.type == "llama3") inverse = scale_llama3(rope, inverse);
    result.inverse.push_back(inverse);
  }
  return result;
}

}  // namespace specthink::inline model
