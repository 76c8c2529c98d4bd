#include "app/session.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "app/signals.h"
#include "specthink/base/file.h"
#include "specthink/base/hash.h"
#include "specthink/base/log.h"
#include "specthink/base/strings.h"
#include "specthink/comm/device.h"
#include "specthink/comm/fault.h"
#include "specthink/comm/launcher.h"
#include "specthink/comm/watchdog.h"
#include "specthink/model/hub.h"
#include "specthink/model/memory_plan.h"

namespace specthink {
namespace {

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

/// One of the processes that the launcher started prints; the others do not end before it has, as a launcher may end a
/// job whose first process fails.
int report_launch(const std::string& problem, const LauncherEnvironment& launcher) {
  if (launcher_rank(launcher) == 0) {
    report_failure(problem, 0, 1);
  } else {
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
  return kExitEnvironment;
}

bool same_file_content(const std::filesystem::path& a, const std::filesystem::path& b) {
  return read_file(a) == read_file(b);
}

}  // namespace

int run_on_ranks(double collective_timeout, const std::function<int(const ProcessGroup&)>& body) {
  const LauncherEnvironment launcher = remember_launcher();
  if (const auto problem = launch_problem(launcher)) return report_launch(*problem, launcher);
  const MpiSession mpi;
  const ProcessGroup& world = mpi.world();
  init_logging(world.rank());
  if (const auto problem = world_problem(launcher, world.size(), MpiSession::library_version())) {
    return world.rank() == 0 ? report_launch(*problem, launcher) : kExitEnvironment;
  }
  const StopSignals signals(world.stop_flag());
  try {
    together(world, [&] {
      const char* fault_text = std::getenv(kFaultVariable);
      if (!fault_text || !*fault_text) return;
      const Fault fault = Fault::parse(fault_text);
      if (fault.rank() == world.rank()) world.set_fault(fault);
    });
    Watchdog watchdog(world, collective_timeout);
    int exit_code = kExitInternal;
    try {
      exit_code = end_job_on_failure(world, [&] {
        world.mark(Phase::start);
        return body(world);
      });
    } catch (const ReportedError& error) {
      exit_code = error.exit_code();
    }
    std::fflush(stdout);  // before the other ranks end: a launcher may then end this one as well
    world.mark(Phase::finished);
    return exit_code;
  } catch (const ReportedError& error) {
    return error.exit_code();
  } catch (...) {
    const Failure failure = describe_current_exception();
    report_failure(failure.message, world.rank(), world.size());
    if (world.size() > 1) world.abort(failure.code);
    return failure.code;
  }
}

int run_on_ranks(const std::function<int(const ProcessGroup&)>& body) {
  return run_on_ranks(default_settings().models.collective_timeout, body);
}

int end_job_on_failure(const ProcessGroup& world, const std::function<int()>& body) {
  try {
    return body();
  } catch (const ReportedError&) {
    throw;
  } catch (...) {
    world.failure_report().fail_now();
    throw;
  }
}

void require_one_group(const ProcessGroup& world, const Invocation& invocation) {
  together(world, [&] {
    const int tp = invocation.settings.models.tp;
    if (tp == 0 || tp == world.size()) return;
    throw UserError(
        "--tp {}, but {} rank{}: '{}' has work for one group only; start {} rank{}, or leave out --tp to use all", tp,
        world.size(), world.size() == 1 ? "" : "s", invocation.command, tp, tp == 1 ? "" : "s");
  });
}

Session::Session(const ProcessGroup& world, const ProcessGroup& group, const Invocation& invocation, bool with_draft,
                 bool with_text)
    : world_(world),
      group_(group),
      settings_(invocation.settings),
      has_old_layout_(invocation.was_set("target_model_gpu") || invocation.was_set("speculative_model_gpu")),
      device_(c10::kCPU) {
  const ModelSettings& models = settings_.models;
  together(world_, [&] {
    if (models.target.empty()) {
      throw UserError("no target model: give --target FOLDER, or --config FILE with target_model_name");
    }
    target_ = find_model(Role::target, models.target, models.gpu_memory_utilization[0]);
    if (with_draft && models.draft) draft_ = find_model(Role::draft, *models.draft, models.gpu_memory_utilization[1]);
    // What is wrong with a folder or does not divide by the ranks is found out here, before anything is loaded.
    for (const ModelFiles* model : {&target_, draft_ ? &*draft_ : nullptr}) {
      if (!model) continue;
      const ShardPlan plan(model->config, group_.rank(), group_.size());
      if (!models.dummy_weights) Transformer::check_folder(model->folder, model->config, plan);
    }
  });
  together(world_, [&] {
    if (is_root() && with_text) load_text();
  });
}

Session::ModelFiles Session::find_model(Role role, const std::string& name, double utilization) const {
  const std::filesystem::path folder = resolve_model(name);
  return {role, name, folder, ModelConfig::load(folder), utilization, nullptr};
}

void Session::load_text() {
  if (draft_) require_mode_exists(settings_.schedule.mode);
  if (!std::filesystem::exists(target_.folder / "tokenizer.json")) {
    if (!draft_) return;
    throw UserError(
        "{} has no tokenizer.json: the thinking schedule reads the text that the models write; add it, or run the "
        "target "
        "alone (--draft none)",
        target_.folder.string());
  }
  tokenizer_ = Tokenizer::load(target_.folder);
  if (!draft_) return;

  const auto draft_file = draft_->folder / "tokenizer.json";
  if (!same_file_content(target_.folder / "tokenizer.json", draft_file)) {
    const Tokenizer draft_tokenizer = Tokenizer::load(draft_->folder);
    const std::string difference = tokenizer_->base_difference(draft_tokenizer);
    if (!difference.empty()) {
      throw UserError("{} and {} do not share a tokenizer, which mode vllm needs: {}", target_.folder.string(),
                      draft_->folder.string(), difference);
    }
    if (!tokenizer_->same_added_tokens(draft_tokenizer)) {
      spdlog::warn("target and draft have different added tokens; the target's are used");
    }
  }
  triggers_.emplace(StopAutomaton(settings_.schedule.trigger_tokens), *tokenizer_);
}

const Tokenizer& Session::require_tokenizer() const {
  if (!tokenizer_) {
    throw UserError("{} has no tokenizer.json: add it, or give token ids with --prompt-ids", target_.folder.string());
  }
  return *tokenizer_;
}

TokenIds Session::encode_messages(const OrderedJson& messages, bool enable_thinking) {
  const Tokenizer& tokenizer = require_tokenizer();
  if (!chat_template_) chat_template_.emplace(ChatTemplate::load(target_.folder));
  const ChatTemplate::Options options{.add_generation_prompt = true, .enable_thinking = enable_thinking};
  return tokenizer.encode(chat_template_->render(messages, options));
}

void Session::check_prompt(std::span<const TokenId> ids) const {
  if (ids.empty()) throw UserError("the prompt is empty");
  const auto context = context_limit();
  if (static_cast<std::int64_t>(ids.size()) >= context) {
    throw UserError(
        "the prompt has {} tokens, but the context is {} (the smaller of --max-model-len and the models' "
        "max_position_embeddings): shorten it",
        ids.size(), context);
  }
  std::int64_t limit = target_.config.vocab_size;
  if (draft_) limit = std::min(limit, draft_->config.vocab_size);
  for (const TokenId id : ids) {
    if (id < 0 || id >= limit)
      throw UserError("token id {} is outside the vocabulary: expected 0 to {}", id, limit - 1);
  }
}

std::int64_t Session::context_limit() const {
  std::int64_t limit = std::min<std::int64_t>(settings_.models.max_model_len, target_.config.max_position_embeddings);
  if (draft_) limit = std::min(limit, draft_->config.max_position_embeddings);
  return limit;
}

SamplingParams Session::sampling() const {
  const SamplingSettings& sampling = settings_.sampling;
  return {static_cast<float>(sampling.temperature), static_cast<float>(sampling.top_p), sampling.top_k};
}

RunSetup Session::make_setup(TokenIds prompt, std::optional<Role> alone) const {
  RunSetup setup;
  setup.settings = settings_.schedule;
  setup.normal_mode = alone.has_value() || !draft_;
  setup.normal_role = alone.value_or(Role::target);
  setup.tokenizer = tokenizer();
  setup.triggers = triggers_ ? &*triggers_ : nullptr;
  setup.eos_ids = target_.config.eos_ids;
  if (draft_) setup.eos_ids.insert(setup.eos_ids.end(), draft_->config.eos_ids.begin(), draft_->config.eos_ids.end());
  if (tokenizer_) setup.tokenizer_eos = tokenizer_->eos_token_id();
  setup.ignore_eos = settings_.sampling.ignore_eos;
  setup.prompt = std::move(prompt);
  setup.max_tokens = settings_.max_tokens;
  setup.max_model_len = static_cast<int>(context_limit());
  return setup;
}

ModelMemory Session::plan_of(const ModelFiles& model) const {
  return plan_memory(model.config, group_.size(), gpu_memory_, model.utilization, settings_.models.dtype,
                     context_limit(), /*models=*/draft_ ? 2 : 1);
}

std::int64_t Session::planned_bytes() const {
  if (device_.is_cpu()) return 0;
  return plan_of(target_).total_bytes() + (draft_ ? plan_of(*draft_).total_bytes() : 0);
}

std::int64_t Session::cache_tokens(const ModelFiles& model) const {
  if (device_.is_cpu()) return context_limit();
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

void Session::load_model(ModelFiles& model) {
  const auto start = std::chrono::steady_clock::now();
  Transformer::Options options;
  options.dtype = settings_.models.dtype;
  options.device = device_;
  options.pages = pages_for(cache_tokens(model));
  options.max_positions = pages_for(context_limit()) * kPageTokens;
  options.dummy_weights = settings_.models.dummy_weights;
  options.dummy_seed = hash_text(name_of(model.role));
  options.prefill_rows = prefill_rows(model);
  options.peer_sum = peer_sum_.get();
  options.on_layer = [this](std::int64_t layer) { group_.mark(Phase::load, layer); };
  model.transformer = std::make_unique<Transformer>(model.folder, model.config, *collectives_, options);
  synchronize(device_);
  release_unused_memory(device_);  // what joining the parts of matrices has left
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  spdlog::info("{} {}: {} of weights a rank, KV cache of {} tokens ({}), loaded in {:.1f} s", name_of(model.role),
               model.name, format_bytes(static_cast<std::uint64_t>(model.transformer->weight_bytes())),
               model.transformer->num_pages() * kPageTokens - kSpareTokens,
               format_bytes(static_cast<std::uint64_t>(model.transformer->cache_bytes())), seconds);
}

/// Kernels wait no longer than the watchdog, which says more about the reason; it may be off (0).
double Session::wait_limit_seconds() const {
  const double timeout = settings_.models.collective_timeout;
  return timeout > 0 ? timeout : PeerSum::Options().wait_limit_seconds;
}

std::int64_t Session::prefill_rows(const ModelFiles& model) const {
  return device_.is_cpu() ? kPrefillChunk : plan_of(model).prefill_rows;
}

PeerSum::Options Session::peer_sum_options() const {
  const auto bytes = [this](const ModelFiles& model) {
    return prefill_rows(model) * model.config.hidden_size * size_of(settings_.models.dtype);
  };
  return {settings_.models.all_reduce, std::max(bytes(target_), draft_ ? bytes(*draft_) : 0), wait_limit_seconds()};
}

void Session::load() {
  device_ = select_device(world_, device_choice(settings_.models.device), settings_.models.oversubscribe_gpus);
  if (device_.is_cpu()) {
    share_cores(world_);
  } else {  // ranks that planned with different GPUs would prefill in different steps
    gpu_memory_ = std::ranges::min(group_.all_gather(total_memory(device_)));
  }
  const int groups = world_.size() / group_.size();
  spdlog::info("{} rank{}{}, rank 0 on {}", world_.size(), world_.size() == 1 ? "" : "s",
               groups == 1 ? "" : fmt::format(" in {} groups of {}", groups, group_.size()), describe(device_));
  if (has_old_layout_) {
    spdlog::info("target_model_gpu and speculative_model_gpu have no effect: both models are sharded over all ranks");
  }
  collectives_ = Collectives::create(group_, device_);
  peer_sum_ = PeerSum::create(group_, device_, peer_sum_options());
  together(world_, [&] {
    load_model(target_);
    if (draft_) load_model(*draft_);
  });

  Engine::Options options;
  options.vocab_size = target_.config.vocab_size;
  if (draft_) options.vocab_size = std::min(options.vocab_size, draft_->config.vocab_size);
  options.decode_kernels = settings_.models.decode_kernels;
  options.all_reduce = settings_.models.all_reduce;
  options.wait_limit_seconds = wait_limit_seconds();
  if (const char* interval = std::getenv("SPECTHINK_CHECK_INTERVAL"))
    options.check_interval = std::max(1, std::atoi(interval));
  const auto engine_model = [this](const ModelFiles& model) {
    return Engine::Model{model.transformer.get(), model.config.eos_ids, prefill_rows(model)};
  };
  const Engine::Model draft = draft_ ? engine_model(*draft_) : Engine::Model{};
  engine_ = std::make_unique<Engine>(group_, *collectives_, engine_model(target_), draft, options);
  if (device_.is_cpu()) return;
  spdlog::info("target decodes by {}", engine_->decode_path(Role::target));
  if (draft_) spdlog::info("draft decodes by {}", engine_->decode_path(Role::draft));
}

int Session::drive(const std::function<int()>& root) {
  return end_job_on_failure(world_, [&] { return drive_group(root); });
}

int Session::drive_group(const std::function<int()>& root) {
  if (!is_root()) return engine_->serve();
  int code = kExitSuccess;
  try {
    if (triggers_) engine_->install_stop_table(*triggers_);
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

}  // namespace specthink
