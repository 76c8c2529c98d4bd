// The fused kernels against the LibTorch operators that they stand for, on this rank's GPU.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <vector>

#include "ranks.h"
#include "specthink/base/error.h"
#include "specthink/kernels/prefill_ops.h"

namespace specthink {
namespace {

constexpr double kEps = 1e-6;

class prefill_ops_test : public testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override {
    if (!testing_support::device().is_cuda()) {
      GTEST_SKIP() << "the fused kernels run on GPUs only (SPECTHINK_TEST_DEVICE=cuda)";
    }
    ASSERT_TRUE(prefill_ops::available(testing_support::device(), GetParam()));
    at::manual_seed(17);
  }

  at::TensorOptions options() const { return at::TensorOptions(testing_support::device()).dtype(GetParam()); }
  at::Tensor random(at::IntArrayRef shape) const { return at::randn(shape, options()); }
  at::Tensor random_weight(at::IntArrayRef shape) const { return at::rand(shape, options()).add_(0.5); }

  /// Contiguous, but one element off from where 16-byte accesses may begin.
  at::Tensor shifted(const at::Tensor& tensor) const {
    return at::empty({tensor.numel() + 1}, options()).narrow(0, 1, tensor.numel()).view(tensor.sizes()).copy_(tensor);
  }

  /// Values of the size of 1: two steps of the type's precision, and nearly all elements equal to the bit, since both
  /// sides round at the same places.
  void expect_near(const at::Tensor& actual, const at::Tensor& expected, const std::string& what) const {
    ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
    const double step = GetParam() == at::kBFloat16 ? 1.0 / 64 : 1.0 / 512;
    const at::Tensor a = actual.to(at::kDouble);
    const at::Tensor b = expected.to(at::kDouble);
    const at::Tensor excess = (a - b).abs() - step * (b.abs() + 2);
    EXPECT_LE(excess.max().item<double>(), 0) << what << ", element " << excess.argmax().item<std::int64_t>();
    const double mean_error = (a - b).abs().mean().item<double>();
    EXPECT_LE(mean_error, step / 8) << what;
  }
};

std::string shape_name(std::initializer_list<std::int64_t> sizes) {
  std::string name;
  for (const std::int64_t size : sizes) name += (name.empty() ? "" : " x ") + std::to_string(size);
  return name;
}

TEST_P(prefill_ops_test, embed_rows_reads_the_shard_and_zeros_the_rest) {
  for (const std::int64_t hidden : {48, 61, 2048, 5120}) {
    for (const std::int64_t rows : {1, 17, 1024}) {
      const std::int64_t vocab = 400;
      const std::int64_t first = 150;
      const std::int64_t here = 120;
      const at::Tensor whole = random({vocab, hidden});
      const at::Tensor table = whole.narrow(0, first, here).clone();
      const at::Tensor ids = at::randint(vocab, {rows}, options().dtype(at::kLong));
      const at::Tensor outside = at::logical_or(ids < first, ids >= first + here);
      const at::Tensor expected = whole.index_select(0, ids).masked_fill(outside.unsqueeze(1), 0);
      at::Tensor output = at::full({rows, hidden}, 7, options());
      prefill_ops::embed_rows(ids, table, first, output);
      EXPECT_TRUE(at::equal(output, expected)) << shape_name({rows, hidden});
    }
  }
}

TEST_P(prefill_ops_test, embed_rows_at_the_ends_of_the_shard) {
  const at::Tensor table = random({5, 64});
  const at::Tensor ids = at::arange(9, 16, options().dtype(at::kLong));  // the table has 10 … 14
  at::Tensor output = at::full({7, 64}, 7, options());
  prefill_ops::embed_rows(ids, table, 10, output);
  EXPECT_TRUE(at::equal(output.narrow(0, 1, 5), table));
  EXPECT_EQ(output[0].abs().max().item<double>(), 0);
  EXPECT_EQ(output[6].abs().max().item<double>(), 0);
}

TEST_P(prefill_ops_test, embed_new_rows_knows_where_its_rows_belong) {
  const std::int64_t vocab = 400;
  const std::int64_t first = 150;
  const std::int64_t here = 120;
  const auto index = options().dtype(at::kLong);
  for (const std::int64_t hidden : {61, 2048}) {
    for (const std::size_t count : {std::size_t{1}, std::size_t{17}, prefill_ops::kMaxNewRows}) {
      const auto rows = static_cast<std::int64_t>(count);
      const at::Tensor table = random({here, hidden});
      TokenIds ids;
      for (std::size_t i = 0; i < count; ++i) ids.push_back(static_cast<TokenId>((i * 37 + 140) % vocab));
      const at::Tensor device_ids = at::tensor(at::ArrayRef<TokenId>(ids)).to(index);
      at::Tensor expected = at::empty({rows, hidden}, options());
      prefill_ops::embed_rows(device_ids, table, first, expected);
      at::Tensor output = at::full({rows, hidden}, 7, options());
      prefill_ops::RowIndices indices{at::zeros({rows}, index), at::zeros({rows}, index)};
      // From the 72nd position of a page on, in pages that lie anywhere.
      const std::vector<std::int32_t> all_pages{312, 7, 90};
      const auto pages = std::span(all_pages).first(static_cast<std::size_t>((72 + rows + 127) / 128));
      prefill_ops::embed_new_rows({ids, 8192 + 72, pages}, table, first, output, indices);
      std::vector<std::int64_t> cache_rows;
      for (std::int64_t i = 72; i < 72 + rows; ++i) cache_rows.push_back(pages[static_cast<std::size_t>(i / 128)] * 128 + i % 128);
      EXPECT_TRUE(at::equal(output, expected)) << shape_name({rows, hidden});
      EXPECT_TRUE(at::equal(indices.position, at::arange(8192 + 72, 8192 + 72 + rows, index)));
      EXPECT_TRUE(at::equal(indices.cache_row, at::tensor(at::ArrayRef<std::int64_t>(cache_rows)).to(index)));
    }
  }
}

// 8200 and 1500 are more than a block's threads take at once, in either width of access.
TEST_P(prefill_ops_test, norms_of_all_shapes) {
  for (const std::int64_t hidden : {48, 61, 80, 1500, 2048, 5120, 8200}) {
    for (const std::int64_t rows : {1, 2, 17, 120, 1024}) {
      const std::string name = shape_name({rows, hidden});
      const at::Tensor weight = random_weight({hidden});
      const at::Tensor bias = random({hidden});
      const at::Tensor input = random({rows, hidden});
      const at::Tensor delta = random({rows, hidden});
      at::Tensor output = at::full({rows, hidden}, 77, options());

      at::Tensor residual = input.clone();
      prefill_ops::rms_norm(residual, weight, kEps, output);
      EXPECT_TRUE(at::equal(residual, input)) << name;
      expect_near(output, at::rms_norm(input, {hidden}, weight, kEps), "rms_norm of " + name);

      output.fill_(77);
      prefill_ops::add_rms_norm(residual, delta, {}, weight, kEps, output);
      const at::Tensor sum = input + delta;
      EXPECT_TRUE(at::equal(residual, sum)) << name;
      expect_near(output, at::rms_norm(sum, {hidden}, weight, kEps), "add_rms_norm of " + name);

      residual = input.clone();
      output.fill_(77);
      prefill_ops::add_rms_norm(residual, delta, bias, weight, kEps, output);
      const at::Tensor sum_with_bias = input + (delta + bias);
      EXPECT_TRUE(at::equal(residual, sum_with_bias)) << name;
      expect_near(output, at::rms_norm(sum_with_bias, {hidden}, weight, kEps), "add_rms_norm with bias of " + name);
    }
  }
}

TEST_P(prefill_ops_test, norms_and_products_off_the_alignment) {
  const at::Tensor input = random({9, 256});
  const at::Tensor delta = random({9, 256});
  const at::Tensor weight = random_weight({256});
  at::Tensor residual = shifted(input);
  at::Tensor output = at::empty({9, 256}, options());
  prefill_ops::add_rms_norm(residual, delta, {}, weight, kEps, output);
  EXPECT_TRUE(at::equal(residual, input + delta));
  expect_near(output, at::rms_norm(input + delta, {256}, weight, kEps), "add_rms_norm");
  at::Tensor product = at::empty({9, 128}, options());
  prefill_ops::silu_mul(shifted(input), product);
  expect_near(product, at::silu(input.narrow(1, 0, 128)) * input.narrow(1, 128, 128), "silu_mul");
}

// A norm's eps counts: a row of zeros stays zero, a tiny row is not blown up to one.
TEST_P(prefill_ops_test, norms_of_small_rows) {
  const at::Tensor weight = random_weight({128});
  at::Tensor input = random({3, 128});
  input[0].zero_();
  input[1].mul_(1e-3);
  at::Tensor output = at::full({3, 128}, 77, options());
  prefill_ops::rms_norm(input, weight, 1e-5, output);
  EXPECT_EQ(output[0].abs().max().item<double>(), 0);
  expect_near(output, at::rms_norm(input, {128}, weight, 1e-5), "rms_norm");
}

TEST_P(prefill_ops_test, silu_mul_of_all_shapes) {
  for (const std::int64_t columns : {31, 61, 64, 1000, 1501, 12800}) {
    for (const std::int64_t rows : {1, 17, 120, 1024}) {
      const at::Tensor gate_up = random({rows, 2 * columns}) * 2;
      at::Tensor output = at::full({rows, columns}, 77, options());
      prefill_ops::silu_mul(gate_up, output);
      const at::Tensor expected = at::silu(gate_up.narrow(1, 0, columns)) * gate_up.narrow(1, columns, columns);
      expect_near(output, expected, shape_name({rows, columns}));
    }
  }
}

TEST_P(prefill_ops_test, silu_mul_of_large_values) {
  const std::vector<float> numbers{-200, -90, -20, 0, 20, 90, 200, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  const at::Tensor gate_up = at::tensor(at::ArrayRef<float>(numbers)).view({1, 16}).to(options());
  at::Tensor output = at::empty({1, 8}, options());
  prefill_ops::silu_mul(gate_up, output);
  expect_near(output, at::silu(gate_up.narrow(1, 0, 8)) * gate_up.narrow(1, 8, 8), "silu_mul");
}

struct Heads {
  std::int64_t heads;
  std::int64_t kv_heads;
  std::int64_t head_dim;
};

/// Transformer's LibTorch operators: the rotated heads [rows, heads + kv_heads, head_dim].
at::Tensor norm_and_rotate(const at::Tensor& query_key, const at::Tensor& qk_norm, const at::Tensor& cos,
                           const at::Tensor& sin) {
  const std::int64_t head_dim = query_key.size(2);
  at::Tensor heads = query_key;
  if (qk_norm.defined()) heads = at::rms_norm(heads, {head_dim}, {}, kEps) * qk_norm;
  return at::addcmul(heads * cos, heads.roll(head_dim / 2, 2), sin);
}

// Head sizes in 16-byte accesses and in single ones; 130 and 1024 are more than a warp takes at once.
TEST_P(prefill_ops_test, heads_are_normed_rotated_and_stored) {
  const Heads shapes[] = {{12, 2, 8}, {6, 2, 10},  {3, 1, 2},    {4, 1, 16},  {4, 1, 64},  {5, 5, 80},
                          {7, 3, 96}, {2, 2, 130}, {32, 4, 128}, {8, 8, 128}, {6, 1, 256}, {2, 1, 1024}};
  constexpr std::int64_t kPositions = 1500;
  constexpr std::int64_t kCacheRows = 2100;
  for (const Heads& shape : shapes) {
    const at::Tensor angles = at::arange(kPositions, options().dtype(at::kFloat)).unsqueeze(1) *
                              at::pow(0.9, at::arange(shape.head_dim / 2, options().dtype(at::kFloat))).unsqueeze(0);
    const RopeTables rope{at::cat({angles.cos(), angles.cos()}, 1).to(GetParam()),
                                       at::cat({-angles.sin(), angles.sin()}, 1).to(GetParam())};
    for (const std::int64_t rows : {1, 3, 17, 120, 1024}) {
      for (const bool with_norm : {false, true}) {
        const std::string name =
            shape_name({rows, shape.heads, shape.kv_heads, shape.head_dim}) + (with_norm ? " normed" : "");
        const std::int64_t all_heads = shape.heads + 2 * shape.kv_heads;
        const at::Tensor qkv = random({rows, all_heads * shape.head_dim});
        const at::Tensor qk_norm =
            with_norm ? random_weight({shape.heads + shape.kv_heads, shape.head_dim}) : at::Tensor();
        // Rows of several slots lie in no order, each with a place of its own.
        const prefill_ops::RowIndices indices{
            at::randint(kPositions, {rows}, options().dtype(at::kLong)),
            at::randperm(kCacheRows, options().dtype(at::kLong)).narrow(0, 0, rows).contiguous()};
        at::Tensor queries = at::full({rows, shape.heads, shape.head_dim}, 77, options());
        at::Tensor keys = at::full({kCacheRows, shape.kv_heads, shape.head_dim}, 77, options());
        at::Tensor values = keys.clone();
        prefill_ops::qk_norm_rope_store(qkv, qk_norm, kEps, rope, indices, queries, keys, values);

        const at::Tensor heads = qkv.view({rows, all_heads, shape.head_dim});
        const at::Tensor rotated = norm_and_rotate(heads.narrow(1, 0, shape.heads + shape.kv_heads), qk_norm,
                                                   rope.cos.index_select(0, indices.position).unsqueeze(1),
                                                   rope.sin.index_select(0, indices.position).unsqueeze(1));
        expect_near(queries, rotated.narrow(1, 0, shape.heads), "queries of " + name);
        expect_near(keys.index_select(0, indices.cache_row), rotated.narrow(1, shape.heads, shape.kv_heads),
                    "keys of " + name);
        const at::Tensor expected_values = heads.narrow(1, shape.heads + shape.kv_heads, shape.kv_heads);
        EXPECT_TRUE(at::equal(values.index_select(0, indices.cache_row), expected_values)) << "values of " << name;
        // No other row of the cache has changed.
        keys.index_fill_(0, indices.cache_row, 77);
        values.index_fill_(0, indices.cache_row, 77);
        EXPECT_TRUE(at::all(keys == 77).item<bool>()) << name;
        EXPECT_TRUE(at::all(values == 77).item<bool>()) << name;
      }
    }
  }
}

TEST_P(prefill_ops_test, shapes_that_do_not_fit_are_bugs) {
  at::Tensor output = random({4, 64});
  EXPECT_THROW(prefill_ops::rms_norm(random({4, 65}), random({64}), kEps, output), InternalError);
  EXPECT_THROW(prefill_ops::rms_norm(random({4, 64}), random({63}), kEps, output), InternalError);
  EXPECT_THROW(prefill_ops::rms_norm(random({64, 4}).t(), random({64}), kEps, output), InternalError);
  EXPECT_THROW(prefill_ops::silu_mul(random({4, 64}), output), InternalError);
  const at::Tensor ids = at::zeros({3}, options().dtype(at::kLong));
  EXPECT_THROW(prefill_ops::embed_rows(ids, random({9, 64}), 0, output), InternalError);
  const TokenIds too_many(prefill_ops::kMaxNewRows + 1, 3);
  const auto count = static_cast<std::int64_t>(too_many.size());
  at::Tensor many = at::empty({count, 64}, options());
  prefill_ops::RowIndices indices{at::zeros({count}, options().dtype(at::kLong)),
                                  at::zeros({count}, options().dtype(at::kLong))};
  const std::vector<std::int32_t> pages{0, 1, 2, 3};
  const auto embed = [&](const TokenIds& ids, std::size_t num_pages) {
    at::Tensor output = many.narrow(0, 0, static_cast<std::int64_t>(ids.size()));
    prefill_ops::embed_new_rows({ids, 0, std::span(pages).first(num_pages)}, random({9, 64}), 0, output, indices);
  };
  EXPECT_THROW(embed(too_many, 3), InternalError);
  EXPECT_THROW(embed({1, 2, 3}, 0), InternalError) << "a page is missing";
}

INSTANTIATE_TEST_SUITE_P(types, prefill_ops_test, testing::Values(at::kBFloat16, at::kHalf));

TEST(prefill_ops, float32_has_no_kernels) {
  EXPECT_FALSE(prefill_ops::available(testing_support::device(), at::kFloat));
  EXPECT_FALSE(prefill_ops::available(c10::Device(c10::kCPU), at::kBFloat16));
  const at::Tensor gate_up = at::zeros({1, 16}, at::TensorOptions(testing_support::device()));
  at::Tensor output = at::zeros({1, 8}, gate_up.options());
  EXPECT_THROW(prefill_ops::silu_mul(gate_up, output), InternalError);
}

}  // namespace
}  // namespace specthink
