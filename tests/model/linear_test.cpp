#include "model/linear.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace specthink {
namespace {

// Against the product in float32 of the same bfloat16 numbers: nothing but the result is rounded.
TEST(linear_by_blocks, rounds_the_result_alone) {
  at::manual_seed(1);
  for (const auto type : {at::kBFloat16, at::kHalf}) {
    for (const auto& [rows, in, out] : {std::tuple{2, 64, 48}, {1, 1, 1}, {7, 33, 65}, {16, 128, 17}}) {
      const at::Tensor x = at::randn({rows, in}).to(type);
      const at::Tensor weight = at::randn({out, in}).to(type);
      const at::Tensor bias = at::randn({out}).to(type);
      for (const std::int64_t block_rows : {1, 16, 1000}) {
        const at::Tensor exact = at::linear(x.to(at::kFloat), weight.to(at::kFloat), bias.to(at::kFloat));
        const at::Tensor found = linear_by_blocks(x, weight, bias, block_rows);
        EXPECT_EQ(found.scalar_type(), type);
        EXPECT_TRUE(at::allclose(found.to(at::kFloat), exact.to(type).to(at::kFloat), 8e-3, 1e-3))
            << rows << " x " << in << " x " << out << " in blocks of " << block_rows;
        const at::Tensor without = linear_by_blocks(x, weight, {}, block_rows);
        EXPECT_TRUE(at::allclose(without.to(at::kFloat), exact - bias.to(at::kFloat), 8e-3, 2e-2));
      }
    }
  }
}

TEST(linear, takes_every_type_and_number_of_rows) {
  at::manual_seed(2);
  const at::Tensor weight = at::randn({40, 24});
  for (const int rows : {1, 2, 5, 100}) {
    const at::Tensor x = at::randn({rows, 24});
    const at::Tensor exact = at::matmul(x, weight.t());
    EXPECT_TRUE(at::allclose(specthink::linear(x, weight), exact, 1e-4, 1e-5));
    EXPECT_TRUE(at::allclose(specthink::linear(x.to(at::kBFloat16), weight.to(at::kBFloat16)).to(at::kFloat), exact,
                             5e-2, 1e-1));
  }
}

}  // namespace
}  // namespace specthink
