// The checks of a model folder.
#include <fmt/format.h>

#include "app/doctor/checks.h"
#include "app/doctor/text.h"
#include "specthink/base/error.h"
#include "specthink/model/hub.h"
#include "specthink/model/memory_plan.h"
#include "specthink/model/shard_plan.h"
#include "specthink/text/chat_template.h"
#include "specthink/text/tokenizer.h"

namespace specthink::inline app::doctor {
namespace {

Check check_memory(Role role, const ModelConfig& config, const ModelSettings& settings, int models,
                   const Machine& machine) {
  Check check{std::string(specthink::name_of(role)) + " fits", State::ok, "", ""};
  const bool on_cpu = machine.gpu_memory == 0;
  // Chosen by need the shares fit if any do; `plan` says exactly.
  const auto& shares = settings.gpu_memory_utilization;
  const double utilization = shares ? (*shares)[role == Role::target ? 0 : 1] : kAutomaticUtilization;
  const std::int64_t whole = on_cpu ? std::max<std::int64_t>(1, machine.host_memory) : machine.gpu_memory;
  const ModelMemory memory =
      plan_memory(config, machine.ranks, whole, utilization, settings.dtype, settings.max_model_len, models);
  if (on_cpu) {
    const std::int64_t needed =
        machine.local_ranks * (memory.weight_bytes + memory.kv_bytes_per_token * memory.wanted_tokens);
    check.found = fmt::format("{} on this node for weights and {} tokens of cache, {} of memory available",
                              bytes_text(needed), memory.wanted_tokens, bytes_text(machine.host_memory));
    if (needed > machine.host_memory) {
      check.state = State::warning;
      check.advice = "use a smaller model, a smaller --max-model-len, or GPUs";
    }
    return check;
  }
  check.found = fmt::format("{} of weights on each of {} GPU{}, cache of {} of {} tokens",
                            bytes_text(memory.weight_bytes), machine.ranks, machine.ranks == 1 ? "" : "s",
                            std::min(memory.kv_tokens, memory.wanted_tokens), memory.wanted_tokens);
  if (!memory.loads()) {
    check.state = State::error;
    check.found = fmt::format("weights and workspace take {} on each of {} GPU{}, its share is {}",
                              bytes_text(memory.weight_bytes + memory.workspace_bytes), machine.ranks,
                              machine.ranks == 1 ? "" : "s", bytes_text(memory.budget_bytes));
  } else if (!memory.fits()) {
    check.state = State::warning;
  }
  if (check.state != State::ok) {
    check.advice =
        fmt::format("`specthink plan --gpus {} --gpu-memory {:.0f}` with the same models shows what would fit",
                    machine.ranks, static_cast<double>(machine.gpu_memory) / (1 << 30));
  }
  return check;
}

/// What a prompt goes through before a model sees it: found out here rather than when the weights are loaded.
Check check_text(Role role, const std::filesystem::path& folder) {
  Check check{std::string(specthink::name_of(role)) + " text", State::ok, "", ""};
  try {
    const Tokenizer tokenizer = Tokenizer::load(folder);
    const OrderedJson messages = OrderedJson::array({{{"role", "user"}, {"content", "What is 2+2?"}}});
    const std::string prompt = ChatTemplate::load(folder).render(messages, {});
    check.found = fmt::format("{} tokens in the vocabulary, a short question makes a prompt of {}", tokenizer.size(),
                              tokenizer.encode(prompt).size());
  } catch (const Error& error) {
    check.state = State::error;
    check.found = error.what();
  }
  return check;
}

}  // namespace

std::vector<Check> check_model(Role role, const std::string& name, const ModelSettings& settings, int models,
                               const Machine& machine) {
  std::vector<Check> checks;
  const std::string title = specthink::name_of(role);
  try {
    const std::filesystem::path folder = resolve_model(name);
    ModelConfig config = ModelConfig::load(folder);
    config.set_context(std::min<std::int64_t>(settings.max_model_len, config.max_position_embeddings));
    const ShardPlan plan(config, 0, machine.ranks);
    if (!settings.dummy_weights) Transformer::check_folder(folder, config, plan);
    config.set_layout(settings.weights[role == Role::target ? 0 : 1], settings.dtype, machine.gpu_memory > 0);
    Check found{title, State::ok,
                fmt::format("{}: {}, {:.2f} billion parameters, {}", name, config.model_type,
                            static_cast<double>(config.num_parameters()) / 1e9,
                            settings.dummy_weights         ? "random weights"
                            : config.quantization.is_any() ? config.quantization.name + ", weights complete"
                                                           : "weights complete"),
                ""};
    if (!Tokenizer::is_in(folder)) {
      found.state = State::warning;
      found.found += ", no tokenizer.json";
      found.advice = "without it there is no text, and no thinking schedule: copy it from the original model";
    }
    const bool has_tokenizer = found.state == State::ok;
    checks.push_back(std::move(found));
    if (has_tokenizer) checks.push_back(check_text(role, folder));
    checks.push_back(check_memory(role, config, settings, models, machine));
  } catch (const Error& error) {
    checks.push_back({title, State::error, error.what(), ""});
  }
  return checks;
}

}  // namespace specthink::inline app::doctor
