#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "specthink/kernels/kernel_benchmark.h"

namespace specthink {
namespace {

// A rank of two of Qwen3-32B.
const ModelDescription kPart{.hidden_size = 5120,
                             .intermediate_size = 12800,
                             .num_heads = 32,
                             .num_kv_heads = 4,
                             .head_dim = 128,
                             .vocab_size = 75968,
                             .qk_norm = true};

TEST(kernel_benchmark, matrices_are_those_of_a_layer) {
  EXPECT_EQ(matrix_shape(kPart, DecodeKernel::qkv), (MatrixShape{40 * 128, 5120}));
  EXPECT_EQ(matrix_shape(kPart, DecodeKernel::output), (MatrixShape{5120, 4096}));
  EXPECT_EQ(matrix_shape(kPart, DecodeKernel::gate_up), (MatrixShape{25600, 5120}));
  EXPECT_EQ(matrix_shape(kPart, DecodeKernel::down), (MatrixShape{5120, 12800}));
  EXPECT_EQ(matrix_shape(kPart, DecodeKernel::head), (MatrixShape{75968, 5120}));
  EXPECT_EQ(matrix_shape(kPart, DecodeKernel::attention).elements(), 0);
}

TEST(kernel_benchmark, cases_cover_rows_contexts_and_the_inner_norm) {
  const std::vector<KernelCase> cases = kernel_cases(kPart);
  const auto rows_of = [&](DecodeKernel kernel, bool norm_inside) {
    std::vector<int> rows;
    for (const KernelCase& which : cases) {
      if (which.kernel == kernel && which.norm_inside == norm_inside) rows.push_back(which.rows);
    }
    return rows;
  };
  const std::vector<int> all{1, 2, 4, 8, 16};
  for (const DecodeKernel kernel : {DecodeKernel::embed, DecodeKernel::norm, DecodeKernel::qkv, DecodeKernel::output,
                                    DecodeKernel::gate_up, DecodeKernel::down, DecodeKernel::head}) {
    EXPECT_EQ(rows_of(kernel, false), all);
    const bool follows_norm =
        kernel == DecodeKernel::qkv || kernel == DecodeKernel::gate_up || kernel == DecodeKernel::head;
    EXPECT_EQ(rows_of(kernel, true), follows_norm ? std::vector<int>{1} : std::vector<int>{});
  }
  std::set<std::pair<int, std::int64_t>> attention;
  for (const KernelCase& which : cases) {
    if (which.kernel == DecodeKernel::attention) attention.insert({which.rows, which.context});
  }
  EXPECT_EQ(attention,
            (std::set<std::pair<int, std::int64_t>>{
                {1, 1024}, {1, 4096}, {1, 16384}, {1, 32768}, {8, 1024}, {8, 4096}, {8, 16384}, {8, 32768}}));
  EXPECT_EQ(rows_of(DecodeKernel::sampling, false), std::vector<int>{1});
}

TEST(kernel_benchmark, bytes_are_read_once_whatever_the_rows) {
  for (const KernelCase& which : kernel_cases(kPart)) {
    switch (which.kernel) {
      case DecodeKernel::attention:  // keys and values of 4 heads
        EXPECT_EQ(which.bytes, which.context * 2 * 4 * 128 * 2);
        break;
      case DecodeKernel::embed:
        EXPECT_EQ(which.bytes, which.rows * 10240);
        break;
      case DecodeKernel::norm:
        EXPECT_EQ(which.bytes, which.rows * 20480 + 10240);
        break;
      case DecodeKernel::sampling:
        EXPECT_EQ(which.bytes, 75968 * 4);
        break;
      default:
        EXPECT_EQ(which.bytes, 2 * matrix_shape(kPart, which.kernel).elements()) << name_of(which);
    }
  }
}

TEST(kernel_benchmark, products_of_a_prefill_are_a_layers_for_two_row_counts) {
  const std::vector<PrefillLinearCase> cases = prefill_linear_cases(kPart);
  ASSERT_EQ(cases.size(), 8u);
  std::set<std::pair<std::string, std::int64_t>> names;
  for (const PrefillLinearCase& which : cases) {
    names.insert({name_of(which), which.rows});
    EXPECT_EQ(which.bytes, 2 * matrix_shape(kPart, which.kernel).elements());
  }
  EXPECT_EQ(names.size(), cases.size());
  EXPECT_TRUE(names.count({"down", 120}));
}

TEST(kernel_benchmark, copies_are_more_than_a_cache_holds) {
  EXPECT_EQ(rotated_copies(2'000'000'000), 1);
  EXPECT_EQ(rotated_copies(1'000'000'000), 1);
  EXPECT_EQ(rotated_copies(999'999'999), 2);
  EXPECT_EQ(rotated_copies(100'000'000), 10);
  EXPECT_EQ(rotated_copies(4'000'000), 64);
  EXPECT_EQ(rotated_copies(2), 64);
}

TEST(kernel_benchmark, names_tell_cases_apart) {
  std::set<std::string> names;
  const std::vector<KernelCase> cases = kernel_cases(kPart);
  for (const KernelCase& which : cases) {
    names.insert(name_of(which) + " " + std::to_string(which.rows) + " " + std::to_string(which.context));
  }
  EXPECT_EQ(names.size(), cases.size());
  EXPECT_EQ(name_of(KernelCase{.kernel = DecodeKernel::gate_up, .norm_inside = true}), "gate_up, norm inside");
}

}  // namespace
}  // namespace specthink
