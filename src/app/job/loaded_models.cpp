#include "app/job/loaded_models.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <optional>
#include <thread>

#include "app/job/job.h"
#include "app/job/load_report.h"
#include "specthink/base/hash.h"
#include "specthink/base/log.h"
#include "specthink/base/strings.h"
#include "specthink/comm/device.h"
#include "specthink/comm/gpu_info.h"
#include "specthink/engine/step_costs.h"
#include "specthink/kernels/decode_step.h"
#include "specthink/model/early_read.h"
#include "specthink/model/hub.h"
#include "specthink/model/memory_plan.h"

namespace specthink::inline app {
namespace {

constexpr int kMostAutomatic = 64;  // sequences at a time: beyond, few GPUs have the memory for their caches

DeviceChoice device_choice(Device device) {
  switch (device) {
    case Device::automatic:
      return DeviceChoice::automatic;
    case Device::cpu:
      return DeviceChoice::cpu;
    case Device::cuda:
      return DeviceChoice::cuda;
  }
  throw InternalError("unknown device");
}

/// The ranks of a node share its cores, unless the user has said otherwise.
void share_cores(const ProcessGroup& group) {
  if (std::getenv("OMP_NUM_THREADS")) return;
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  at::set_num_threads(std::max(1, cores / group.local_size()));
}

}  // namespace

LoadedModels::LoadedModels(const ProcessGroup& world, const ProcessGroup& group, const Invocation& invocation,
                           bool with_draft)
    : world_(world),
      group_(group),
      settings_(invocation.settings),
      has_old_layout_(invocation.was_set("target_model_gpu") || invocation.was_set("speculative_model_gpu")),
      idle_keys_(invocation.idle_keys),
      keeps_prefixes_(invocation.subcommand == kServe && settings_.serve.keep_prefixes),
      device_(c10::kCPU) {
  const ModelSettings& models = settings_.models;
  together(world_, [&] {
    if (settings_.speculation.proposers == TokenSpeculation::draft &&
        (!models.draft || settings_.schedule.mode != Mode::vllm)) {
      throw UserError(
          "--token-speculation draft needs a draft model that shares the target's token ids: give --draft FOLDER (mode "
          "vllm), or use auto, ngram or off");
    }
    if (models.target.empty()) {
      throw UserError("no target model: give --target FOLDER, or --config FILE with target_model_name");
    }
    target_ = find_model(Role::target, models.target);
    if (with_draft && models.draft) draft_ = find_model(Role::draft, *models.draft);
    // What is wrong with a folder or does not divide by the ranks is found out here, before anything is loaded.
    for (ModelFiles* model : {&target_, draft_ ? &*draft_ : nullptr}) {
      if (!model) continue;
      model->config.set_context(context_limit());
      const ShardPlan plan(model->config, group_.rank(), group_.size());
      if (!models.dummy_weights) Transformer::check_folder(model->folder, model->config, plan);
    }
  });
}

LoadedModels::ModelFiles LoadedModels::find_model(Role role, const std::string& name) const {
  const std::filesystem::path folder = resolve_model(name);
  return {role, name, folder, ModelConfig::load(folder), 0, nullptr};
}

/// The shares of the GPU's memory: as the settings say, else by need, in as many parts as groups share the GPU.
void LoadedModels::divide_memory() {
  const ModelSettings& models = settings_.models;
  int sharing = 1;
  if (models.oversubscribe_gpus) {
    const int gpus = std::max(1, static_cast<int>(inspect_cuda().gpus.size()));
    sharing = std::max(1, (world_.local_size() + gpus - 1) / gpus);
  }
  const std::array<double, 2> shares = models.gpu_memory_utilization.value_or(
      automatic_split(target_.config, draft_ ? &draft_->config : nullptr, group_.size(), gpu_memory_, models.dtype,
                      context_limit(), kAutomaticUtilization / sharing));
  target_.utilization = shares[0];
  if (draft_) draft_->utilization = shares[1];
}

void LoadedModels::check_prompt(std::span<const TokenId> ids, std::int64_t answer_tokens,
                                std::optional<Role> alone) const {
  if (ids.empty()) throw UserError("the prompt is empty");
  const auto context = context_limit();
  if (static_cast<std::int64_t>(ids.size()) + answer_tokens > context) {
    throw UserError(
        "the prompt has {} tokens, but the context is {} (the smaller of --max-model-len and the models' "
        "max_position_embeddings): shorten it",
        ids.size(), context);
  }
  std::int64_t limit = target_.config.vocab_size;
  if (draft_ && !have_own_ids()) limit = std::min(limit, draft_->config.vocab_size);
  if (draft_ && have_own_ids() && alone != Role::target) limit = draft_->config.vocab_size;  // the draft begins
  for (const TokenId id : ids) {
    if (id < 0 || id >= limit)
      throw UserError("token id {} is outside the vocabulary: expected 0 to {}", id, limit - 1);
  }
}

std::int64_t LoadedModels::context_limit() const {
  std::int64_t limit = std::min<std::int64_t>(settings_.models.max_model_len, target_.config.max_position_embeddings);
  if (draft_) limit = std::min(limit, draft_->config.max_position_embeddings);
  return limit;
}

SamplingParams sampling_params(const Settings& settings) {
  const SamplingSettings& sampling = settings.sampling;
  return {static_cast<float>(sampling.temperature), static_cast<float>(sampling.top_p), sampling.top_k};
}

ModelMemory LoadedModels::plan_of(const ModelFiles& model) const {
  return plan_memory(model.config, group_.size(), gpu_memory_, model.utilization, settings_.models.dtype,
                     context_limit(), /*models=*/draft_ ? 2 : 1, sequences());
}

std::int64_t LoadedModels::planned_bytes() const {
  if (device_.is_cpu()) return 0;
  return plan_of(target_).total_bytes() + (draft_ ? plan_of(*draft_).total_bytes() : 0);
}

int LoadedModels::sequences() const {
  if (settings_.bench.batch > 0) return settings_.bench.batch;
  return device_.is_cpu() ? kMaxStepRows : kMostAutomatic;
}

int LoadedModels::batch() const {
  constexpr std::int64_t kTokensEach = 1024;
  if (settings_.bench.batch > 0) return settings_.bench.batch;
  return static_cast<int>(
      std::clamp<std::int64_t>(capacity() / std::min(context_limit(), kTokensEach), 1, most_automatic_));
}

int LoadedModels::max_sequences() const {
  const int batch = settings_.bench.batch > 0 ? settings_.bench.batch : most_automatic_;
  if (batch <= kMaxStepRows) return kMaxStepRows;
  return std::min(kMaxSequences, batch * (have_own_ids() ? 2 : 1));
}

std::int64_t LoadedModels::cache_tokens(const ModelFiles& model) const {
  if (device_.is_cpu()) {
    // More than one whole context is needed rarely: a run that finds no room for its tokens goes on later.
    constexpr std::int64_t kTokensEach = 4096;
    const std::int64_t each = settings_.bench.reserve ? context_limit() : std::min(context_limit(), kTokensEach);
    return (pages_for(context_limit()) + (sequences() - 1) * pages_for(each)) * kPageTokens - kSpareTokens;
  }
  const ModelMemory memory = plan_of(model);
  if (!memory.loads()) {
    throw UserError(
        "the {} {} needs {} for weights and workspace on each rank, but its share of the GPU is {} "
        "(--gpu-memory-utilization {}): `specthink plan` shows what fits",
        name_of(model.role), model.name,
        format_bytes(static_cast<std::uint64_t>(memory.weight_bytes + memory.workspace_bytes)),
        format_bytes(static_cast<std::uint64_t>(memory.budget_bytes)), model.utilization);
  }
  return memory.kv_tokens;
}

void LoadedModels::load_model(ModelFiles& model) {
  LoadReport report(fmt::format("{} {}", name_of(model.role), model.name), model.config.num_layers);
  Transformer::Options options;
  options.dtype = settings_.models.dtype;
  options.device = device_;
  options.pages = pages_for(cache_tokens(model));
  options.max_positions = pages_for(context_limit()) * kPageTokens;
  options.dummy_weights = settings_.models.dummy_weights;
  options.dummy_seed = hash_text(name_of(model.role));
  options.prefill_rows = prefill_rows(model);
  options.peer_sum = peer_sum_.get();
  options.on_layer = [&](const LoadProgress& progress) {
    group_.mark(Phase::load, progress.layer);
    report.progress(progress);
  };
  model.transformer = std::make_unique<Transformer>(model.folder, model.config, *collectives_, options);
  synchronize(device_);
  const auto weight_bytes = static_cast<std::uint64_t>(model.transformer->weight_bytes());
  spdlog::info("{} {}: {} of weights a rank, KV cache of {} tokens ({}), loaded in {:.1f} s ({:.2f} GB/s)",
               name_of(model.role), model.name, format_bytes(weight_bytes),
               model.transformer->num_pages() * kPageTokens - kSpareTokens,
               format_bytes(static_cast<std::uint64_t>(model.transformer->cache_bytes())), report.seconds(),
               static_cast<double>(weight_bytes) / 1e9 / report.seconds());
}

/// The draft is loaded beside the target, which calls no collective either.
void LoadedModels::load_models() {
  std::exception_ptr draft_failure;
  std::thread draft_thread;
  if (draft_) {
    draft_thread = start_device_thread(device_, [&] {
      try {
        load_model(*draft_);
      } catch (...) {
        draft_failure = std::current_exception();
      }
    });
  }
  std::exception_ptr failure;
  try {
    load_model(target_);
  } catch (...) {
    failure = std::current_exception();
  }
  if (draft_thread.joinable()) draft_thread.join();
  if (failure) std::rethrow_exception(failure);
  if (draft_failure) std::rethrow_exception(draft_failure);
  release_unused_memory(device_);  // what joining the parts of matrices has left
}

/// Kernels wait no longer than the watchdog, which says more about the reason; it may be off (0).
double LoadedModels::wait_limit_seconds() const {
  const double timeout = settings_.models.collective_timeout;
  return timeout > 0 ? timeout : PeerSum::Options().wait_limit_seconds;
}

std::int64_t LoadedModels::prefill_rows(const ModelFiles& model) const {
  return device_.is_cpu() ? kPrefillChunk : plan_of(model).prefill_rows;
}

PeerSum::Options LoadedModels::peer_sum_options() const {
  const auto bytes = [this](const ModelFiles& model) {
    return prefill_rows(model) * model.config.hidden_size * size_of(settings_.models.dtype);
  };
  return {settings_.models.all_reduce, std::max(bytes(target_), draft_ ? bytes(*draft_) : 0), wait_limit_seconds()};
}

void LoadedModels::load() {
  std::optional<EarlyRead> early;  // while the GPUs and the exchange between them start
  if (!settings_.models.dummy_weights) {
    early.emplace(target_.folder, target_.config, ShardPlan(target_.config, group_.rank(), group_.size()),
                  world_.local_size());
  }
  device_ = select_device(world_, device_choice(settings_.models.device), settings_.models.oversubscribe_gpus);
  together(world_, [&] {
    const auto& [of_target, of_draft] = settings_.models.weights;
    target_.config.set_layout(of_target, settings_.models.dtype, device_.is_cuda());
    if (draft_) draft_->config.set_layout(of_draft, settings_.models.dtype, device_.is_cuda());
  });
  if (device_.is_cpu()) {
    share_cores(world_);
  } else {  // ranks that planned with different GPUs would prefill in different steps
    gpu_memory_ = std::ranges::min(group_.all_gather(total_memory(device_)));
    divide_memory();
  }
  const int groups = world_.size() / group_.size();
  spdlog::info("{} rank{}{}, rank 0 on {}", world_.size(), world_.size() == 1 ? "" : "s",
               groups == 1 ? "" : fmt::format(" in {} groups of {}", groups, group_.size()), describe(device_));
  if (has_old_layout_) {
    spdlog::info("target_model_gpu and speculative_model_gpu have no effect: both models are sharded over all ranks");
  }
  if (!idle_keys_.empty()) {
    spdlog::info("the file's keys of other policies have no effect: {}", fmt::join(idle_keys_, ", "));
  }
  collectives_ = Collectives::create(group_, device_);
  peer_sum_ = PeerSum::create(group_, device_, peer_sum_options());
  together(world_, [&] {
    early.reset();
    load_models();
  });
  if (take_batches()) most_automatic_ = kMostAutomatic;

  Engine::Options options;
  options.vocab_size = target_.config.vocab_size;
  if (draft_) options.vocab_size = std::min(options.vocab_size, draft_->config.vocab_size);
  options.decode_kernels = settings_.models.decode_kernels;
  options.step_timeline = settings_.replay.step_timeline;
  options.all_reduce = settings_.models.all_reduce;
  options.wait_limit_seconds = wait_limit_seconds();
  options.speculation = speculation();
  options.forced_acceptance = settings_.replay.draft_acceptance;
  options.max_sequences = max_sequences();
  options.keeps_prefixes = keeps_prefixes_;
  if (const char* interval = std::getenv("SPECTHINK_CHECK_INTERVAL"))
    options.check_interval = std::max(1, std::atoi(interval));
  const auto engine_model = [this](const ModelFiles& model) {
    return Engine::Model{model.transformer.get(), model.config.eos_ids, prefill_rows(model),
                         have_own_ids() ? model.config.vocab_size : 0};
  };
  const Engine::Model draft = draft_ ? engine_model(*draft_) : Engine::Model{};
  engine_ = std::make_unique<Engine>(group_, *collectives_, engine_model(target_), draft, options);
  if (device_.is_cpu()) return;
  spdlog::info("target decodes by {}", engine_->decode_path(Role::target));
  if (draft_) spdlog::info("draft decodes by {}", engine_->decode_path(Role::draft));
}

/// Whether more than kMaxStepRows sequences at a time decode by kernels, on all ranks.
bool LoadedModels::take_batches() const {
  const auto takes = [this](const ModelFiles& model) {
    const StepChoice choice =
        choose_step_kernels(model.transformer->shard(), settings_.models.decode_kernels, group_);
    return choice.kernels && choice.max_rows > kMaxStepRows;
  };
  const bool target_takes = takes(target_);
  return (!draft_ || takes(*draft_)) && target_takes;
}

/// What every rank can work out by itself; fix_step_costs() follows.
SpeculationOptions LoadedModels::speculation() const {
  const SpeculationSettings& settings = settings_.speculation;
  const bool is_automatic = settings.proposers == TokenSpeculation::automatic;
  SpeculationOptions options;
  options.ngram = is_automatic || settings.proposers == TokenSpeculation::ngram;
  // The draft's ids are proposals where both models follow one list of ids.
  options.draft = draft_.has_value() && settings_.schedule.mode == Mode::vllm &&
                  (is_automatic || settings.proposers == TokenSpeculation::draft);
  options.max_draft_tokens = settings.max_draft_tokens;
  return options;
}

RowCosts LoadedModels::shipped_costs(const ModelFiles& model) const {
  StepFacts facts;
  const StepBytes bytes = step_bytes(model.config, group_.size(), settings_.models.dtype);
  facts.weight_bytes = bytes.weights;
  facts.float8_bytes = bytes.float8_weights;
  facts.layers = model.config.num_layers;
  facts.on_gpu = !device_.is_cpu();
  facts.kernels = engine_->decode_kernels(model.role);
  const std::string name = describe(device_);
  facts.device_name = name;
  return estimate_row_costs(facts);
}

StepCosts LoadedModels::shipped_costs() const {
  StepCosts costs;
  costs.target = shipped_costs(target_);
  if (draft_) costs.draft = shipped_costs(*draft_);
  return costs;
}

/// Gives every rank the costs by which proposals are chosen and the models take turns, before the first run and for
/// good.
void LoadedModels::fix_step_costs() {
  const SpeculationOptions options = speculation();
  const bool speculates = options.ngram || options.draft;
  const bool measures = speculates && !step_costs_ && settings_.speculation.calibrate_steps;
  const char* source = step_costs_ ? "recorded" : measures ? "measured" : "estimated";
  const StepCosts costs = step_costs_ ? *step_costs_
                          : measures  ? measure_step_costs(*engine_, draft_.has_value(), target_.config.vocab_size)
                                      : shipped_costs();
  engine_->set_step_costs(costs);
  if (!speculates) return;
  step_costs_ = costs;
  spdlog::info("token-level speculation by {}; a step of 1, 2, 4, 8, 16 rows in ms ({}): target {:.3g}{}",
               options.ngram && options.draft ? "n-grams and the draft"
               : options.ngram                ? "n-grams"
                                              : "the draft",
               source, fmt::join(costs.target, " "),
               draft_ ? fmt::format(", draft {:.3g}", fmt::join(costs.draft, " ")) : "");
}

int LoadedModels::drive(const std::function<int()>& root) {
  return end_job_on_failure(world_, [&] { return drive_group(root); });
}

int LoadedModels::drive_group(const std::function<int()>& root) {
  if (!is_root()) return engine_->serve();
  int code = kExitSuccess;
  try {
    fix_step_costs();
    code = root();
  } catch (...) {
    // The others may be inside a collective, or know nothing of this group.
    if (engine_->busy() || world_.size() > group_.size()) throw;
    const Failure failure = describe_current_exception();
    report_failure(failure.message, 0, 1);
    code = failure.code;
  }
  engine_->shutdown(code);
  return code;
}

}  // namespace specthink::inline app
