#include <algorithm>

#include "specthink/base/error.h"
#include "specthink/kernels/kernel_benchmark.h"
#include "specthink/kernels/limits.h"

namespace specthink::inline kernels {

bool is_float8(const ModelDescription& part, DecodeKernel kernel) {
  return part.float8_linear && kernel != DecodeKernel::head;
}

namespace {

constexpr std::int64_t kElementBytes = 2;
constexpr std::int64_t kMostCopies = 64;
constexpr std::int64_t kRotatedBytes = 1'000'000'000;
constexpr int kAttentionRows[] = {1, 8};
constexpr std::int64_t kPrefillRows[] = {20, 120};
constexpr std::int64_t kContexts[] = {1024, 4096, 16384, 32768};

const char* name_of(DecodeKernel kernel) {
  constexpr const char* kNames[] = {"embed",   "norm", "qkv",  "attention", "output",
                                    "gate_up", "down", "head", "sampling"};
  return kNames[static_cast<int>(kernel)];
}

std::int64_t weight_bytes(const ModelDescription& part, DecodeKernel kernel) {
  return is_float8(part, kernel) ? 1 : kElementBytes;
}

std::int64_t bytes_of(const ModelDescription& part, const KernelCase& which) {
  switch (which.kernel) {
    case DecodeKernel::embed:
      return which.rows * part.hidden_size * kElementBytes;
    case DecodeKernel::norm:  // partial sums of one rank, and the norm's weights
      return which.rows * part.hidden_size * static_cast<std::int64_t>(sizeof(float)) +
             part.hidden_size * kElementBytes;
    case DecodeKernel::attention:
      return 2 * which.context * part.kv_width() * kElementBytes;
    case DecodeKernel::sampling:
      return part.vocab_size * static_cast<std::int64_t>(sizeof(float));
    default:
      return matrix_shape(part, which.kernel).elements() * weight_bytes(part, which.kernel);
  }
}

}  // namespace

std::string name_of(const PrefillLinearCase& which) { return name_of(which.kernel); }

std::string name_of(const KernelCase& which) {
  return std::string(name_of(which.kernel)) + (which.norm_inside ? ", norm inside" : "");
}

MatrixShape matrix_shape(const ModelDescription& part, DecodeKernel kernel) {
  switch (kernel) {
    case DecodeKernel::qkv:
      return {part.qkv_width(), part.hidden_size};
    case DecodeKernel::output:
      return {part.hidden_size, part.query_width()};
    case DecodeKernel::gate_up:
      return {2 * part.intermediate_size, part.hidden_size};
    case DecodeKernel::down:
      return {part.hidden_size, part.intermediate_size};
    case DecodeKernel::head:
      return {part.vocab_size, part.hidden_size};
    default:
      return {};
  }
}

std::vector<KernelCase> kernel_cases(const ModelDescription& part) {
  std::vector<KernelCase> cases;
  const auto add = [&](KernelCase which) {
    which.bytes = bytes_of(part, which);
    cases.push_back(which);
  };
  const auto add_row_counts = [&](DecodeKernel kernel) {
    for (const int rows : kStepRowCounts) add({kernel, rows});
  };
  const auto add_linear = [&](DecodeKernel kernel, bool after_norm) {
    if (after_norm) add({.kernel = kernel, .norm_inside = true});
    add_row_counts(kernel);
  };
  add_row_counts(DecodeKernel::embed);
  add_row_counts(DecodeKernel::norm);
  add_linear(DecodeKernel::qkv, true);
  for (const int rows : kAttentionRows) {
    for (const std::int64_t context : kContexts) add({DecodeKernel::attention, rows, context});
  }
  add_linear(DecodeKernel::output, false);
  add_linear(DecodeKernel::gate_up, true);
  add_linear(DecodeKernel::down, false);
  add_linear(DecodeKernel::head, true);
  add({DecodeKernel::sampling});
  return cases;
}

std::int64_t rotated_copies(std::int64_t bytes) {
  check(bytes > 0, "a kernel that reads something");
  return std::clamp<std::int64_t>((kRotatedBytes + bytes - 1) / bytes, 1, kMostCopies);
}

std::vector<PrefillLinearCase> prefill_linear_cases(const ModelDescription& part) {
  std::vector<PrefillLinearCase> cases;
  for (const DecodeKernel kernel :
       {DecodeKernel::qkv, DecodeKernel::output, DecodeKernel::gate_up, DecodeKernel::down}) {
    for (const std::int64_t rows : kPrefillRows) {
      cases.push_back({kernel, rows, matrix_shape(part, kernel).elements() * weight_bytes(part, kernel)});
    }
  }
  return cases;
}

std::vector<PrefillAttentionCase> prefill_attention_cases() {
  return {{20, 8192}, {120, 8192}, {1024, 0}, {1024, 8192}, {1024, 15360}};
}

double prefill_attention_operations(const ModelDescription& part, const PrefillAttentionCase& which) {
  const auto rows = static_cast<double>(which.rows);
  const double pairs = rows * static_cast<double>(which.cached) + rows * (rows + 1) / 2;  // of a query and a key
  return 4 * static_cast<double>(part.query_width()) * pairs;
}

}  // namespace specthink::inline kernels
