#include "model/checkpoint/quantized_weights.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <array>

#include "model/checkpoint/stored_tensors.h"
#include "model/model_files.h"
#include "specthink/base/json.h"

namespace specthink {
namespace {

using test::expect_user_error;
using test::SafetensorsWriter;
using test::TemporaryFolder;

constexpr std::int64_t kRows = 16;
constexpr std::int64_t kColumns = 32;
constexpr std::int64_t kGroup = 16;
constexpr std::int64_t kGroups = kColumns / kGroup;

at::Tensor read_whole(const StoredTensor& stored) { return read_rows(whole(stored)); }

Quantization quantization_of(const Json& settings) {
  const Json config{{"quantization_config", settings}};
  return parse_quantization(ConfigReader(config, "config.json"));
}

// The numbers of a matrix of 4 bits: weight (row, column) is (number - zero of its group) · scale of its group.
std::uint32_t number_at(std::int64_t row, std::int64_t column) { return (row * 7 + column * 3 + row * column) % 16; }
std::uint32_t zero_at(std::int64_t row, std::int64_t group) { return 1 + (row + 5 * group) % 14; }
float scale_at(std::int64_t row, std::int64_t group) { return 0.25F * static_cast<float>(1 + (row + group) % 5); }

/// Words of 8 numbers `of(word, i)`, the first in the lowest bits.
template <typename Number>
std::vector<std::uint32_t> pack(std::int64_t words, Number of) {
  std::vector<std::uint32_t> result;
  for (std::int64_t word = 0; word < words; ++word) {
    std::uint32_t value = 0;
    for (std::int64_t i = 0; i < 8; ++i) value |= of(word, i) << (4 * i);
    result.push_back(value);
  }
  return result;
}

std::vector<float> scales() {
  std::vector<float> values;
  for (std::int64_t group = 0; group < kGroups; ++group) {
    for (std::int64_t row = 0; row < kRows; ++row) values.push_back(scale_at(row, group));
  }
  return values;
}

/// qweight [columns / 8, rows], qzeros [groups, rows / 8], g_idx: as AutoGPTQ packs them.
std::string gptq_file(const std::vector<std::int32_t>& group_of, std::uint32_t stored_less) {
  SafetensorsWriter file;
  file.add("m.qweight", "I32", {kColumns / 8, kRows}, pack(kColumns / 8 * kRows, [](std::int64_t word, std::int64_t i) {
             return number_at(word % kRows, word / kRows * 8 + i);
           }));
  file.add("m.qzeros", "I32", {kGroups, kRows / 8}, pack(kGroups * kRows / 8, [&](std::int64_t word, std::int64_t i) {
             return zero_at(word % (kRows / 8) * 8 + i, word / (kRows / 8)) - stored_less;
           }));
  file.add("m.scales", "F32", {kGroups, kRows}, scales());
  if (!group_of.empty()) file.add("m.g_idx", "I32", {kColumns}, group_of);
  return file.bytes();
}

/// qweight [columns, rows / 8], qzeros [groups, rows / 8]: as AutoAWQ packs them, the rows of a word in its own order.
std::string awq_file() {
  static constexpr std::array<std::int64_t, 8> kOrder{0, 2, 4, 6, 1, 3, 5, 7};
  SafetensorsWriter file;
  file.add("m.qweight", "I32", {kColumns, kRows / 8}, pack(kColumns * kRows / 8, [](std::int64_t word, std::int64_t i) {
             return number_at(word % (kRows / 8) * 8 + kOrder[i], word / (kRows / 8));
           }));
  file.add("m.qzeros", "I32", {kGroups, kRows / 8}, pack(kGroups * kRows / 8, [](std::int64_t word, std::int64_t i) {
             return zero_at(word % (kRows / 8) * 8 + kOrder[i], word / (kRows / 8));
           }));
  file.add("m.scales", "F32", {kGroups, kRows}, scales());
  return file.bytes();
}

void expect_weights(const std::string& bytes, const Quantization& quantization,
                    const std::vector<std::int32_t>& group_of = {}) {
  const TemporaryFolder folder;
  folder.write("model.safetensors", bytes);
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  EXPECT_TRUE(is_quantized(checkpoint, "m"));
  const at::Tensor found = dequantized(checkpoint, quantization, "m", kRows, kColumns, read_whole).contiguous();
  ASSERT_EQ(found.sizes(), (std::vector<std::int64_t>{kRows, kColumns}));
  for (std::int64_t row = 0; row < kRows; ++row) {
    for (std::int64_t column = 0; column < kColumns; ++column) {
      const std::int64_t group = group_of.empty() ? column / kGroup : group_of[static_cast<std::size_t>(column)];
      const float number = static_cast<float>(number_at(row, column)) - static_cast<float>(zero_at(row, group));
      EXPECT_EQ(found[row][column].item<float>(), number * scale_at(row, group)) << row << ", " << column;
    }
  }
}

TEST(quantized_weights, gptq) {
  expect_weights(gptq_file({}, 1), quantization_of({{"quant_method", "gptq"}, {"bits", 4}, {"group_size", kGroup}}));
  expect_weights(
      gptq_file({}, 0),
      quantization_of(
          {{"quant_method", "gptq"}, {"bits", 4}, {"group_size", kGroup}, {"checkpoint_format", "gptq_v2"}}));
  std::vector<std::int32_t> group_of;
  for (std::int32_t column = 0; column < kColumns; ++column) group_of.push_back(column % 2);
  expect_weights(gptq_file(group_of, 1),
                 quantization_of({{"quant_method", "gptq"}, {"bits", 4}, {"group_size", kGroup}}), group_of);
}

TEST(quantized_weights, awq) {
  expect_weights(awq_file(),
                 quantization_of({{"quant_method", "awq"}, {"bits", 4}, {"group_size", kGroup}, {"version", "gemm"}}));
}

TEST(quantized_weights, fp8_with_block_scales) {
  SafetensorsWriter file;
  const at::Tensor values = at::arange(0, kRows * kColumns, at::kFloat).remainder(31).sub(15).to(at::kFloat8_e4m3fn);
  const auto* data = static_cast<const std::uint8_t*>(values.const_data_ptr());
  file.add("m.weight", "F8_E4M3", {kRows, kColumns}, std::vector<std::uint8_t>(data, data + kRows * kColumns));
  file.add("m.weight_scale_inv", "F32", {2, 2}, std::vector<float>{1, 2, 3, 4});
  const TemporaryFolder folder;
  folder.write("model.safetensors", file.bytes());
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  const Quantization quantization = quantization_of({{"quant_method", "fp8"}, {"weight_block_size", {10, 20}}});
  const at::Tensor found = dequantized(checkpoint, quantization, "m", kRows, kColumns, read_whole);
  for (const auto& [row, column, scale] :
       std::vector<std::tuple<int, int, float>>{{0, 0, 1}, {9, 19, 1}, {0, 20, 2}, {10, 19, 3}, {15, 31, 4}}) {
    EXPECT_EQ(found[row][column].item<float>(), scale * static_cast<float>((row * 32 + column) % 31 - 15));
  }
}

TEST(quantized_weights, wrong_parts_are_named) {
  const TemporaryFolder folder;
  folder.write("model.safetensors", gptq_file(std::vector<std::int32_t>(kColumns, 7), 1));
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  const Quantization gptq = quantization_of({{"quant_method", "gptq"}, {"bits", 4}, {"group_size", kGroup}});
  expect_user_error([&] { dequantized(checkpoint, gptq, "m", kRows, kColumns, read_whole); },
                    {"m.g_idx", "2 groups", "7"});
  expect_user_error([&] { check_quantized(checkpoint, gptq, "m", kRows, 2 * kColumns); }, {"m.qweight", "[8,16]"});
  expect_user_error([&] { check_quantized(checkpoint, gptq, "m", kRows + 4, kColumns); }, {"\"m\"", "20"});
  expect_user_error([&] { check_quantized(checkpoint, gptq, "other", kRows, kColumns); }, {"other.qweight"});
}

TEST(quantized_weights, other_methods_are_refused) {
  EXPECT_FALSE(parse_quantization(ConfigReader(Json::object(), "config.json")).is_any());
  EXPECT_EQ(quantization_of({{"quant_method", "awq"}, {"bits", 4}, {"group_size", 128}}).name,
            "AWQ, 4 bits, groups of 128");
  expect_user_error(
      [] {
        quantization_of({{"quant_method", "bitsandbytes"}, {"load_in_4bit", true}});
      },
      {"config.json: quantization_config.quant_method", "awq, gptq or fp8", "bitsandbytes"});
  expect_user_error([] { quantization_of({{"quant_method", "gptq"}, {"bits", 8}}); }, {"bits", "8"});
  expect_user_error(
      [] {
        quantization_of({{"quant_method", "awq"}, {"bits", 4}, {"version", "gemv"}});
      },
      {"version", "gemv"});
  expect_user_error([] { quantization_of({{"quant_method", "fp8"}}); }, {"weight_block_size"});
  expect_user_error([] { quantization_of(7); }, {"quantization_config", "7"});
}

}  // namespace
}  // namespace specthink
