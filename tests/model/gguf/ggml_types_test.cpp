#include "model/gguf/ggml_types.h"

#include <gtest/gtest.h>

#include <vector>

#include "specthink/base/json.h"

namespace specthink {
namespace {

std::vector<std::byte> from_hex(const std::string& text) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(text.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// tools/make_golden_gguf.py: what the gguf package reads from random blocks.
TEST(ggml_types, agree_with_the_gguf_package) {
  const Json cases = read_json("tests/model/golden/ggml_types.json");
  EXPECT_EQ(cases.size(), 11u);
  for (const Json& expected : cases) {
    SCOPED_TRACE(expected["type"].get<std::string>());
    const gguf::GgmlType* type = gguf::find_type(expected["id"]);
    ASSERT_NE(type, nullptr);
    EXPECT_EQ(type->name, expected["type"].get<std::string>());
    const std::vector<std::byte> bytes = from_hex(expected["bytes"]);
    const auto values = expected["values"].get<std::vector<float>>();
    ASSERT_EQ(bytes.size() % static_cast<std::size_t>(type->block_bytes), 0u);
    const auto blocks = static_cast<std::int64_t>(bytes.size()) / type->block_bytes;
    ASSERT_EQ(static_cast<std::size_t>(blocks * type->block_elements), values.size());
    std::vector<float> found(values.size());
    type->dequantize(bytes.data(), blocks, found.data());
    EXPECT_EQ(found, values);
  }
}

TEST(ggml_types, unsupported_ones_have_names) {
  EXPECT_EQ(gguf::find_type(4), nullptr) << "a number that ggml has given up";
  ASSERT_NE(gguf::find_type(10), nullptr);
  EXPECT_STREQ(gguf::find_type(10)->name, "Q2_K");
  EXPECT_EQ(gguf::find_type(10)->dequantize, nullptr);
  EXPECT_EQ(gguf::supported_type_names(), "F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, F64, BF16");
}

}  // namespace
}  // namespace specthink
