// Rows that a decoder runs by the model's forward pass rather than as a decode step.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "specthink/base/types.h"
#include "specthink/comm/process_group.h"
#include "specthink/model/transformer.h"

namespace specthink::inline engine {

/// A model, and how it is prefilled.
struct PrefillContext {
  const ProcessGroup& group;  ///< learns where the rank is
  Transformer& model;
  std::int64_t prefill_rows;  ///< of a forward pass at most
};

/// Runs consecutive tokens of a slot's sequence, in steps of at most prefill_rows; returns the hidden state after the
/// last one, [1, hidden].
at::Tensor prefill(const PrefillContext& context, int slot, std::int64_t position, std::span<const TokenId> tokens);

}  // namespace specthink::inline engine
