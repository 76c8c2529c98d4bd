#include "specthink/kernels/random_fill.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include "kernels/measure/random_fill_device.h"
#include "kernels/measure/random_value.h"
#include "specthink/base/error.h"

namespace specthink::inline kernels {
namespace {

template <typename T>
void fill_on_host(T* data, std::int64_t rows, std::int64_t columns, const MatrixSlice& slice, std::uint64_t key,
                  float amplitude) {
  at::parallel_for(0, rows, 1 + 65536 / (columns + 1), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t origin = (slice.first_row + row) * slice.columns + slice.first_column;
      for (std::int64_t column = 0; column < columns; ++column) {
        data[row * columns + column] =
            static_cast<T>(amplitude * random_value(key, static_cast<std::uint64_t>(origin + column)));
      }
    }
  });
}

}  // namespace

void random_fill(at::Tensor& tensor, const MatrixSlice& slice, std::uint64_t key, float amplitude) {
  check(tensor.dim() == 2 && tensor.is_contiguous(), "random_fill needs a contiguous matrix");
  if (tensor.numel() == 0) return;
  if (tensor.is_cuda()) return random_fill_on_device(tensor, slice, key, amplitude);
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, tensor.scalar_type(), "random_fill", [&] {
    fill_on_host(tensor.data_ptr<scalar_t>(), tensor.size(0), tensor.size(1), slice, key, amplitude);
  });
}

}  // namespace specthink::inline kernels
