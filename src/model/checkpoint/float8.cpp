#include "model/checkpoint/float8.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "specthink/base/error.h"

namespace specthink::inline model {
namespace {

constexpr double kGreatest = 448;           // e4m3
constexpr std::int64_t kLargestSide = 128;  // of a block

std::int64_t blocks_for(std::int64_t size, std::int64_t block) { return (size + block - 1) / block; }

/// The greatest power of two up to kLargestSide that divides all of them.
class CommonSide {
 public:
  void divides(std::int64_t size) {
    while (size % side_ != 0) side_ /= 2;
  }
  std::int64_t side() const { return side_; }

 private:
  std::int64_t side_ = kLargestSide;
};

/// Which of the part's blocks each smaller block lies in.
at::Tensor blocks_of(std::int64_t size, std::int64_t side, std::int64_t first, std::int64_t block,
                     std::int64_t num_blocks, const at::Tensor& like) {
  const at::Tensor starts = at::arange(0, size, side, like.options().dtype(at::kLong)) + first;
  return starts.floor_divide(block).clamp_max(num_blocks - 1);  // padding has the last one's
}

}  // namespace

Float8Part quantize_float8(const at::Tensor& matrix, const at::Tensor& out) {
  constexpr std::int64_t kWeightsAtOnce = std::int64_t{16} << 20;
  const std::int64_t columns = blocks_for(matrix.size(1), kFloat8Block);
  const std::int64_t strip = std::max<std::int64_t>(1, kWeightsAtOnce / (columns * kFloat8Block * kFloat8Block));
  at::Tensor scales =
      at::empty({blocks_for(matrix.size(0), kFloat8Block), columns}, matrix.options().dtype(at::kFloat));
  for (std::int64_t first = 0; first < scales.size(0); first += strip) {
    const std::int64_t blocks = std::min(strip, scales.size(0) - first);
    const std::int64_t rows = std::min(blocks * kFloat8Block, matrix.size(0) - first * kFloat8Block);
    at::Tensor padded = at::zeros({blocks * kFloat8Block, columns * kFloat8Block}, scales.options());
    padded.narrow(0, 0, rows).narrow(1, 0, matrix.size(1)).copy_(matrix.narrow(0, first * kFloat8Block, rows));
    const at::Tensor values = padded.view({blocks, kFloat8Block, columns, kFloat8Block});
    at::Tensor factors = values.abs().amax({1, 3}).div_(kGreatest);
    factors.masked_fill_(factors == 0, 1);
    values.div_(factors.view({blocks, 1, columns, 1})).clamp_(-kGreatest, kGreatest);
    scales.narrow(0, first, blocks).copy_(factors);
    out.view(at::kFloat8_e4m3fn)
        .narrow(0, first * kFloat8Block, rows)
        .copy_(padded.narrow(0, 0, rows).narrow(1, 0, matrix.size(1)));
  }
  return {out, scales, kFloat8Block, kFloat8Block, 0, 0};
}

WeightMatrix stack_float8(const std::vector<Float8Part>& parts, const at::Tensor& data) {
  check(!parts.empty(), "a matrix of no parts");
  CommonSide rows;
  CommonSide columns;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Float8Part& part = parts[i];
    rows.divides(part.block_rows);
    rows.divides(part.first_row);
    columns.divides(part.block_columns);
    columns.divides(part.first_column);
    if (i + 1 < parts.size()) rows.divides(part.data.size(0));
  }
  std::vector<at::Tensor> scales;
  for (const Float8Part& part : parts) {
    const at::Tensor of_rows =
        blocks_of(part.data.size(0), rows.side(), part.first_row, part.block_rows, part.scales.size(0), part.scales);
    const at::Tensor of_columns = blocks_of(part.data.size(1), columns.side(), part.first_column, part.block_columns,
                                            part.scales.size(1), part.scales);
    scales.push_back(part.scales.index_select(0, of_rows).index_select(1, of_columns));
  }
  return {.data = data.view(at::kFloat8_e4m3fn),
          .type = WeightType::float8,
          .scales = at::cat(scales).contiguous(),
          .scale_rows = rows.side(),
          .scale_columns = columns.side()};
}

}  // namespace specthink::inline model
