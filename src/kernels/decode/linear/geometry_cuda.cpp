#include <algorithm>

#include "kernels/decode/linear/layout.h"

namespace specthink::inline kernels {

LinearGeometry choose_geometry(std::int64_t rows, std::int64_t columns, int x_rows, LinearInput input,
                               LinearOutput output, int sms, std::size_t shared_budget, WeightFormat format) {
  const auto divide_up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const int most = kMaxGroupRows / weight_rows_of(output, 1);
  LinearGeometry geometry;
  std::int64_t least_load = 0;  // rows of the busiest block
  // Each row has a factor of its own, so odd numbers would do as well; even ones are what is tested.
  const int step = format == WeightFormat::float8 ? 2 : 1;
  for (int group_rows = step; group_rows <= most; group_rows += step) {
    // Groups of few rows make small copies, which are slow; a ring of few stages runs dry.
    if (group_rows < most / 4 && divide_up(rows, group_rows) > sms) continue;
    const std::size_t bytes = stage_bytes(weight_rows_of(output, group_rows), x_rows, input, format);
    if (geometry.group_rows > 0 && least_stages(x_rows, format) * bytes > shared_budget) continue;
    const std::int64_t load = divide_up(divide_up(rows, group_rows), sms) * group_rows;
    if (geometry.group_rows == 0 || load <= least_load) {
      least_load = load;
      geometry.group_rows = group_rows;
    }
  }
  geometry.groups = static_cast<int>(divide_up(rows, geometry.group_rows));
  geometry.blocks = std::min(geometry.groups, sms);
  geometry.chunks = static_cast<int>(divide_up(columns, chunk_columns(format)));
  const int weight_rows = weight_rows_of(output, geometry.group_rows);
  const std::size_t fixed = fixed_bytes(weight_rows, geometry.chunks, x_rows, input, format);
  const std::size_t stage = stage_bytes(weight_rows, x_rows, input, format);
  const std::int64_t total = divide_up(geometry.groups, geometry.blocks) * geometry.chunks;
  const std::int64_t fitting = shared_budget > fixed ? static_cast<std::int64_t>((shared_budget - fixed) / stage) : 0;
  geometry.stages = static_cast<int>(std::clamp<std::int64_t>(std::min(fitting, total), 2, kMaxStages));
  geometry.first_copies = stage <= kSmallStage ? 2 : 1;
  geometry.most_copies = std::clamp(static_cast<int>(kBytesUnderWay / stage), 2, geometry.stages);
  geometry.shared_bytes = fixed + geometry.stages * stage;
  return geometry;
}

// On one H200 a step of Qwen3-1.7B and one of the shapes of Qwen2.5-1.5B gain 3 and 5 % by blocks that leave room for
// each other, models of 2560 columns and more lose up to 9.
bool is_short_layer(std::int64_t hidden_size, std::int64_t intermediate_size, int sms) {
  constexpr std::int64_t kMostHidden = 2048;
  constexpr std::int64_t kMostOfBlock = 450 * 1024;
  return hidden_size <= kMostHidden && 2 * intermediate_size * hidden_size * 2 / sms <= kMostOfBlock;
}

std::size_t linear_shared_budget(DecodeLinear which, int x_rows, std::int64_t weight_bytes, int sms, bool is_short,
                                 WeightFormat format) {
  if (format == WeightFormat::float8) return kWholeBudget;
  if (is_short && x_rows == 1 && which != DecodeLinear::head) {
    if (which == DecodeLinear::qkv) return kBesideAttentionOfOneRowBudget;
    if (which != DecodeLinear::gate_up) return kBesideGateUpBudget;
    // What fits the ring as a whole leaves room anyway.
    return weight_bytes / sms <= kGateUpBudget - kFixedOfGateUp ? kWholeBudget : kGateUpBudget;
  }
  constexpr std::int64_t kMuchOfBlock = 300 * 1024;
  if (weight_bytes / sms > kMuchOfBlock) {
    if (which != DecodeLinear::qkv) return kWholeBudget;
    // The attention of several rows has more to prepare: it fetches its first tiles beside qkv.
    return x_rows == 1 ? kQkvBudget : kBesideAttentionBudget;
  }
  // gate_up's ring has the longest time to fill, while the attention and the sum before it run; the matrix of down,
  // half as large, fits beside what the next layer's qkv takes.
  if (which == DecodeLinear::gate_up) return kWholeBudget;
  if (x_rows == 1 && which == DecodeLinear::down && 2 * weight_bytes / sms <= kMuchOfBlock) return kDownBudget;
  return kHalfBudget;
}

}  // namespace specthink::inline kernels
