// A pair of models on a group of ranks: their files, their memory, and the engine that runs them.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "specthink/comm/collectives.h"
#include "specthink/comm/process_group.h"
#include "specthink/config/options.h"
#include "specthink/engine/engine.h"
#include "specthink/engine/sampling.h"
#include "specthink/kernels/peer_sum.h"
#include "specthink/model/memory_plan.h"
#include "specthink/model/transformer.h"

namespace specthink::inline app {

/// How the settings have tokens drawn.
SamplingParams sampling_params(const Settings& settings);

class LoadedModels {
 public:
  /// Reads configurations and the heads of the weight files; cheap, so that bad input is found before weights are
  /// loaded. Collective over the world, of which `group` is this rank's part that holds a pair of models. `with_draft`:
  /// the settings' draft is used, if they name one. World, group and invocation must outlive this.
  LoadedModels(const ProcessGroup& world, const ProcessGroup& group, const Invocation& invocation, bool with_draft);

  /// For a world of one group.
  LoadedModels(const ProcessGroup& group, const Invocation& invocation, bool with_draft)
      : LoadedModels(group, group, invocation, with_draft) {}

  /// Loads both models and builds the engine. Collective over the world.
  void load();

  /// Rank 0 runs `root`, the others serve it; all return its exit code. What `root` throws between two commands ends
  /// every rank with that exit code; in a job of several groups it ends the job. Collective over the group.
  int drive(const std::function<int()>& root);

  bool is_root() const { return group_.rank() == 0; }
  bool has_draft() const { return draft_.has_value(); }
  const ProcessGroup& group() const { return group_; }
  Engine& engine() { return *engine_; }
  const ModelConfig& target_config() const { return target_.config; }
  const ModelConfig* draft_config() const { return draft_ ? &draft_->config : nullptr; }
  c10::Device device() const { return device_; }  ///< the CPU before load()

  /// Tokens of prompt and answer together that settings and models allow.
  std::int64_t context_limit() const;

  /// Bytes of this rank's GPU that the models were given by plan_memory(); 0 on CPUs.
  std::int64_t planned_bytes() const;

  /// By which proposals are chosen, during drive(); none where nobody proposes.
  const std::optional<StepCosts>& step_costs() const { return step_costs_; }

  /// Before drive(), on every root: these, in place of what is shipped or measured.
  void use_step_costs(const StepCosts& costs) { step_costs_ = costs; }

  std::int64_t capacity() const { return engine_->capacity(); }

  /// Runs at a time, after load(): as the settings say, or as many as the caches hold with 1024 tokens each, up to what
  /// the decode kernels take.
  int batch() const;

  const std::filesystem::path& target_folder() const { return target_.folder; }
  const std::filesystem::path& draft_folder() const { return draft_.value().folder; }

  /// Throws UserError for a prompt that is empty, leaves no room for `answer_tokens` in the context or has ids outside
  /// the vocabulary. `alone`: the only model that reads it, as in TextSide::make_setup().
  void check_prompt(std::span<const TokenId> ids, std::int64_t answer_tokens = 1, std::optional<Role> alone = {}) const;

 private:
  struct ModelFiles {
    Role role;
    std::string name;  // as the user gave it
    std::filesystem::path folder;
    ModelConfig config;
    double utilization = 0;  // of the GPU's memory; of GPUs alone
    std::unique_ptr<Transformer> transformer;
  };

  ModelFiles find_model(Role role, const std::string& name) const;
  void divide_memory();
  int drive_group(const std::function<int()>& root);
  bool have_own_ids() const { return settings_.schedule.mode == Mode::vllm_p; }  // each model its tokenizer's
  SpeculationOptions speculation() const;
  RowCosts shipped_costs(const ModelFiles& model) const;
  StepCosts shipped_costs() const;
  void fix_step_costs();
  double wait_limit_seconds() const;
  std::int64_t prefill_rows(const ModelFiles& model) const;
  PeerSum::Options peer_sum_options() const;
  void load_models();
  void load_model(ModelFiles& model);
  int sequences() const;      // that the caches are to hold at a time
  int max_sequences() const;  // of the engine
  bool take_batches() const;
  ModelMemory plan_of(const ModelFiles& model) const;  // on a GPU
  std::int64_t cache_tokens(const ModelFiles& model) const;

  const ProcessGroup& world_;
  const ProcessGroup& group_;
  const Settings& settings_;
  bool has_old_layout_;                 // the settings name a number of GPUs a model
  std::vector<std::string> idle_keys_;  // Invocation::idle_keys
  std::optional<StepCosts> step_costs_;
  bool keeps_prefixes_;  // Engine::Options
  c10::Device device_;
  std::int64_t gpu_memory_ = 0;        // of the group's smallest GPU; on CPUs 0
  int most_automatic_ = kMaxStepRows;  // sequences at a time that --batch auto may choose
  std::unique_ptr<Collectives> collectives_;
  std::unique_ptr<PeerSum> peer_sum_;  // null where the ranks have no common memory
  ModelFiles target_;
  std::optional<ModelFiles> draft_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace specthink::inline app
