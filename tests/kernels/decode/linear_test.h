// What tests of a decode step's linear layers share: weights between NaNs, float32 products of LibTorch, sums to norm.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "kernels/gpu_test.h"

namespace specthink::testing_support {

constexpr double kSumError = 1e-4;  // of sums of products of the size of 1, in another order

struct LinearSize {
  std::int64_t rows, columns;
};

inline std::string name_of(const LinearSize& size, int x_rows, const char* kind) {
  return std::string(kind) + " of [" + std::to_string(size.rows) + ", " + std::to_string(size.columns) + "], " +
         std::to_string(x_rows) + " rows";
}

class LinearTest : public GpuTest {
 protected:
  /// Random weights between NaNs: what lies around the matrix must not count.
  struct Weights {
    at::Tensor memory;
    at::Tensor matrix;  // [rows, columns]
  };
  Weights weights(std::int64_t rows, std::int64_t columns) {
    if (!random_.defined()) random_ = at::randn({13002 * 8192}, elements());
    const std::int64_t guard = 64 * columns;
    Weights result;
    result.memory = at::full({rows * columns + 2 * guard}, kNan, elements());
    result.matrix = result.memory.narrow(0, guard, rows * columns).view({rows, columns});
    result.matrix.copy_(random_.narrow(0, 0, rows * columns).view({rows, columns}));
    result.matrix.mul_(1 / std::sqrt(static_cast<double>(columns)));
    return result;
  }

  static at::Tensor times(const at::Tensor& x, const at::Tensor& matrix) {
    return at::matmul(x.to(at::kFloat), matrix.to(at::kFloat).t());
  }

  static at::Tensor gated(const at::Tensor& gate_up) {
    const std::int64_t rows = gate_up.size(1) / 2;
    return at::silu(gate_up.narrow(1, 0, rows)) * gate_up.narrow(1, rows, rows);
  }

  void expect_values(const at::Tensor& y, const at::Tensor& expected, double error, const std::string& what) {
    expect_near(y.narrow(0, 0, expected.numel()).view(expected.sizes()), expected, error, error, what);
    EXPECT_TRUE(y.narrow(0, expected.numel(), kTail).isnan().all().item<bool>()) << what << ": written beyond the end";
  }

  /// What a linear layer with a norm inside reads and writes beside its matrix.
  class NormCase {
   public:
    NormCase(const LinearTest& test, std::int64_t hidden, int ranks) : hidden_(hidden), ranks_(ranks) {
      received_ = not_yet({ranks, hidden + kTail});
      received_.narrow(1, 0, hidden).normal_();
      reset_ = at::randn({ranks, hidden + kTail}, test.floats());
      reset_before_ = reset_.clone();
      weight_ = at::rand({hidden}, test.elements()).add_(0.5);
      residual_ = at::full({hidden + kTail}, kNan, test.floats());
      sum_ = received_[0].narrow(0, 0, hidden);
      for (int rank = 1; rank < ranks; ++rank) sum_ = sum_ + received_[rank].narrow(0, 0, hidden);
      x = (sum_ * at::rsqrt(sum_.square().mean() + kEps) * weight_.to(at::kFloat)).to(GetParam()).unsqueeze(0);
    }

    NormInput input() const {
      NormInput norm;
      norm.received.data = received_.const_data_ptr<float>();
      norm.received.rank_stride = hidden_ + kTail;
      norm.received.ranks = ranks_;
      if (ranks_ > 1) norm.received.reset = reset_.mutable_data_ptr<float>();
      norm.weight = weight_.const_data_ptr();
      norm.residual_out = residual_.mutable_data_ptr<float>();
      norm.eps = static_cast<float>(kEps);
      return norm;
    }

    /// The residual is there, and the slot before is reset where that was asked.
    void expect_written(const std::string& what) const {
      EXPECT_TRUE(at::equal(residual_.narrow(0, 0, hidden_), sum_)) << what << ": residual";
      EXPECT_TRUE(residual_.narrow(0, hidden_, kTail).isnan().all().item<bool>())
          << what << ": residual beyond the end";
      if (ranks_ > 1) {
        EXPECT_TRUE(is_not_yet(reset_.narrow(1, 0, hidden_))) << what << ": the slot before is not reset";
        EXPECT_TRUE(at::equal(reset_.narrow(1, hidden_, kTail), reset_before_.narrow(1, hidden_, kTail))) << what;
      } else {
        EXPECT_TRUE(at::equal(reset_, reset_before_)) << what << ": reset without being asked";
      }
    }

    at::Tensor x;  // [1, hidden], normed

   private:
    static constexpr double kEps = 1e-6;
    std::int64_t hidden_;
    int ranks_;
    at::Tensor received_, reset_, reset_before_, weight_, residual_, sum_;
  };
  /// An element of x that lies between two values of the type may be rounded the other way.
  double normed_error(std::int64_t hidden) const {
    return kSumError + 8 * rounding() / std::sqrt(static_cast<double>(hidden));
  }

  at::Tensor random_;
};

}  // namespace specthink::testing_support
