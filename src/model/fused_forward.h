// The forward pass on GPUs with few launches: library matrix products, or kernels/prefill_linear.h for few rows,
// joined by the kernels of kernels/prefill_ops.h, kernels/prefill_attention.h and kernels/peer_sum.h, or the libraries'
// attention and all-reduce where those do not run.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/kv_cache.h"
#include "specthink/comm/collectives.h"
#include "specthink/kernels/loaded_shard.h"
#include "specthink/kernels/peer_sum.h"
#include "specthink/kernels/prefill_attention.h"
#include "specthink/kernels/prefill_linear.h"
#include "specthink/kernels/prefill_ops.h"
#include "specthink/model/transformer.h"

namespace specthink::inline model {

/// Computes what Transformer's LibTorch operators compute, to within the rounding of the norms' sums. Holds views of
/// the weights and the cache; shard, collectives and peer_sum (which may be null) must outlive it.
class FusedForward {
 public:
  FusedForward(const LoadedShard& shard, const KvCache& cache, Collectives& collectives, PeerSum* peer_sum);

  /// Whether it can use the matrix.
  static bool takes(const WeightMatrix& weights);

  /// Sets memory aside for steps of up to so many rows.
  void reserve(std::int64_t rows);

  /// As Transformer::forward, for rows that fit the cache. Never waits for the device. Collective.
  at::Tensor run(std::span<const SlotRows> batch);

  /// As Transformer::prefill, likewise.
  at::Tensor run_for_last(const SlotRows& rows);

 private:
  struct Matrix {
    at::Tensor weights;                       // [output, input] of the type of activations
    std::unique_ptr<PrefillLinear> few_rows;  // null where it does not run
    const WeightMatrix* float8 = nullptr;     // what is dequantised into `weights`, which other matrices share, for a
                                              // library product; null: nothing
  };
  struct Layer {
    Matrix qkv;                // [hidden, (heads_local + 2·kv_heads_local)·head_dim]
    Matrix output;             // [heads_local·head_dim, hidden]
    Matrix gate_up;            // [hidden, 2·intermediate_local]; few_rows: the activation too
    Matrix down;               // [intermediate_local, hidden]
    at::Tensor cached_keys;    // [pages · kPageTokens, kv_heads_local, head_dim]
    at::Tensor cached_values;  // the same
  };

  /// Results of the operators, [rows, n] each; all layers use them in turn.
  struct Buffers {
    at::Tensor residual;   // [rows, hidden]: the hidden state
    at::Tensor delta;      // [rows, hidden]: what attention or feed-forward adds to it; undefined: peer_sum_ has it
    at::Tensor normed;     // [rows, hidden]
    at::Tensor qkv;        // [rows, (heads_local + 2·kv_heads_local)·head_dim]
    at::Tensor queries;    // [rows, heads_local, head_dim]
    at::Tensor attended;   // the same
    at::Tensor gate_up;    // [rows, 2·intermediate_local]
    at::Tensor activated;  // [rows, intermediate_local]
  };

  bool by_peers(std::int64_t rows) const;
  Buffers buffers_for(std::int64_t rows);
  static Buffers part_of(const Buffers& buffers, std::int64_t first, std::int64_t rows);
  at::Tensor run(std::span<const SlotRows> batch, bool for_last);
  prefill_ops::RowIndices embed(std::span<const SlotRows> batch, at::Tensor& part) const;
  void join_embedding(Buffers& buffers);
  Matrix matrix_of(const WeightMatrix& weights, PrefillLinear::Kind kind) const;
  static const at::Tensor& ready(const Matrix& matrix);
  static void multiply(const Matrix& matrix, const at::Tensor& x, const at::Tensor& bias, at::Tensor& y);
  at::Tensor partial_linear(const Matrix& matrix, const at::Tensor& x, const Buffers& buffers);
  void join(at::Tensor& partial, const at::Tensor& bias, const at::Tensor& norm, Buffers& buffers, at::Tensor& normed);
  void store_heads(std::size_t layer, const prefill_ops::RowIndices& indices, Buffers& buffers);
  at::Tensor attend_slot(std::size_t layer, const SlotRows& rows, const at::Tensor& queries, at::Tensor attended);
  at::Tensor attend(std::size_t layer, std::span<const SlotRows> batch, const Buffers& buffers);
  at::Tensor attention_part(std::size_t layer, const at::Tensor& attended, const Buffers& buffers);
  at::Tensor feed_forward(std::size_t layer, Buffers& buffers);

  const LoadedShard& shard_;
  const ModelDescription& part_;
  const ModelWeights& weights_;
  Collectives& collectives_;
  PeerSum* peer_sum_;
  std::unique_ptr<PrefillAttention> attention_;  // null: the library's
  const KvCache& cache_;
  at::Tensor dequantized_;  // [elements of the largest matrix], of 8-bit weights
  std::vector<Layer> layers_;
  Buffers all_;  // for as many rows as were ever asked for; delta only where peer_sum_ does not take them
};

}  // namespace specthink::inline model
