// The small kernels of a decode step: the start of a request, the embedding, the norm of several rows.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/decode/linear.h"
#include "kernels/decode/request_state.h"
#include "kernels/exchange/exchange.h"
#include "specthink/kernels/element_type.h"

namespace specthink {

/// Stores the state of a new request; travels as a kernel parameter, so that nothing waits for a copy.
void launch_begin_request(RequestState* state, const RequestState& value, cudaStream_t stream);

/// Each row's embedding to every rank: the token's row of the table from the rank that holds it, zeros from the others.
/// `table`: [vocab_local, hidden], ids from first_vocab on; `hidden` a multiple of 4.
void launch_embed_rows(const RequestState* state, const void* table, std::int64_t first_vocab, std::int64_t vocab_local,
                       std::int64_t hidden, int rows, const SentPartials& sent, ElementType type, cudaStream_t stream);

/// NormInput of several rows: residual_out [rows, hidden] and the normed rows in activation layout.
void launch_norm_rows(const NormInput& norm, std::int64_t hidden, int rows, void* output, const SpinLimit& limit,
                      ElementType type, bool dependent, cudaStream_t stream);

}  // namespace specthink
