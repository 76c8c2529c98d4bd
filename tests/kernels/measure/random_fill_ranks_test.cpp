#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ranks.h"
#include "specthink/kernels/random_fill.h"

namespace specthink {
namespace {

at::Tensor filled(std::int64_t rows, std::int64_t columns, const MatrixSlice& slice, at::ScalarType type,
                  c10::Device device, std::uint64_t key = 5) {
  at::Tensor tensor = at::full({rows, columns}, 99, at::TensorOptions(device).dtype(type));
  random_fill(tensor, slice, key, 0.5f);
  return tensor.cpu();
}

class random_fill_test : public testing::TestWithParam<at::ScalarType> {};

// On a GPU this compares the kernel with the host's loop.
TEST_P(random_fill_test, devices_agree_to_the_bit) {
  const MatrixSlice slice{3, 7, 1000};
  EXPECT_TRUE(at::equal(filled(37, 501, slice, GetParam(), testing_support::device()),
                        filled(37, 501, slice, GetParam(), c10::Device(c10::kCPU))));
}

TEST_P(random_fill_test, a_slice_is_part_of_the_whole) {
  const at::Tensor whole = filled(40, 60, {0, 0, 60}, GetParam(), testing_support::device());
  const at::Tensor part = filled(11, 13, {5, 9, 60}, GetParam(), testing_support::device());
  EXPECT_TRUE(at::equal(part, whole.narrow(0, 5, 11).narrow(1, 9, 13)));
}

TEST_P(random_fill_test, values_are_uniform_and_depend_on_the_key) {
  const at::Tensor values = filled(200, 200, {0, 0, 200}, GetParam(), testing_support::device()).to(at::kDouble);
  EXPECT_LE(values.abs().max().item<double>(), 0.5);
  EXPECT_NEAR(values.mean().item<double>(), 0, 0.01);
  EXPECT_NEAR(values.std().item<double>(), 1 / std::sqrt(12.0), 0.005);
  EXPECT_FALSE(
      at::equal(values, filled(200, 200, {0, 0, 200}, GetParam(), testing_support::device(), 6).to(at::kDouble)));
}

INSTANTIATE_TEST_SUITE_P(types, random_fill_test, testing::Values(at::kFloat, at::kBFloat16, at::kHalf));

}  // namespace
}  // namespace specthink
