#include "model/weights.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "specthink/base/error.h"
#include "specthink/base/hash.h"
#include "specthink/kernels/random_fill.h"

namespace specthink::inline model {
namespace {

constexpr double kInitializerRange = 0.02;  // standard deviation of random weights, as models are initialised

/// Rows or columns [first, first + count) of a whole matrix; what lies beyond its end is padding with zeros.
struct Range {
  std::int64_t first;
  std::int64_t count;
};

/// Where weights come from: a checkpoint or a random generator. Each call gives this rank's part of one tensor.
class Source {
 public:
  virtual ~Source() = default;
  virtual at::Tensor vector(const std::string& name, std::int64_t size) = 0;
  virtual at::Tensor matrix(const std::string& name, std::int64_t rows, std::int64_t columns, Range row,
                            Range column) = 0;
  /// A slice of a bias vector.
  virtual at::Tensor bias(const std::string& name, std::int64_t size, Range range) = 0;
};

/// Part of `range` that exists in a dimension of `size`.
Range clip(Range range, std::int64_t size) {
  const std::int64_t first = std::min(range.first, size);
  return {first, std::min(range.first + range.count, size) - first};
}

at::ScalarType scalar_type(StoredType type) {
  switch (type) {
    case StoredType::bfloat16:
      return at::kBFloat16;
    case StoredType::float16:
      return at::kHalf;
    case StoredType::float32:
      return at::kFloat;
  }
  throw InternalError("unknown stored type");
}

class CheckpointSource final : public Source {
 public:
  CheckpointSource(const Checkpoint& checkpoint, at::TensorOptions options)
      : checkpoint_(checkpoint), options_(options) {}

  at::Tensor vector(const std::string& name, std::int64_t size) override { return bias(name, size, {0, size}); }

  at::Tensor bias(const std::string& name, std::int64_t size, Range range) override {
    return read(name, {size}, range, {0, 1}).view({range.count});
  }

  at::Tensor matrix(const std::string& name, std::int64_t rows, std::int64_t columns, Range row,
                    Range column) override {
    return read(name, {rows, columns}, row, column);
  }

 private:
  at::Tensor read(const std::string& name, const std::vector<std::int64_t>& shape, Range row, Range column) {
    const StoredTensor& stored = checkpoint_.require(name, shape);
    const std::int64_t columns = shape.size() == 2 ? shape[1] : 1;
    const Range rows_there = clip(row, shape[0]);
    const Range columns_there = clip(column, columns);
    const std::size_t row_bytes = static_cast<std::size_t>(columns) * size_of(stored.type);
    const std::byte* begin = stored.bytes.data() + static_cast<std::size_t>(rows_there.first) * row_bytes;

    // The data section of the file need not be aligned for its type.
    at::Tensor part;
    const auto there_type = scalar_type(stored.type);
    const at::Tensor rows_of_file = [&] {
      if (reinterpret_cast<std::uintptr_t>(begin) % size_of(stored.type) == 0) {
        return at::from_blob(const_cast<std::byte*>(begin), {rows_there.count, columns}, at::TensorOptions(there_type));
      }
      at::Tensor copy = at::empty({rows_there.count, columns}, at::TensorOptions(there_type));
      std::memcpy(copy.mutable_data_ptr(), begin, copy.nbytes());
      return copy;
    }();
    const at::Tensor slice = rows_of_file.narrow(1, columns_there.first, columns_there.count);
    if (rows_there.count == row.count && columns_there.count == column.count) {
      part = slice.contiguous().to(options_, /*non_blocking=*/false, /*copy=*/true);
    } else {
      part = at::zeros({row.count, column.count}, options_);
      part.narrow(0, 0, rows_there.count).narrow(1, 0, columns_there.count).copy_(slice);
    }
    stored.file->release(stored.offset(), stored.bytes.size());
    return part;
  }

  const Checkpoint& checkpoint_;
  at::TensorOptions options_;
};

/// Looks tensors up and reads nothing.
class ShapeCheck final : public Source {
 public:
  explicit ShapeCheck(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}

  at::Tensor vector(const std::string& name, std::int64_t size) override {
    checkpoint_.require(name, {size});
    return at::empty({size});
  }

  at::Tensor bias(const std::string& name, std::int64_t size, Range) override {
    checkpoint_.require(name, {size});
    return at::empty({0});
  }

  at::Tensor matrix(const std::string& name, std::int64_t rows, std::int64_t columns, Range, Range) override {
    checkpoint_.require(name, {rows, columns});
    return at::empty({0, columns});
  }

 private:
  const Checkpoint& checkpoint_;
};

class RandomSource final : public Source {
 public:
  RandomSource(at::TensorOptions options, std::uint64_t seed) : options_(options), seed_(seed) {}

  at::Tensor vector(const std::string&, std::int64_t size) override { return at::ones({size}, options_); }

  at::Tensor bias(const std::string&, std::int64_t, Range range) override { return at::zeros({range.count}, options_); }

  at::Tensor matrix(const std::string& name, std::int64_t rows, std::int64_t columns, Range row,
                    Range column) override {
    const Range rows_there = clip(row, rows);
    const Range columns_there = clip(column, columns);
    at::Tensor part = at::empty({rows_there.count, columns_there.count}, options_);
    const auto amplitude = static_cast<float>(kInitializerRange * std::sqrt(3.0));
    random_fill(part, {rows_there.first, columns_there.first, columns}, hash_text(name) ^ seed_, amplitude);
    if (rows_there.count == row.count && columns_there.count == column.count) return part;
    at::Tensor padded = at::zeros({row.count, column.count}, options_);
    padded.narrow(0, 0, rows_there.count).narrow(1, 0, columns_there.count).copy_(part);
    return padded;
  }

 private:
  at::TensorOptions options_;
  std::uint64_t seed_;
};

WeightType weight_type(at::ScalarType type) {
  switch (type) {
    case at::kBFloat16:
      return WeightType::bfloat16;
    case at::kHalf:
      return WeightType::float16;
    case at::kFloat:
      return WeightType::float32;
    default:
      throw InternalError("weights of an unknown type");
  }
}

WeightMatrix plain_matrix(at::Tensor data) {
  const WeightType type = weight_type(data.scalar_type());
  return {.data = std::move(data), .scales = {}, .type = type};
}

/// Matrices of which one linear layer is made, one below the other; all have the same columns.
struct Part {
  std::string module;
  std::int64_t rows;  // of the whole model
  Range here;         // of this rank
};

WeightMatrix stack(Source& source, const std::vector<Part>& parts, std::int64_t columns) {
  std::vector<at::Tensor> matrices;
  for (const auto& [module, rows, here] : parts) {
    matrices.push_back(source.matrix(module + ".weight", rows, columns, here, {0, columns}));
  }
  return plain_matrix(at::cat(matrices));
}

at::Tensor stack_bias(Source& source, const std::vector<Part>& parts) {
  std::vector<at::Tensor> vectors;
  for (const auto& [module, rows, here] : parts) vectors.push_back(source.bias(module + ".bias", rows, here));
  return at::cat(vectors);
}

LayerWeights read_layer(Source& source, const ModelConfig& config, const ShardPlan& plan, std::int64_t index) {
  const auto module = [&](const std::string& name) {
    return fmt::format("{}.{}.{}", config.tensors.layers, index, name);
  };
  const TensorNames& names = config.tensors;
  const std::int64_t head_dim = config.head_dim;
  const std::int64_t hidden = config.hidden_size;
  const Range all_hidden{0, hidden};
  const Range heads{plan.first_head * head_dim, plan.num_heads_local * head_dim};
  const Range kv_heads{plan.first_kv_head * head_dim, plan.num_kv_heads_local * head_dim};
  const Range intermediate{plan.first_intermediate, plan.intermediate_local};
  const std::vector<Part> qkv{{module(names.query), config.query_width(), heads},
                              {module(names.key), config.kv_width(), kv_heads},
                              {module(names.value), config.kv_width(), kv_heads}};

  LayerWeights layer;
  layer.input_norm = source.vector(module(names.input_norm) + ".weight", hidden);
  layer.qkv = stack(source, qkv, hidden);
  if (config.qkv_bias) layer.qkv_bias = stack_bias(source, qkv);
  layer.output =
      plain_matrix(source.matrix(module(names.output) + ".weight", hidden, config.query_width(), all_hidden, heads));
  if (config.output_bias) layer.output_bias = source.vector(module(names.output) + ".bias", hidden);
  if (config.qk_norm) {
    const at::Tensor query_norm = source.vector(module(names.query_norm) + ".weight", head_dim);
    const at::Tensor key_norm = source.vector(module(names.key_norm) + ".weight", head_dim);
    layer.qk_norm = at::cat(
        {query_norm.expand({plan.num_heads_local, head_dim}), key_norm.expand({plan.num_kv_heads_local, head_dim})});
  }
  layer.post_norm = source.vector(module(names.post_norm) + ".weight", hidden);
  layer.gate_up = stack(source,
                        {{module(names.gate), config.intermediate_size, intermediate},
                         {module(names.up), config.intermediate_size, intermediate}},
                        hidden);
  layer.down = plain_matrix(
      source.matrix(module(names.down) + ".weight", hidden, config.intermediate_size, all_hidden, intermediate));
  return layer;
}

ModelWeights read_model(Source& source, const ModelConfig& config, const ShardPlan& plan,
                        const LayerSink& on_layer = {}) {
  const Range vocab{plan.first_vocab, plan.vocab_local};
  const Range all_hidden{0, config.hidden_size};
  const auto vocab_matrix = [&](const std::string& module) {
    return source.matrix(module + ".weight", config.vocab_size, config.hidden_size, vocab, all_hidden);
  };
  ModelWeights weights;
  weights.embedding = vocab_matrix(config.tensors.embedding);
  for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
    if (on_layer) on_layer(layer);
    weights.layers.push_back(read_layer(source, config, plan, layer));
  }
  weights.final_norm = source.vector(config.tensors.final_norm + ".weight", config.hidden_size);
  weights.head = plain_matrix(config.tie_word_embeddings ? weights.embedding : vocab_matrix(config.tensors.head));
  return weights;
}

}  // namespace

at::ScalarType scalar_type(DType type) {
  switch (type) {
    case DType::bfloat16:
      return at::kBFloat16;
    case DType::float16:
      return at::kHalf;
    case DType::float32:
      return at::kFloat;
  }
  throw InternalError("unknown compute type");
}

void check_weights(const Checkpoint& checkpoint, const ModelConfig& config, const ShardPlan& plan) {
  ShapeCheck source(checkpoint);
  read_model(source, config, plan);
}

ModelWeights load_weights(const Checkpoint& checkpoint, const ModelConfig& config, const ShardPlan& plan, DType dtype,
                          c10::Device device, const LayerSink& on_layer) {
  CheckpointSource source(checkpoint, at::TensorOptions(device).dtype(scalar_type(dtype)));
  return read_model(source, config, plan, on_layer);
}

ModelWeights dummy_weights(const ModelConfig& config, const ShardPlan& plan, DType dtype, c10::Device device,
                           std::uint64_t seed, const LayerSink& on_layer) {
  RandomSource source(at::TensorOptions(device).dtype(scalar_type(dtype)), seed);
  return read_model(source, config, plan, on_layer);
}

}  // namespace specthink::inline model
