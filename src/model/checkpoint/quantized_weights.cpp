#include "model/checkpoint/quantized_weights.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <array>
#include <vector>

#include "model/checkpoint/stored_tensors.h"
#include "model/checkpoint/unique_json.h"
#include "specthink/base/error.h"

namespace specthink::inline model {
namespace {

constexpr std::int64_t kPerWord = 8;  // numbers of 4 bits in an int32

/// Column of the number at bit 4·i of AWQ's words, whose order suits its kernels.
constexpr std::array<std::int64_t, kPerWord> kAwqColumns{0, 2, 4, 6, 1, 3, 5, 7};

const StoredTensor& require_type(const Checkpoint& checkpoint, const std::string& name,
                                 const std::vector<std::int64_t>& shape, StoredType type) {
  const StoredTensor& stored = checkpoint.require(name, shape);
  if (stored.type != type) {
    throw UserError("{}: expected type {}, found {}", stored.where(), name_of(type), name_of(stored.type));
  }
  return stored;
}

/// [a, b] int32 -> [a, b, 8] int32: the numbers of each word, the one in the lowest bits first.
at::Tensor unpack(const at::Tensor& words) {
  const at::Tensor shifts = at::arange(0, 4 * kPerWord, 4, words.options());
  return at::bitwise_right_shift(words.unsqueeze(2), shifts).bitwise_and_(15);
}

/// [a, b] int32 -> [a, 8·b]: the numbers of a row of words, in the order of their columns.
at::Tensor unpack_columns(const at::Tensor& words, bool awq) {
  at::Tensor numbers = unpack(words);
  if (awq) {
    std::vector<std::int64_t> place_of(kPerWord);  // column -> place in the word
    for (std::int64_t i = 0; i < kPerWord; ++i) place_of[static_cast<std::size_t>(kAwqColumns[i])] = i;
    numbers = numbers.index_select(2, at::tensor(at::ArrayRef<std::int64_t>(place_of)).to(words.device()));
  }
  return numbers.reshape({words.size(0), kPerWord * words.size(1)});
}

/// The tensors of a matrix of 4 bits, whose stored form is that of its transpose.
struct FourBits {
  FourBits(const Checkpoint& checkpoint, const Quantization& quantization, const std::string& module, std::int64_t rows,
           std::int64_t columns)
      : group(quantization.group_size > 0 ? quantization.group_size : columns) {
    if (rows % kPerWord != 0 || columns % kPerWord != 0 || columns % group != 0) {
      throw UserError("{}: {}: a matrix of {} × {} has no whole words of 8 numbers, or groups of {}",
                      checkpoint.folder().string(), quoted(module), rows, columns, group);
    }
    const std::int64_t groups = columns / group;
    const bool awq = quantization.method == "awq";
    const std::vector<std::int64_t> shape =
        awq ? std::vector{columns, rows / kPerWord} : std::vector{columns / kPerWord, rows};
    weights = &require_type(checkpoint, module + ".qweight", shape, StoredType::int32);
    zeros = &require_type(checkpoint, module + ".qzeros", {groups, rows / kPerWord}, StoredType::int32);
    scales = &checkpoint.require(module + ".scales", {groups, rows});
    if (!awq && checkpoint.contains(module + ".g_idx")) {
      group_of = &require_type(checkpoint, module + ".g_idx", {columns}, StoredType::int32);
    }
  }

  /// In the order in which they are read.
  std::vector<const StoredTensor*> tensors() const {
    std::vector<const StoredTensor*> all{weights, zeros, scales};
    if (group_of) all.push_back(group_of);
    return all;
  }

  std::int64_t group;  // columns that share a scale
  const StoredTensor* weights;
  const StoredTensor* zeros;
  const StoredTensor* scales;
  const StoredTensor* group_of = nullptr;  // of each column; null: in order
};

at::Tensor dequantize_four_bits(const FourBits& stored, const Quantization& quantization, std::int64_t rows,
                                std::int64_t columns, const ReadWhole& read) {
  const bool awq = quantization.method == "awq";
  const at::Tensor words = read(*stored.weights);
  const at::Tensor numbers =  // [columns, rows]
      awq ? unpack_columns(words, true) : unpack(words).permute({0, 2, 1}).reshape({columns, rows});
  at::Tensor zeros = unpack_columns(read(*stored.zeros), awq);  // [groups, rows]
  if (quantization.zeros_less_one) zeros = zeros + 1;
  const at::Tensor scales = read(*stored.scales).to(at::kFloat);
  const at::Tensor group_of = stored.group_of
                                  ? read(*stored.group_of).view({columns}).to(at::kLong)
                                  : at::arange(columns, words.options().dtype(at::kLong)).floor_divide(stored.group);
  if (group_of.min().item<std::int64_t>() < 0 || group_of.max().item<std::int64_t>() >= scales.size(0)) {
    throw UserError("{}: expected numbers of {} groups, found {} to {}", stored.group_of->where(), scales.size(0),
                    group_of.min().item<std::int64_t>(), group_of.max().item<std::int64_t>());
  }
  const at::Tensor centered = (numbers - zeros.index_select(0, group_of)).to(at::kFloat);
  return (centered * scales.index_select(0, group_of)).t();
}

/// [blocks of rows, blocks of columns] of the scales of a matrix of 8-bit floats.
std::vector<std::int64_t> scale_shape(const Quantization& quantization, std::int64_t rows, std::int64_t columns) {
  const auto [block_rows, block_columns] = quantization.block;
  return {(rows + block_rows - 1) / block_rows, (columns + block_columns - 1) / block_columns};
}

at::Tensor dequantize_float8(const Checkpoint& checkpoint, const Quantization& quantization, const std::string& module,
                             std::int64_t rows, std::int64_t columns, const ReadWhole& read) {
  const StoredFloat8 stored = stored_float8(checkpoint, quantization, module, rows, columns);
  const at::Tensor values = read(*stored.data).to(at::kFloat);
  const at::Tensor scales = read(*stored.scales).to(at::kFloat);
  const at::Tensor spread = scales.repeat_interleave(quantization.block[0], 0)
                                .repeat_interleave(quantization.block[1], 1)
                                .narrow(0, 0, rows)
                                .narrow(1, 0, columns);
  return values * spread;
}

}  // namespace

bool is_quantized(const Checkpoint& checkpoint, const std::string& module) {
  return (!checkpoint.contains(module + ".weight") && checkpoint.contains(module + ".qweight")) ||
         checkpoint.contains(module + ".weight_scale_inv");
}

void check_quantized(const Checkpoint& checkpoint, const Quantization& quantization, const std::string& module,
                     std::int64_t rows, std::int64_t columns) {
  if (quantization.method != "fp8") {
    FourBits(checkpoint, quantization, module, rows, columns);
    return;
  }
  stored_float8(checkpoint, quantization, module, rows, columns);
}

StoredFloat8 stored_float8(const Checkpoint& checkpoint, const Quantization& quantization, const std::string& module,
                           std::int64_t rows, std::int64_t columns) {
  return {&require_type(checkpoint, module + ".weight", {rows, columns}, StoredType::float8_e4m3),
          &checkpoint.require(module + ".weight_scale_inv", scale_shape(quantization, rows, columns))};
}

std::vector<const StoredTensor*> quantized_tensors(const Checkpoint& checkpoint, const Quantization& quantization,
                                                   const std::string& module, std::int64_t rows, std::int64_t columns) {
  if (quantization.method != "fp8") return FourBits(checkpoint, quantization, module, rows, columns).tensors();
  const StoredFloat8 stored = stored_float8(checkpoint, quantization, module, rows, columns);
  return {stored.data, stored.scales};
}

at::Tensor dequantized(const Checkpoint& checkpoint, const Quantization& quantization, const std::string& module,
                       std::int64_t rows, std::int64_t columns, const ReadWhole& read) {
  if (quantization.method == "fp8") {
    return dequantize_float8(checkpoint, quantization, module, rows, columns, read);
  }
  return dequantize_four_bits(FourBits(checkpoint, quantization, module, rows, columns), quantization, rows, columns,
                              read);
}

Quantization parse_quantization(const ConfigReader& config) {
  if (!config.has("quantization_config")) return {};
  const ConfigReader settings = config.object("quantization_config");
  Quantization result;
  result.method = settings.text("quant_method", "");
  if (result.method == "fp8") {
    const Json* block = settings.find("weight_block_size");
    if (!block || !block->is_array() || block->size() != 2 || !std::ranges::all_of(*block, [](const Json& size) {
          return size.is_number_integer() && size > 0 && size < 65536;
        })) {
      settings.fail("weight_block_size", "two sizes, [128, 128] for instance (only FP8 with a scale for each block)");
    }
    result.block = {(*block)[0].get<std::int64_t>(), (*block)[1].get<std::int64_t>()};
    result.name = "FP8";
    return result;
  }
  if (result.method != "awq" && result.method != "gptq") {
    settings.fail("quant_method",
                  "awq, gptq or fp8 (other quantised weights are not supported: use the original model in bfloat16)");
  }
  settings.integer("bits", 4, 4);
  result.group_size = settings.integer("group_size", -1, 65536, 128);
  if (result.group_size == 0) settings.fail("group_size", "-1 or a number above 0");
  if (result.method == "awq") {
    const std::string version = settings.text("version", "gemm");
    if (version != "gemm" && version != "GEMM") settings.fail("version", "gemm");
  } else {
    result.zeros_less_one = settings.text("checkpoint_format", "gptq") != "gptq_v2";
  }
  result.name = fmt::format("{}, 4 bits, groups of {}", result.method == "awq" ? "AWQ" : "GPTQ", result.group_size);
  return result;
}

}  // namespace specthink::inline model
