// A rank's part of a model in memory, as operators and kernels read it.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <vector>

#include "specthink/kernels/model_description.h"

namespace specthink::inline kernels {

enum class WeightType { bfloat16, float16, float32, float8 };

/// The matrix of a linear layer, [output, input].
struct WeightMatrix {
  at::Tensor data;                         // [output, input]
  WeightType type = WeightType::bfloat16;  ///< of the data's elements
  // float8 (e4m3): the weight at (row, column) is the datum times scales[row / scale_rows][column / scale_columns].
  at::Tensor scales;               // [blocks of rows, blocks of columns] float32; undefined for the other types
  std::int64_t scale_rows = 0;     ///< of a block, a power of two
  std::int64_t scale_columns = 0;  ///< the same
};

/// Sizes are those of the rank's part: LoadedShard::part.
struct LayerWeights {
  at::Tensor input_norm;   // [hidden]
  WeightMatrix qkv;        // [(heads + 2·kv_heads)·head_dim, hidden]: query, key, value heads in this order
  at::Tensor qkv_bias;     // the same rows; undefined: none
  at::Tensor qk_norm;      // [heads + kv_heads, head_dim]: the norm's weight for each head; undefined: none
  WeightMatrix output;     // [hidden, heads·head_dim]
  at::Tensor output_bias;  // [hidden]; undefined: none
  at::Tensor post_norm;    // [hidden]
  WeightMatrix gate_up;    // [2·intermediate, hidden]: gate rows, then up rows
  WeightMatrix down;       // [hidden, intermediate]
};

struct ModelWeights {
  at::Tensor embedding;  // [vocab, hidden]
  std::vector<LayerWeights> layers;
  at::Tensor final_norm;  // [hidden]
  WeightMatrix head;      // [vocab, hidden]; its data is the embedding itself when tied
};

/// Per position and element of a head: both halves of `cos` alike, `sin` negated in the first half, so that a rotated
/// head is head·cos + roll(head, head_dim / 2)·sin.
struct RopeTables {
  at::Tensor cos;  // [positions, head_dim]
  at::Tensor sin;  // the same
};

/// Copies share the tensors.
struct LoadedShard {
  ModelDescription part;         ///< heads, intermediate size and vocabulary (padding included) are the rank's own
  std::int64_t first_vocab = 0;  ///< id of the first row of embedding and head
  at::Tensor kv_head_of;         // [heads] int64: the rank's KV head of each query head
  bool uniform_groups = true;    ///< every KV head serves the same number of consecutive query heads
  ModelWeights weights;
  RopeTables rope;   // [positions of the cache, head_dim]
  at::Tensor cache;  // [layers, 2, pages, page_tokens, kv_heads, head_dim]: keys, then values
  /// [kMaxSequences, pages] int32: row s begins with the pages of the sequence in slot s, in order of position. Changed
  /// by work on the model's stream.
  at::Tensor page_tables;

  c10::Device device() const { return weights.embedding.device(); }
  at::ScalarType compute_type() const { return weights.embedding.scalar_type(); }  ///< of activations and cache
};

}  // namespace specthink::inline kernels
