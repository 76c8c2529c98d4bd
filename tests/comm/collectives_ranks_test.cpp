#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ranks.h"
#include "specthink/comm/collectives.h"

namespace specthink {
namespace {

using testing_support::world;

// What rank `rank` contributes; small integers, so that sums are exact in every type.
at::Tensor contribution(int rank, at::IntArrayRef shape, at::ScalarType type) {
  at::Tensor tensor = at::arange(at::prod(at::tensor(shape)).item<std::int64_t>(), at::kFloat);
  return (tensor.remainder(7) + rank).reshape(shape).to(testing_support::device(), type);
}

class collectives : public testing::TestWithParam<at::ScalarType> {
 protected:
  std::unique_ptr<Collectives> collectives_ = Collectives::create(world(), testing_support::device());
};

TEST_P(collectives, all_reduce_is_the_serial_sum) {
  for (const auto& shape : {std::vector<std::int64_t>{1}, {3, 5}, {1, 4097}}) {
    at::Tensor expected = at::zeros(shape, at::TensorOptions(testing_support::device()).dtype(at::kFloat));
    for (int rank = 0; rank < world().size(); ++rank) expected += contribution(rank, shape, GetParam()).to(at::kFloat);
    at::Tensor tensor = contribution(world().rank(), shape, GetParam());
    collectives_->all_reduce(tensor);
    EXPECT_TRUE(at::equal(tensor.to(at::kFloat), expected));
    EXPECT_EQ(tensor.scalar_type(), GetParam());
  }
}

TEST_P(collectives, all_gather_keeps_rank_order) {
  const at::Tensor gathered = collectives_->all_gather(contribution(world().rank(), {2, 3}, GetParam()));
  ASSERT_EQ(gathered.sizes(), at::IntArrayRef({world().size(), 2, 3}));
  for (int rank = 0; rank < world().size(); ++rank) {
    EXPECT_TRUE(at::equal(gathered[rank], contribution(rank, {2, 3}, GetParam())));
  }
}

// Ranks that differ in the last bit would sample different tokens.
TEST_P(collectives, all_ranks_get_the_same_bits) {
  at::Tensor tensor = (contribution(world().rank(), {1000}, at::kFloat) / 3).sin().to(GetParam());
  collectives_->all_reduce(tensor);
  const at::Tensor gathered = collectives_->all_gather(tensor);
  for (int rank = 0; rank < world().size(); ++rank) EXPECT_TRUE(at::equal(gathered[rank], tensor));
}

INSTANTIATE_TEST_SUITE_P(types, collectives, testing::Values(at::kFloat, at::kBFloat16, at::kHalf));

}  // namespace
}  // namespace specthink
