// specthink bench-kernels: the kernels of a decode step, the products and the attention of a prefill, one at a time.
#include <fmt/format.h>

#include <iostream>

#include "app/commands.h"
#include "app/kernel_report.h"
#include "specthink/base/error.h"
#include "specthink/base/log.h"
#include "specthink/comm/device.h"
#include "specthink/kernels/read_bandwidth.h"
#include "specthink/model/hub.h"
#include "specthink/model/model_config.h"

namespace specthink::inline app {

int run_bench_kernels(const Invocation& invocation) {
  init_logging(0);
  const Settings& settings = invocation.settings;
  const ModelSettings& given = settings.models;
  if (given.dtype == DType::float32)
    throw UserError("the decode kernels know --dtype bfloat16 and float16, not float32");
  KernelReport report;
  report.dtype = given.dtype == DType::bfloat16 ? "bfloat16" : "float16";
  report.ranks = settings.bench_kernels.ranks;
  const auto add_model = [&](const std::string& name, const ModelDescription& model) {
    report.models.push_back({name, part_of_first_rank(model, report.ranks), {}});
  };
  const auto load = [&given](const std::string& name, WeightPrecision precision) {
    ModelConfig config = ModelConfig::load(resolve_model(name));
    config.set_layout(precision, given.dtype, /*on_gpu=*/true);
    return config;
  };
  if (!given.target.empty()) add_model(given.target, load(given.target, given.weights[0]));
  if (given.draft) add_model(*given.draft, load(*given.draft, given.weights[1]));
  const ModelDescription llama = llama_8b();
  add_model(llama.source, llama);

  const c10::Device device = kernel_benchmark_device();
  report.device = describe(device);
  report.read_bytes_per_second = measure_read_bandwidth(device);
  const ElementType type = given.dtype == DType::bfloat16 ? ElementType::bfloat16 : ElementType::float16;
  for (ModelKernels& model : report.models) {
    model.times = time_kernels(model.part, type, device);
    model.prefill_linears = time_prefill_linears(model.part, type, device);
    model.prefill_attention = time_prefill_attention(model.part, type, device);
  }

  if (settings.format == Format::json) {
    std::cout << to_json(report).dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    std::cout << to_markdown(report);
  }
  return kExitSuccess;
}

}  // namespace specthink::inline app
