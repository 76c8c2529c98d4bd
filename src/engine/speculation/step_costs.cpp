#include "specthink/engine/step_costs.h"

#include <algorithm>
#include <array>
#include <vector>

#include "specthink/base/error.h"

namespace specthink::inline engine {
namespace {

// Bytes that a GPU reads a second, where measured (`replay` prints it), otherwise about nine tenths of what its maker
// names.
struct ReadRate {
  std::string_view name;  // part of the device's name
  double bytes_per_second;
};
constexpr ReadRate kReadRates[] = {{"H200", 4.55e12}, {"H100", 3.11e12}, {"A100", 1.8e12}, {"L40S", 0.78e12},
                                   {"L40", 0.78e12},  {"L4", 0.27e12},   {"A10", 0.54e12}, {"4090", 0.91e12},
                                   {"3090", 0.84e12}, {"B200", 7.2e12}};
constexpr double kOtherReadRate = 1.5e12;
constexpr double kCpuReadRate = 10e9;

/// Microseconds that a layer takes beyond reading its weights, by the number of rows.
using LayerOverheads = std::array<double, kStepRowCounts.size()>;
// Fitted to Qwen3-32B and 1.7B on one and two H200 (tests/engine/step_costs_test.cpp): every figure within 8 %.
constexpr LayerOverheads kKernelOverheads{14, 19.5, 20.5, 23, 39};
// The same models by operators on two H200, 1, 4 and 16 rows; those between are between.
constexpr LayerOverheads kOperatorOverheads{40, 65, 70, 72, 76};
// Qwen3-1.7B and 8B by portable steps on one H200, within 8 %.
constexpr LayerOverheads kPortableOverheads{22.5, 48, 57, 67, 81};
// A step with proposals is chosen by the host when it has read the one before; plain steps are queued ahead.
constexpr double kRoundTripMilliseconds = 0.02;
// 8-bit weights are read slower than memory could: what is converted in registers takes the time, and of 16 rows that x
// leaves little room for weights in a block's memory. Steps of Qwen3-32B on one H200, of up to four rows on two.
constexpr LayerOverheads kFloat8ShareOfRate{0.92, 0.84, 0.83, 0.83, 0.71};
// What rows more cost on two cores, as shares of one row's time: the demo pair in float32 and bfloat16, and a model of
// 0.5 billion parameters, by --calibrate-steps. Several rows are a matrix product instead of a product with a vector.
constexpr std::array<double, kStepRowCounts.size()> kCpuRowShares{1, 1.4, 1.55, 1.8, 2.6};
constexpr double kCpuLayerMicroseconds = 150;

double gpu_read_rate(std::string_view device_name) {
  for (const ReadRate& rate : kReadRates) {
    if (device_name.find(rate.name) != std::string_view::npos) return rate.bytes_per_second;
  }
  return kOtherReadRate;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

RowCosts estimate_row_costs(const StepFacts& facts) {
  RowCosts costs{};
  const auto layers = static_cast<double>(facts.layers);
  const double rate = facts.on_gpu ? gpu_read_rate(facts.device_name) : kCpuReadRate;
  const double reading = 1e3 * static_cast<double>(facts.weight_bytes) / rate;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    if (!facts.on_gpu) {
      costs[i] = (reading + 1e-3 * kCpuLayerMicroseconds * layers) * kCpuRowShares[i];
    } else {
      const LayerOverheads& overheads = !facts.kernels                           ? kOperatorOverheads
                                        : facts.kernels == StepKernels::portable ? kPortableOverheads
                                                                                 : kKernelOverheads;
      const double converting =
          facts.kernels ? 1e3 * static_cast<double>(facts.float8_bytes) / rate * (1 / kFloat8ShareOfRate[i] - 1) : 0;
      costs[i] =
          reading + converting + 1e-3 * overheads[i] * layers + (kStepRowCounts[i] > 1 ? kRoundTripMilliseconds : 0);
    }
  }
  return costs;
}

StepCosts measure_step_costs(Engine& engine, bool has_draft, std::int64_t vocab_size) {
  constexpr std::int64_t kText = 64;
  constexpr int kRepeats = 7;
  std::int64_t longest = kText;
  for (const int rows : kStepRowCounts) longest += std::int64_t{kRepeats} * rows;
  const std::optional<int> sequence = engine.open(std::min(engine.capacity(), longest + 1));
  check(sequence.has_value() && engine.capacity() > longest, "room for a short text");
  StepCosts costs;
  for (const Role role : {Role::target, Role::draft}) {
    if (role == Role::draft && !has_draft) continue;
    TokenIds text;
    const auto extend = [&](std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i) {
        const auto length = static_cast<std::int64_t>(text.size());
        text.push_back(static_cast<TokenId>(length * 7919 % vocab_size));
      }
    };
    const auto step = [&] {
      Request request;
      request.role = role;
      request.purpose = role == Role::draft ? Purpose::segment : Purpose::takeover;
      request.prefix = text;
      request.max_tokens = 1;
      const PhaseTimes times = engine.generate(*sequence, request, {.ignore_eos = true, .speculates = false}).times;
      return 1e3 * (times.prefill_seconds + times.decode_seconds);
    };
    engine.reset(*sequence);
    extend(kText);
    step();
    for (std::size_t i = 0; i < kStepRowCounts.size(); ++i) {
      std::vector<double> milliseconds;
      for (int repeat = 0; repeat < kRepeats; ++repeat) {
        extend(kStepRowCounts[i]);
        milliseconds.push_back(step());
      }
      (role == Role::target ? costs.target : costs.draft)[i] = median(std::move(milliseconds));
    }
  }
  engine.close(*sequence);
  return costs;
}

}  // namespace specthink::inline engine
