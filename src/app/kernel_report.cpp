#include "app/kernel_report.h"

#include <fmt/format.h>

#include "specthink/base/error.h"
#include "specthink/model/shard_plan.h"
#include "specthink/report/table.h"

namespace specthink {
namespace {

double share(const KernelReport& report, std::int64_t bytes, double seconds) {
  return static_cast<double>(bytes) / seconds / report.read_bytes_per_second;
}

std::string shape_text(const DecodeShape& shape) {
  return fmt::format("hidden {}, intermediate {}, {} query and {} KV heads of {}, vocabulary {}", shape.hidden,
                     shape.intermediate, shape.heads, shape.kv_heads, shape.head_dim, shape.vocab);
}

double operations_per_second(const ModelKernels& model, const PrefillAttentionTime& time) {
  return prefill_attention_operations(model.shape, time.which) / time.seconds;
}

std::string product_table(const KernelReport& report, const ModelKernels& model) {
  std::vector<std::vector<std::string>> rows;
  for (const PrefillLinearTime& time : model.prefill_linears) {
    const PrefillLinearCase& which = time.which;
    rows.push_back({name_of(which), std::to_string(which.rows), std::to_string(which.bytes),
                    fmt::format("{:.2f}", time.seconds * 1e6),
                    fmt::format("{:.1f} %", 100 * share(report, which.bytes, time.seconds)),
                    fmt::format("{:.2f}", time.library_seconds * 1e6)});
  }
  return markdown_table({"kernel", "rows", "bytes", "µs", "share", "LibTorch µs"}, rows);
}

std::string attention_table(const ModelKernels& model) {
  std::vector<std::vector<std::string>> rows;
  for (const PrefillAttentionTime& time : model.prefill_attention) {
    rows.push_back({std::to_string(time.which.rows), std::to_string(time.which.cached),
                    fmt::format("{:.1f}", time.seconds * 1e6),
                    fmt::format("{:.0f}", operations_per_second(model, time) / 1e12)});
  }
  return markdown_table({"rows", "cached", "µs", "TFLOP/s"}, rows);
}

}  // namespace

DecodeShape decode_shape(const ModelConfig& config, int ranks) {
  const ShardPlan plan(config, 0, ranks);
  if (!plan.uniform_groups()) {
    throw UserError(
        "{}: with {} ranks the KV heads of a rank serve different numbers of query heads, which the decode kernels do "
        "not do: choose --ranks so that it divides the {} KV heads",
        config.source, ranks, config.num_kv_heads);
  }
  return {.hidden = config.hidden_size,
          .intermediate = plan.intermediate_local,
          .heads = plan.num_heads_local,
          .kv_heads = plan.num_kv_heads_local,
          .head_dim = config.head_dim,
          .vocab = plan.vocab_local,
          .qk_norm = config.qk_norm,
          .bias = config.attention_bias};
}

ModelConfig llama_8b() {
  ModelConfig config;
  config.source = "Llama-8B";
  config.model_type = "llama";
  config.hidden_size = 4096;
  config.intermediate_size = 14336;
  config.num_layers = 32;
  config.num_heads = 32;
  config.num_kv_heads = 8;
  config.head_dim = 128;
  config.vocab_size = 128256;
  config.max_position_embeddings = 131072;
  config.rms_norm_eps = 1e-5;
  return config;
}

std::string to_markdown(const KernelReport& report) {
  std::string text =
      fmt::format("# Decode kernels, one of {} rank{}, {}, {}\n\n- read bandwidth: {:.3f} TB/s\n", report.ranks,
                  report.ranks == 1 ? "" : "s", report.dtype, report.device, report.read_bytes_per_second / 1e12);
  for (const ModelKernels& model : report.models) {
    std::vector<std::vector<std::string>> rows;
    for (const KernelTime& time : model.times) {
      const KernelCase& which = time.which;
      const auto add_time = [&](std::vector<std::string>& row, std::optional<double> seconds) {
        row.push_back(seconds ? fmt::format("{:.2f}", *seconds * 1e6) : "-");
        row.push_back(seconds ? fmt::format("{:.1f} %", 100 * share(report, which.bytes, *seconds)) : "-");
      };
      std::vector<std::string> row{name_of(which), std::to_string(which.rows),
                                   which.context ? std::to_string(which.context) : "-", std::to_string(which.bytes)};
      add_time(row, time.alone);
      add_time(row, time.overlapped);
      rows.push_back(std::move(row));
    }
    text += fmt::format("\n## {}\n\n{}.\n\n", model.name, shape_text(model.shape)) +
            markdown_table({"kernel", "rows", "context", "bytes", "µs alone", "share", "µs overlapped", "share"}, rows);
    if (!model.prefill_linears.empty()) text += "\nProducts of a prefill:\n\n" + product_table(report, model);
    if (!model.prefill_attention.empty()) text += "\nAttention of a prefill:\n\n" + attention_table(model);
  }
  return text;
}

Json to_json(const KernelReport& report) {
  Json models = Json::array();
  for (const ModelKernels& model : report.models) {
    Json kernels = Json::array();
    for (const KernelTime& time : model.times) {
      const KernelCase& which = time.which;
      Json kernel{{"kernel", name_of(which)},     {"rows", which.rows},
                  {"context", which.context},     {"bytes", which.bytes},
                  {"alone_us", time.alone * 1e6}, {"alone_share", share(report, which.bytes, time.alone)},
                  {"overlapped_us", nullptr},     {"overlapped_share", nullptr}};
      if (time.overlapped) {
        kernel["overlapped_us"] = *time.overlapped * 1e6;
        kernel["overlapped_share"] = share(report, which.bytes, *time.overlapped);
      }
      kernels.push_back(std::move(kernel));
    }
    Json products = Json::array();
    for (const PrefillLinearTime& time : model.prefill_linears) {
      const PrefillLinearCase& which = time.which;
      products.push_back({{"kernel", name_of(which)},
                          {"rows", which.rows},
                          {"bytes", which.bytes},
                          {"us", time.seconds * 1e6},
                          {"share", share(report, which.bytes, time.seconds)},
                          {"library_us", time.library_seconds * 1e6}});
    }
    Json attention = Json::array();
    for (const PrefillAttentionTime& time : model.prefill_attention) {
      attention.push_back({{"rows", time.which.rows},
                           {"cached", time.which.cached},
                           {"us", time.seconds * 1e6},
                           {"tflop_s", operations_per_second(model, time) / 1e12}});
    }
    const DecodeShape& shape = model.shape;
    models.push_back({{"name", model.name},
                      {"shape",
                       {{"hidden", shape.hidden},
                        {"intermediate", shape.intermediate},
                        {"heads", shape.heads},
                        {"kv_heads", shape.kv_heads},
                        {"head_dim", shape.head_dim},
                        {"vocab", shape.vocab}}},
                      {"kernels", std::move(kernels)},
                      {"prefill_linears", std::move(products)},
                      {"prefill_attention", std::move(attention)}});
  }
  return {{"device", report.device},
          {"dtype", report.dtype},
          {"ranks", report.ranks},
          {"read_tb_s", report.read_bytes_per_second / 1e12},
          {"models", std::move(models)}};
}

}  // namespace specthink
