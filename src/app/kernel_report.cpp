#include "app/kernel_report.h"

#include <fmt/format.h>

#include "specthink/base/error.h"
#include "specthink/model/shard_plan.h"
#include "specthink/report/table.h"

namespace specthink::inline app {
namespace {

double share(const KernelReport& report, std::int64_t bytes, double seconds) {
  return static_cast<double>(bytes) / seconds / report.read_bytes_per_second;
}

std::string shape_text(const ModelDescription& part) {
  return fmt::format("hidden {}, intermediate {}, {} query and {} KV heads of {}, vocabulary {}", part.hidden_size,
                     part.intermediate_size, part.num_heads, part.num_kv_heads, part.head_dim, part.vocab_size);
}

double operations_per_second(const ModelKernels& model, const PrefillAttentionTime& time) {
  return prefill_attention_operations(model.part, time.which) / time.seconds;
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

ModelDescription part_of_first_rank(const ModelDescription& model, int ranks) {
  const ShardPlan plan(model, 0, ranks);
  if (!plan.uniform_groups()) {
    throw UserError(
        "{}: with {} ranks the KV heads of a rank serve different numbers of query heads, which the decode kernels do "
        "not do: choose --ranks so that it divides the {} KV heads",
        model.source, ranks, model.num_kv_heads);
  }
  return plan.part_of(model);
}

ModelDescription llama_8b() {
  ModelDescription model;
  model.source = "Llama-8B";
  model.hidden_size = 4096;
  model.intermediate_size = 14336;
  model.num_layers = 32;
  model.num_heads = 32;
  model.num_kv_heads = 8;
  model.head_dim = 128;
  model.vocab_size = 128256;
  model.max_position_embeddings = 131072;
  model.rms_norm_eps = 1e-5;
  return model;
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
    text += fmt::format("\n## {}\n\n{}.\n\n", model.name, shape_text(model.part)) +
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
    const ModelDescription& part = model.part;
    models.push_back({{"name", model.name},
                      {"shape",
                       {{"hidden", part.hidden_size},
                        {"intermediate", part.intermediate_size},
                        {"heads", part.num_heads},
                        {"kv_heads", part.num_kv_heads},
                        {"head_dim", part.head_dim},
                        {"vocab", part.vocab_size}}},
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

}  // namespace specthink::inline app
