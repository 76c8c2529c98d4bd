#include "model/checkpoint/float8.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "model/linear.h"

namespace specthink {
namespace {

Float8Part quantized(const at::Tensor& matrix) { return quantize_float8(matrix, at::empty(matrix.sizes(), at::kByte)); }

WeightMatrix stacked(const std::vector<Float8Part>& parts) {
  std::vector<at::Tensor> data;
  for (const Float8Part& part : parts) data.push_back(part.data);
  return stack_float8(parts, at::cat(data));
}

at::Tensor values_of(const WeightMatrix& matrix) { return dequantize(matrix, 0, matrix.data.size(0), at::kFloat); }

TEST(float8, quantised_weights_are_the_nearest) {
  at::manual_seed(1);
  for (const auto& [rows, columns] : {std::pair{1, 1}, {128, 128}, {130, 300}, {7, 129}, {1500, 12800}}) {
    const at::Tensor matrix = at::randn({rows, columns}) * at::rand({rows, 1}).mul(4).exp();
    const Float8Part part = quantized(matrix);
    EXPECT_EQ(part.scales.size(0), (rows + 127) / 128);
    EXPECT_EQ(part.scales.size(1), (columns + 127) / 128);
    const at::Tensor found = values_of(stacked({part}));
    ASSERT_EQ(found.sizes(), matrix.sizes());
    // Three bits of fraction: half a step is a sixteenth of the number, or of the least normal one.
    const at::Tensor block_factor =
        part.scales.repeat_interleave(128, 0).narrow(0, 0, rows).repeat_interleave(128, 1).narrow(1, 0, columns);
    const at::Tensor bound = at::maximum(matrix.abs() / 16, block_factor / 64 / 16) * 1.0001;
    EXPECT_TRUE(((found - matrix).abs() <= bound).all().item<bool>()) << rows << " x " << columns;
    // The greatest of a block is exact, but for the rounding of the factor.
    EXPECT_NEAR(found.abs().max().item<float>(), matrix.abs().max().item<float>(),
                1e-6 * matrix.abs().max().item<float>());
  }
}

TEST(float8, zeros_stay_zeros) {
  const WeightMatrix matrix = stacked({quantized(at::zeros({3, 200}))});
  EXPECT_TRUE(at::equal(values_of(matrix), at::zeros({3, 200})));
}

/// A part of a matrix with blocks of 128 x 128 whose factors are all different.
Float8Part part_of(std::int64_t first_row, std::int64_t rows, std::int64_t first_column, std::int64_t columns,
                   const at::Tensor& data, const at::Tensor& scales) {
  return {data.view(at::kByte).narrow(0, first_row, rows).narrow(1, first_column, columns).contiguous(),
          scales.narrow(0, first_row / 128, (first_row + rows - 1) / 128 - first_row / 128 + 1)
              .narrow(1, first_column / 128, (first_column + columns - 1) / 128 - first_column / 128 + 1),
          128,
          128,
          first_row % 128,
          first_column % 128};
}

TEST(float8, parts_whose_blocks_do_not_line_up) {
  at::manual_seed(2);
  const at::Tensor data = at::randn({512, 640}).to(at::kFloat8_e4m3fn);
  const at::Tensor scales = at::arange(1, 21, at::kFloat).view({4, 5});
  const at::Tensor whole = data.to(at::kFloat) * scales.repeat_interleave(128, 0).repeat_interleave(128, 1);
  struct Cut {
    std::int64_t first_row, rows;
  };
  struct Case {
    std::vector<Cut> cuts;
    std::int64_t first_column, columns, scale_rows, scale_columns;
  };
  for (const Case& which :
       {Case{{{0, 128}, {256, 256}}, 0, 640, 128, 128}, Case{{{64, 192}, {0, 64}}, 320, 320, 64, 64},
        Case{{{96, 160}, {320, 32}}, 128, 256, 32, 128}, Case{{{7, 9}, {100, 300}}, 16, 100, 1, 16}}) {
    std::vector<Float8Part> parts;
    std::vector<at::Tensor> expected;
    for (const auto& [first, rows] : which.cuts) {
      parts.push_back(part_of(first, rows, which.first_column, which.columns, data, scales));
      expected.push_back(whole.narrow(0, first, rows).narrow(1, which.first_column, which.columns));
    }
    const WeightMatrix matrix = stacked(parts);
    EXPECT_EQ(matrix.scale_rows, which.scale_rows);
    EXPECT_EQ(matrix.scale_columns, which.scale_columns);
    EXPECT_TRUE(at::equal(values_of(matrix), at::cat(expected)));
  }
}

TEST(float8, products_are_those_of_the_dequantised_matrix) {
  at::manual_seed(3);
  const at::Tensor bias = at::randn({300});
  const WeightMatrix matrix = stacked({quantized(at::randn({300, 200}))});
  for (const int rows : {1, 5}) {
    const at::Tensor x = at::randn({rows, 200});
    const at::Tensor expected = at::linear(x, values_of(matrix), bias);
    EXPECT_TRUE(at::allclose(linear(x, matrix, bias), expected, 1e-4, 1e-4));
    const at::Tensor rounded = linear(x.to(at::kBFloat16), matrix, bias.to(at::kBFloat16));
    EXPECT_EQ(rounded.scalar_type(), at::kBFloat16);
    EXPECT_TRUE(at::allclose(rounded.to(at::kFloat), expected, 2e-2, 2e-1));
  }
}

}  // namespace
}  // namespace specthink
