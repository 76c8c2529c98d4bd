// What bench-kernels times and prints. Pure.
#pragma once

#include <string>
#include <vector>

#include "specthink/base/json.h"
#include "specthink/kernels/kernel_benchmark.h"
#include "specthink/kernels/model_description.h"

namespace specthink::inline app {

/// The first rank's part of a model that `ranks` share. Throws UserError when they cannot, or when its KV heads serve
/// different numbers of query heads, which the decode kernels do not do.
ModelDescription part_of_first_rank(const ModelDescription& model, int ranks);

/// The shape of Llama 3 with 8 billion parameters: a model that everybody's kernels are measured with.
ModelDescription llama_8b();

struct ModelKernels {
  std::string name;
  ModelDescription part;
  std::vector<KernelTime> times;
  // Empty where the kernels do not run on this GPU.
  std::vector<PrefillLinearTime> prefill_linears = {};
  std::vector<PrefillAttentionTime> prefill_attention = {};
};

struct KernelReport {
  std::string device;
  std::string dtype;
  int ranks = 1;
  double read_bytes_per_second = 0;
  std::vector<ModelKernels> models;
};

/// A heading and tables for each model; share is that of the read bandwidth.
std::string to_markdown(const KernelReport& report);
Json to_json(const KernelReport& report);

}  // namespace specthink::inline app
