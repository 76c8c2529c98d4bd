// The attention of a prefill against float32 operators of LibTorch.
#include <gtest/gtest.h>

#include "specthink/kernels/prefill_attention.h"

#ifndef SPECTHINK_WITH_CUDA
TEST(prefill_attention, does_not_run_in_this_build) { EXPECT_EQ(specthink::PrefillAttention::create({}, 1), nullptr); }
#else

#include <cmath>

#include "kernels/device/hopper.h"
#include "kernels/gpu_test.h"
#include "specthink/kernels/limits.h"

namespace specthink {
namespace {

using namespace testing_support;

struct Shape {
  std::int64_t rows, length;
};
// One block, parts of one tile over many blocks, whole tiles, edges of tiles, several tiles with uneven work.
constexpr Shape kShapes[] = {{1, 1},      {1, 127},   {17, 17},   {20, 500},   {16, 8192},   {120, 8312},
                             {128, 128},  {127, 129}, {300, 301}, {129, 384},  {1000, 3000}, {256, 2048},
                             {33, 32768}, {512, 640}, {64, 4096}, {1024, 1024}};

class prefill_attention : public GpuTest {
 protected:
  void SetUp() override {
    GpuTest::SetUp();
    if (IsSkipped()) return;
    if (!has_wgmma_code(device().index())) GTEST_SKIP() << "the kernel runs on Hopper GPUs only";
    ASSERT_TRUE(
        PrefillAttention::create(std::vector{PrefillAttention::Layer{cache(128, 1, 128), cache(128, 1, 128)}}, 1));
  }

  at::Tensor cache(std::int64_t rows, std::int64_t kv_heads, std::int64_t head_dim) const {
    return at::randn({rows, kv_heads, head_dim}, elements());
  }

  /// Pages of a sequence of `length` positions, scattered over a cache of `pages_of_cache(length)`.
  at::Tensor pages_of(std::int64_t length) const {
    const std::int64_t pages = (length + kPageTokens - 1) / kPageTokens;
    return ((at::arange(pages, at::kLong) * 7 + 2) % pages_of_cache(length)).to(at::kInt).to(device());
  }
  static std::int64_t pages_of_cache(std::int64_t length) {
    std::int64_t pages = (length + kPageTokens - 1) / kPageTokens + 3;
    while (pages % 7 == 0) ++pages;  // so that the pages above are all different
    return pages;
  }

  /// Not the usual 1 / sqrt(head_dim): heads filled up with zeros have another.
  static double scale(std::int64_t head_dim) { return 0.9 / std::sqrt(static_cast<double>(head_dim)); }

  /// The cache is NaN in the pages of others and behind the sequence.
  void compare(std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim, const Shape& shape) {
    if (sanitized() && shape.rows * shape.length > (sanitizer() == "racecheck" ? 20'000 : 400'000)) return;
    SCOPED_TRACE(std::to_string(shape.rows) + " rows of " + std::to_string(shape.length) + ", " +
                 std::to_string(heads) + "/" + std::to_string(kv_heads) + " heads of " + std::to_string(head_dim));
    const std::int64_t cache_rows = pages_of_cache(shape.length) * kPageTokens;
    PrefillAttention::Layer other{cache(cache_rows, kv_heads, head_dim), cache(cache_rows, kv_heads, head_dim)};
    PrefillAttention::Layer layer{at::full_like(other.keys, kNan), at::full_like(other.values, kNan)};
    const at::Tensor keys = at::randn({shape.length, kv_heads, head_dim}, elements());
    const at::Tensor values = at::randn({shape.length, kv_heads, head_dim}, elements());
    const at::Tensor pages = pages_of(shape.length);
    const at::Tensor positions = at::arange(shape.length, pages.options().dtype(at::kLong));
    const at::Tensor rows = pages.to(at::kLong).index_select(0, positions.div(kPageTokens, "floor")) * kPageTokens +
                            positions.remainder(kPageTokens);
    layer.keys.index_copy_(0, rows, keys);
    layer.values.index_copy_(0, rows, values);
    const at::Tensor queries = at::randn({shape.rows, heads, head_dim}, elements()) * 2;

    const auto attention = PrefillAttention::create(std::vector{other, layer}, scale(head_dim));
    at::Tensor output = at::full_like(queries, kNan);
    attention->run(1, queries, {pages, shape.length}, output);
    // The workspace is used again: what is left there must not matter. All keys and values are there this time.
    at::Tensor again = at::full_like(queries, kNan);
    attention->run(1, queries, {pages, shape.length, shape.length}, again);
    EXPECT_TRUE(at::equal(output, again));
    const at::Tensor expected = reference(queries, keys, values);
    expect_near(output, expected, 2 * rounding(), 2 * rounding(), "attention");
  }

  /// In slices of query heads: the scores of all at once may not fit.
  static at::Tensor reference(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values) {
    const std::int64_t rows = queries.size(0);
    const std::int64_t length = keys.size(0);
    const std::int64_t group = queries.size(1) / keys.size(1);
    const at::Tensor visible = at::ones({rows, length}, queries.options().dtype(at::kBool)).tril_(length - rows);
    at::Tensor output = at::empty(queries.sizes(), queries.options().dtype(at::kFloat));
    for (std::int64_t head = 0; head < queries.size(1); ++head) {
      const at::Tensor q = queries.select(1, head).to(at::kFloat);
      const at::Tensor k = keys.select(1, head / group).to(at::kFloat);
      const at::Tensor v = values.select(1, head / group).to(at::kFloat);
      const at::Tensor scores = at::mm(q, k.t()) * scale(queries.size(2));
      output.select(1, head).copy_(at::mm(scores.masked_fill(visible.logical_not(), -INFINITY).softmax(1), v));
    }
    return output;
  }
};

TEST_P(prefill_attention, heads_of_the_32b) {
  for (const Shape& shape : kShapes) compare(32, 4, 128, shape);
}

TEST_P(prefill_attention, heads_of_the_1_7b) {
  for (const Shape& shape : kShapes) compare(8, 4, 128, shape);
}

TEST_P(prefill_attention, other_groups_and_heads_of_64) {
  for (const Shape& shape : kShapes) {
    compare(7, 1, 64, shape);
    compare(6, 2, 128, shape);
    compare(3, 3, 64, shape);
    compare(20, 2, 64, shape);
  }
}

TEST_P(prefill_attention, scores_far_apart) {
  const Shape shape{40, 1000};
  const at::Tensor keys = at::randn({1024, 1, 128}, elements()) * 30;
  const at::Tensor values = at::randn({1024, 1, 128}, elements());
  const at::Tensor queries = at::randn({shape.rows, 4, 128}, elements()) * 30;
  const auto attention = PrefillAttention::create(std::vector{PrefillAttention::Layer{keys, values}}, scale(128));
  at::Tensor output = at::empty_like(queries);
  attention->run(0, queries, {at::arange(8, keys.options().dtype(at::kInt)), shape.length}, output);
  expect_near(output, reference(queries, keys.narrow(0, 0, shape.length), values.narrow(0, 0, shape.length)),
              4 * rounding(), 4 * rounding(), "attention");
}

TEST_P(prefill_attention, refuses_what_does_not_fit) {
  EXPECT_EQ(PrefillAttention::create(std::vector{PrefillAttention::Layer{cache(128, 2, 96), cache(128, 2, 96)}}, 1),
            nullptr);
  const auto attention =
      PrefillAttention::create(std::vector{PrefillAttention::Layer{cache(256, 2, 64), cache(256, 2, 64)}}, 1);
  at::Tensor output = at::empty({10, 4, 64}, elements());
  const at::Tensor pages = at::arange(2, output.options().dtype(at::kInt));
  EXPECT_THROW(attention->run(0, at::empty({10, 4, 128}, elements()), {pages, 100}, output), InternalError);
  EXPECT_THROW(attention->run(0, output.clone(), {pages, 257}, output), InternalError) << "more than the pages hold";
  EXPECT_THROW(attention->run(0, output.clone(), {pages, 9}, output), InternalError);
  EXPECT_THROW(attention->run(1, output.clone(), {pages, 100}, output), InternalError);
}

INSTANTIATE_TEST_SUITE_P(types, prefill_attention, testing::Values(at::kBFloat16, at::kHalf));

}  // namespace
}  // namespace specthink
#endif
