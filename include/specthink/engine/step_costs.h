// What decode steps of several rows cost, from shipped figures or measured.
#pragma once

#include <cstdint>
#include <string_view>

#include "specthink/engine/engine.h"
#include "specthink/engine/speculation.h"

namespace specthink::inline engine {

struct StepFacts {
  std::int64_t weight_bytes = 0;  ///< that a rank reads in a step
  std::int64_t layers = 0;
  bool on_gpu = false;
  std::optional<StepKernels> kernels;  ///< nothing: LibTorch operators
  std::string_view device_name;        ///< of a GPU, which decides how fast its memory is read
  std::int64_t float8_bytes = 0;       ///< of the weights' those of 8 bits
};

/// Milliseconds by the number of rows, as the shipped figures give them.
RowCosts estimate_row_costs(const StepFacts& facts);

/// Milliseconds as measured: steps over random tokens behind a short text, of seven the median. On rank 0, while no
/// sequence is open.
StepCosts measure_step_costs(Engine& engine, bool has_draft, std::int64_t vocab_size);

}  // namespace specthink::inline engine
