// The small kernels of a decode step: what the host tells it, the embedding, the norm of several rows.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/decode/linear/linear.h"
#include "kernels/decode/slot_state.h"
#include "kernels/exchange/exchange.h"
#include "specthink/kernels/element_type.h"

namespace specthink::inline kernels {

// What the host tells a step travels as kernel parameters, so that nothing waits for a copy.

/// Stores the state of a slot's new request. Writes sizeof(SlotState), about 170 bytes.
void launch_begin_request(SlotState* slot, const SlotState& value, cudaStream_t stream);

/// Stores the rows of the coming steps, which have up to `rows`; positions, and tokens that are -1, come from the
/// slots. Writes 36 bytes a row, of 16 rows or of all.
void launch_set_layout(StepLayout* layout, const StepLayout& value, int rows, const SlotState* slots,
                       cudaStream_t stream);

/// Each row's embedding to every rank: the token's row of the table from the rank that holds it, zeros from the others.
/// `table`: [vocab_local, hidden], ids from first_vocab on; `hidden` a multiple of 4. Reads rows · hidden elements and
/// writes rows · hidden · 4 bytes to every rank.
void launch_embed_rows(const StepLayout* layout, const void* table, std::int64_t first_vocab, std::int64_t vocab_local,
                       std::int64_t hidden, int rows, const SentPartials& sent, ElementType type, cudaStream_t stream);

/// Where normed rows go.
struct NormedRows {
  void* rows = nullptr;
  bool are_row_major = false;  ///< [rows, hidden]; else in activation layout
  float* inverses = nullptr;   ///< [rows], or null. Given, bfloat16 rows become LinearInput::scaled, with these.
};

/// NormInput of several rows: residual_out [rows, hidden] and the normed rows.
/// Reads the ranks' partial sums, 4 bytes an element and rank, and writes 4 + 2 bytes an element; with a buffer to
/// reset, as many bytes as are read once more.
void launch_norm_rows(const NormInput& norm, std::int64_t hidden, int rows, const NormedRows& to,
                      const SpinLimit& limit, ElementType type, bool dependent, cudaStream_t stream);

}  // namespace specthink::inline kernels
