#include <ATen/ATen.h>

#include <cmath>

#include "model/checkpoint/weight_source.h"
#include "specthink/base/hash.h"
#include "specthink/kernels/random_fill.h"

namespace specthink::inline model {
namespace {

constexpr double kInitializerRange = 0.02;  // standard deviation of random weights, as models are initialised

class RandomSource final : public WeightSource {
 public:
  RandomSource(at::TensorOptions options, std::uint64_t seed) : options_(options), seed_(seed) {}

  at::Tensor vector(const std::string&, std::int64_t size) override { return at::ones({size}, options_); }

  at::Tensor bias(const ModuleRows& part) override { return at::zeros({part.here.count}, options_); }

  at::TensorOptions options() const override { return options_; }

  void read_matrix(const ModuleRows& part, std::int64_t columns, Range column, const at::Tensor& out) override {
    const Range rows_there = clip(part.here, part.rows);
    const Range columns_there = clip(column, columns);
    const bool is_full = rows_there.count == part.here.count && columns_there.count == column.count;
    at::Tensor random = is_full ? out : room(rows_there.count, columns_there.count);
    const auto amplitude = static_cast<float>(kInitializerRange * std::sqrt(3.0));
    random_fill(random, {part.first + rows_there.first, columns_there.first, columns},
                hash_text(part.module + ".weight") ^ seed_, amplitude);
    if (is_full) return;
    out.zero_();
    out.narrow(0, 0, rows_there.count).narrow(1, 0, columns_there.count).copy_(random);
  }

 private:
  at::TensorOptions options_;
  std::uint64_t seed_;
};

}  // namespace

std::unique_ptr<WeightSource> random_source(at::TensorOptions options, std::uint64_t seed) {
  return std::make_unique<RandomSource>(options, seed);
}

}  // namespace specthink::inline model
