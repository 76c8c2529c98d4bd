// `specthink plan`: what a deployment needs of each GPU, from config.json alone.

#include <algorithm>
#include <cmath>
#include <iostream>
#include <string>
#include <vector>

#include "app/commands.h"
#include "specthink/base/error.h"
#include "specthink/base/log.h"
#include "specthink/base/strings.h"
#include "specthink/model/hub.h"
#include "specthink/model/memory_plan.h"
#include "specthink/model/model_config.h"
#include "specthink/report/table.h"

namespace specthink::inline app {
namespace {

struct PlannedModel {
  Role role;
  std::string name;
  ModelConfig config;
  double utilization = 0;
  ModelMemory memory;
};

struct Plan {
  Deployment wanted;  // max_model_len cut to what the models can
  std::int64_t gpu_bytes = 0;
  std::int64_t asked_model_len = 0;
  bool automatic = false;            // the split of the memory
  std::vector<PlannedModel> models;  // target, then the draft if there is one
  std::vector<Deployment> suggestions;

  bool fits() const {
    return std::ranges::all_of(models, [](const PlannedModel& model) { return model.memory.fits(); });
  }
};

Plan make_plan(const Settings& settings) {
  constexpr double kGiB = 1 << 30;
  const ModelSettings& given = settings.models;
  if (given.target.empty()) {
    throw UserError("no target model: give --target FOLDER, or --config FILE with target_model_name");
  }
  Plan plan;
  const auto add_model = [&](Role role, const std::string& name) {
    plan.models.push_back({role, name, ModelConfig::load(resolve_model(name)), 0, {}});
  };
  add_model(Role::target, given.target);
  if (given.draft) add_model(Role::draft, *given.draft);

  plan.asked_model_len = given.max_model_len;
  plan.wanted = {settings.plan.gpus, {}, given.max_model_len};
  for (const PlannedModel& model : plan.models) {
    plan.wanted.max_model_len = std::min(plan.wanted.max_model_len, model.config.max_position_embeddings);
  }
  plan.gpu_bytes = std::max<std::int64_t>(1, std::llround(settings.plan.gpu_memory_gib * kGiB));
  for (PlannedModel& model : plan.models) {
    model.config.set_context(plan.wanted.max_model_len);
    model.config.set_layout(given.weights[model.role == Role::target ? 0 : 1], given.dtype, /*on_gpu=*/true);
  }
  const ModelConfig* draft = given.draft ? &plan.models[1].config : nullptr;
  plan.automatic = !given.gpu_memory_utilization;
  plan.wanted.utilization = plan.automatic ? automatic_split(plan.models[0].config, draft, plan.wanted.gpus,
                                                             plan.gpu_bytes, given.dtype, plan.wanted.max_model_len)
                                           : *given.gpu_memory_utilization;
  for (PlannedModel& model : plan.models) {
    model.utilization = plan.wanted.utilization[model.role == Role::target ? 0 : 1];
    model.memory = plan_memory(model.config, plan.wanted.gpus, plan.gpu_bytes, model.utilization, given.dtype,
                               plan.wanted.max_model_len, static_cast<int>(plan.models.size()));
  }
  plan.suggestions = suggest_deployments(plan.models[0].config, draft, plan.wanted, plan.gpu_bytes, given.dtype);
  return plan;
}

std::string bytes_text(std::int64_t bytes) { return format_bytes(static_cast<std::uint64_t>(bytes)); }

std::string layout_note(const ModelConfig& config) {
  if (config.own_head_dim > 0)
    return fmt::format(" (heads of {} filled up to {})", config.own_head_dim, config.head_dim);
  if (config.keeps_quantization()) return fmt::format(" ({})", config.quantization.name);
  if (config.float8_linear) return " (FP8, quantised when loaded)";
  if (config.quantization.is_any()) return fmt::format(" ({}, dequantised when loaded)", config.quantization.name);
  return "";
}

std::string heading(const Plan& plan) {
  std::string text =
      fmt::format("{} GPU{} of {}, context of {} tokens", plan.wanted.gpus, plan.wanted.gpus == 1 ? "" : "s",
                  bytes_text(plan.gpu_bytes), plan.wanted.max_model_len);
  if (plan.wanted.max_model_len < plan.asked_model_len) {
    text += fmt::format(" (the models' limit; {} asked for)", plan.asked_model_len);
  }
  text += "\n";
  for (const PlannedModel& model : plan.models) {
    text += fmt::format("{:<6}  {}, {:.2f} billion parameters{}\n", name_of(model.role), model.name,
                        static_cast<double>(model.config.num_parameters()) / 1e9, layout_note(model.config));
  }
  return text;
}

std::string memory_table(const Plan& plan) {
  std::vector<std::string> titles{"on each GPU"};
  for (const PlannedModel& model : plan.models) titles.emplace_back(name_of(model.role));
  const bool both = plan.models.size() > 1;
  if (both) titles.emplace_back("both");
  Table table(titles);

  // One row: what `amount` gives for each model, and the sum.
  const auto add_amounts = [&](const std::string& title, auto amount) {
    std::vector<std::string> cells{title};
    std::int64_t sum = 0;
    for (const PlannedModel& model : plan.models) {
      cells.push_back(bytes_text(amount(model.memory)));
      sum += amount(model.memory);
    }
    if (both) cells.push_back(bytes_text(sum));
    table.add_row(cells);
  };
  const auto add_texts = [&](const std::string& title, auto text) {
    std::vector<std::string> cells{title};
    for (const PlannedModel& model : plan.models) cells.push_back(text(model));
    table.add_row(cells);
  };

  add_amounts("weights", [](const ModelMemory& memory) { return memory.weight_bytes; });
  add_amounts("KV cache", [](const ModelMemory& memory) { return memory.kv_bytes; });
  add_texts("  tokens", [](const PlannedModel& model) { return std::to_string(model.memory.kv_tokens); });
  add_texts("  each", [](const PlannedModel& model) { return bytes_text(model.memory.kv_bytes_per_token); });
  add_amounts("workspace", [](const ModelMemory& memory) { return memory.workspace_bytes; });
  add_texts("  prefill rows", [](const PlannedModel& model) { return std::to_string(model.memory.prefill_rows); });
  add_amounts("total", [](const ModelMemory& memory) { return memory.total_bytes(); });
  add_amounts("budget", [](const ModelMemory& memory) { return memory.budget_bytes; });
  add_texts("  share", [](const PlannedModel& model) { return fmt::format("{:.4g}", model.utilization); });
  return table.to_string();
}

std::string verdict(const PlannedModel& model) {
  const ModelMemory& memory = model.memory;
  const std::string name = name_of(model.role);
  if (memory.fits()) return fmt::format("The {} fits: its cache holds all {} tokens.\n", name, memory.wanted_tokens);
  if (memory.loads()) {
    return fmt::format("The {} loads, but its cache holds only {} of {} tokens.\n", name, memory.kv_tokens,
                       memory.wanted_tokens);
  }
  return fmt::format("The {} does not load: weights and workspace take {}, its share of a GPU is {}.\n", name,
                     bytes_text(memory.weight_bytes + memory.workspace_bytes), bytes_text(memory.budget_bytes));
}

// What to change, as flags.
std::string changes_text(const Deployment& from, const Deployment& to) {
  std::vector<std::string> changes;
  if (to.gpus != from.gpus) changes.push_back(fmt::format("{} GPUs (mpirun -np {})", to.gpus, to.gpus));
  if (to.utilization != from.utilization) {
    changes.push_back(fmt::format("--gpu-memory-utilization {:.2f},{:.2f}", to.utilization[0], to.utilization[1]));
  }
  if (to.max_model_len != from.max_model_len) changes.push_back(fmt::format("--max-model-len {}", to.max_model_len));
  return fmt::format("{}", fmt::join(changes, " and "));
}

std::string advice(const Plan& plan) {
  if (plan.fits()) return "";
  if (plan.suggestions.empty()) {
    return "No split of the memory, shorter context or number of GPUs up to 64 makes it fit: use GPUs with more memory "
           "or smaller models.\n";
  }
  std::string text = "What makes it fit:\n";
  for (const Deployment& suggestion : plan.suggestions) text += "  " + changes_text(plan.wanted, suggestion) + "\n";
  return text;
}

std::string plan_as_text(const Plan& plan) {
  std::string text = heading(plan) + "\n" + memory_table(plan) + "\n";
  for (const PlannedModel& model : plan.models) text += verdict(model);
  if (plan.automatic) text += "The shares are chosen by need; --gpu-memory-utilization T,D sets others.\n";
  return text + advice(plan);
}

Json model_as_json(const PlannedModel& model) {
  const ModelMemory& memory = model.memory;
  return {{"role", name_of(model.role)},
          {"name", model.name},
          {"parameters", model.config.num_parameters()},
          {"stored_as", model.config.quantization.is_any() ? Json(model.config.quantization.name) : Json()},
          {"gpu_memory_utilization", model.utilization},
          {"weight_bytes", memory.weight_bytes},
          {"kv_bytes", memory.kv_bytes},
          {"kv_bytes_per_token", memory.kv_bytes_per_token},
          {"kv_tokens", memory.kv_tokens},
          {"wanted_tokens", memory.wanted_tokens},
          {"workspace_bytes", memory.workspace_bytes},
          {"prefill_rows", memory.prefill_rows},
          {"total_bytes", memory.total_bytes()},
          {"budget_bytes", memory.budget_bytes},
          {"loads", memory.loads()},
          {"fits", memory.fits()}};
}

Json deployment_as_json(const Deployment& deployment) {
  return {{"gpus", deployment.gpus},
          {"gpu_memory_utilization", deployment.utilization},
          {"max_model_len", deployment.max_model_len}};
}

// `suggestion` is the deployment that fits and changes least, null when none is needed or none is known.
std::string plan_as_json(const Plan& plan) {
  Json models = Json::array();
  for (const PlannedModel& model : plan.models) models.push_back(model_as_json(model));
  Json alternatives = Json::array();
  for (const Deployment& suggestion : plan.suggestions) alternatives.push_back(deployment_as_json(suggestion));
  Json suggestion;
  if (!alternatives.empty()) {
    suggestion = alternatives[0];
    alternatives.erase(0);
  }
  const Json json{{"gpus", plan.wanted.gpus},
                  {"gpu_memory_bytes", plan.gpu_bytes},
                  {"automatic_split", plan.automatic},
                  {"max_model_len", plan.wanted.max_model_len},
                  {"models", models},
                  {"fits", plan.fits()},
                  {"suggestion", suggestion},
                  {"alternatives", alternatives}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

int run_plan(const Invocation& invocation) {
  init_logging(0);
  const Plan plan = make_plan(invocation.settings);
  std::cout << (invocation.settings.format == Format::json ? plan_as_json(plan) : plan_as_text(plan));
  return kExitSuccess;  // that it does not fit is an answer, too
}

}  // namespace specthink::inline app
