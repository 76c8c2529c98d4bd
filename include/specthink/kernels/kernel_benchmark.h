// Each kernel of a decode step, and the linear layers and the attention of a prefill, timed by itself, in the shapes of
// one rank's part of a model.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "specthink/kernels/element_type.h"
#include "specthink/kernels/model_description.h"

namespace specthink::inline kernels {

enum class DecodeKernel { embed, norm, qkv, attention, output, gate_up, down, head, sampling };

/// One kernel of a step, and what it reads.
struct KernelCase {
  DecodeKernel kernel;
  int rows = 1;              ///< tokens that the step runs
  std::int64_t context = 0;  ///< attention: earlier positions
  bool norm_inside = false;  ///< qkv, gate_up, head of one row: RMSNorm of received partial sums is part of the kernel
  std::int64_t bytes = 0;    ///< weights, or keys and values, read once; for embed, norm and sampling their input
};

/// "gate_up", "qkv, norm inside".
std::string name_of(const KernelCase& which);

/// W [rows, columns] of a linear layer.
struct MatrixShape {
  std::int64_t rows = 0;
  std::int64_t columns = 0;

  std::int64_t elements() const { return rows * columns; }
  friend bool operator==(const MatrixShape&, const MatrixShape&) = default;
};

/// Of the matrices of a layer, 8-bit ones where the description says so; gate_up: gate rows, then as many up rows.
/// Empty for kernels that are no linear layers.
MatrixShape matrix_shape(const ModelDescription& part, DecodeKernel kernel);

/// Whether the kernel's matrix is of 8-bit floats.
bool is_float8(const ModelDescription& part, DecodeKernel kernel);

/// What time_kernels() measures, in the order of a step.
std::vector<KernelCase> kernel_cases(const ModelDescription& part);

/// Copies of what a kernel reads that it takes turns over, so that nothing is in the L2 cache when it comes: 64, or
/// what makes a gigabyte.
std::int64_t rotated_copies(std::int64_t bytes);

struct KernelTime {
  KernelCase which;
  double alone = 0;                  ///< seconds of a launch; each launch waits for the whole one before it
  std::optional<double> overlapped;  ///< each starts while the one before still runs; none for embed, a step's first
};

/// The GPU that kernels are timed on: the first one. Throws EnvironmentError when this build or machine has none.
c10::Device kernel_benchmark_device();

/// Times kernel_cases(part): a CUDA graph of many launches, once to warm up, then the median of five replays. The
/// matrices hold random values; partial sums stay on this GPU. Takes about 2 GB of the GPU's memory and seconds.
///
/// Throws UserError for a shape that the decode kernels do not run, EnvironmentError when the GPU fails.
std::vector<KernelTime> time_kernels(const ModelDescription& part, ElementType type, c10::Device device);

/// A product of a prefill of few rows (kernels/prefill_linear.h); gate_up with its activation.
struct PrefillLinearCase {
  DecodeKernel kernel = DecodeKernel::qkv;  ///< qkv, output, gate_up or down
  std::int64_t rows = 1;
  std::int64_t bytes = 0;  ///< of the weights
};

std::string name_of(const PrefillLinearCase& which);

/// What time_prefill_linears() measures, in the order of a layer.
std::vector<PrefillLinearCase> prefill_linear_cases(const ModelDescription& part);

struct PrefillLinearTime {
  PrefillLinearCase which;
  double seconds = 0;          ///< of a launch that starts while the one before still runs, as in a prefill
  double library_seconds = 0;  ///< the same with LibTorch's linear layer, 8-bit weights dequantised for it
};

/// Times prefill_linear_cases() as time_kernels() does; none where the kernel does not run.
std::vector<PrefillLinearTime> time_prefill_linears(const ModelDescription& part, ElementType type, c10::Device device);

/// Attention of `rows` new tokens over `cached` earlier ones and themselves.
struct PrefillAttentionCase {
  std::int64_t rows = 0;
  std::int64_t cached = 0;
};

/// What time_prefill_attention() measures.
std::vector<PrefillAttentionCase> prefill_attention_cases();

/// Floating-point operations of a case: a multiplication and an addition for each element of each visible key and
/// value.
double prefill_attention_operations(const ModelDescription& part, const PrefillAttentionCase& which);

struct PrefillAttentionTime {
  PrefillAttentionCase which;
  double seconds = 0;  ///< of a launch with its merge, as in a prefill
};

/// Times prefill_attention_cases() as time_kernels() does; none where the kernel does not run
/// (kernels/prefill_attention.h).
std::vector<PrefillAttentionTime> time_prefill_attention(const ModelDescription& part, ElementType type,
                                                         c10::Device device);

}  // namespace specthink::inline kernels
