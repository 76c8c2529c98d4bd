// specthink serve: an HTTP server in the manner of the OpenAI API.
#include <filesystem>
#include <optional>
#include <utility>

#include "app/commands.h"
#include "app/job/job.h"
#include "app/job/loaded_models.h"
#include "app/job/signals.h"
#include "app/job/text_side.h"
#include "specthink/base/log.h"
#include "specthink/comm/failure_report.h"
#include "specthink/comm/mailbox.h"
#include "specthink/comm/rank_groups.h"
#include "specthink/config/policies.h"
#include "specthink/engine/runner.h"
#include "specthink/server/remote_runs.h"
#include "specthink/server/server.h"

namespace specthink::inline app {
namespace {

/// What a model is called by clients: a hub name as it is, of a folder the last part.
std::string served_name(const std::string& model, const std::filesystem::path& folder) {
  return std::filesystem::exists(model) ? std::filesystem::weakly_canonical(folder).filename().string() : model;
}

/// The pair comes first: it answers requests that name no model.
std::vector<ServedModel> served_models(const LoadedModels& models, const Settings& settings) {
  const std::string target = served_name(settings.models.target, models.target_folder());
  if (!models.has_draft()) return {{target, Role::target}};
  std::string draft = served_name(*settings.models.draft, models.draft_folder());
  if (draft == target) draft += "-draft";
  return {{draft + "+" + target, std::nullopt}, {target, Role::target}, {draft, Role::draft}};
}

bool ends_with_open_thought(const std::string& prompt) {
  const std::size_t end = prompt.find_last_not_of(" \t\r\n");
  return end != std::string::npos && std::string_view(prompt).substr(0, end + 1).ends_with("<think>");
}

class ServeJob {
 public:
  ServeJob(const ProcessGroup& world, const Invocation& invocation)
      : world_(world),
        settings_(invocation.settings),
        groups_(world, settings_.models.tp),
        models_(world, groups_.own(), invocation, /*with_draft=*/true),
        text_(world, models_, settings_) {}

  int run() {
    together(world_, [&] {
      if (!models_.is_root()) return;
      text_.require_tokenizer();
      // An address that cannot be had is found out before models are loaded.
      if (is_first()) server_.emplace(server_options());
    });
    if (groups_.count() > 1) mailbox_.emplace(world_);
    models_.load();
    return models_.drive([this] { return is_first() ? serve() : serve_remotely(); });
  }

 private:
  bool is_first() const { return world_.rank() == 0; }

  Server::Options server_options() {
    const ServeSettings& serve = settings_.serve;
    return {.host = serve.host,
            .port = serve.port,
            .api_key = serve.api_key,
            .max_request_bytes = static_cast<std::size_t>(serve.max_request_bytes),
            .max_connections = serve.max_connections,
            .max_waiting = serve.max_queue,
            .request_timeout = serve.request_timeout,
            .queue_timeout = serve.queue_timeout,
            .drain_timeout = serve.drain_timeout,
            .sampling = sampling_params(settings_),
            .models = served_models(models_, settings_),
            .prepare = [this](const RunRequest& request) { return prepare(request); },
            .make_run = [this](const RunOrder& order) { return make_run(order); },
            .stop_requested = stop_requested,
            .on_idle = [this] { mark_idle(); }};
  }

  int serve() {
    text_.install_stops(models_.engine());
    const FailureReport::AbortHook tell_clients(world_.failure_report(), [this] { server_->abort(); });
    server_->start(models_.batch(), mailbox_ ? &*mailbox_ : nullptr, other_roots());
    for (const ServedModel& model : served_models(models_, settings_)) spdlog::info("model {}", model.name);
    spdlog::info("listening on http://{}:{}, {} answers at a time", settings_.serve.host, server_->port(),
                 models_.batch() * groups_.count());
    run_schedules(models_.engine(), {models_.batch(), settings_.bench.reserve}, server_->runs());
    mark_idle();
    server_->finish();
    server_.reset();  // when all that was answered has been sent
    spdlog::info("stopped");
    return kExitSuccess;
  }

  PreparedRun prepare(const RunRequest& request) {
    TextSide::Prompt prompt = request.text  ? text_.make_text_prompt(*request.text, request.alone)
                              : request.ids ? text_.make_prompt(*request.ids)
                                            : text_.make_prompt(request.messages, /*enable_thinking=*/true,
                                                                request.alone, request.chat_template_kwargs);
    models_.check_prompt(prompt.ids, /*answer_tokens=*/1, request.alone);
    PreparedRun prepared;
    prepared.begins_in_thought = ends_with_open_thought(prompt.text);
    RunOrder& order = prepared.order;
    order.alone = request.alone;
    order.prompt = std::move(prompt.ids);
    order.prompt_text = std::move(prompt.text);
    order.max_tokens = request.max_tokens.value_or(settings_.max_tokens);
    order.logprobs = request.logprobs;
    order.ignore_eos = request.ignore_eos || settings_.sampling.ignore_eos;
    order.schedule = Json::parse(request.schedule.dump());
    const RunSetup setup = make_run(order);  // throws for what is wrong with it
    const bool has_own_ids = setup.draft_tokenizer && !setup.normal_mode;
    if (has_own_ids && order.logprobs) {
      throw UserError("'logprobs': the models have tokenizers of their own, so that no list of tokens makes the text");
    }
    prepared.tokenizer = has_own_ids ? nullptr : setup.tokenizer;
    return prepared;
  }

  RunSetup make_run(const RunOrder& order) const {
    RunSetup setup = text_.make_setup({order.prompt, order.prompt_text}, order.alone);
    setup.max_tokens = order.max_tokens;
    setup.ignore_eos = order.ignore_eos;
    setup.statistics = order.logprobs;
    setup.settings = with_schedule(settings_.schedule, order.schedule);
    const Policy policy = setup.settings.policy;
    const bool lacks_texts =
        (policy == Policy::relay && !setup.cues) || (policy == Policy::score && setup.digits.empty());
    if (lacks_texts && !setup.normal_mode) {
      throw UserError("policy {} needs texts that this server was not started with: --policy {}", name_of(policy),
                      name_of(policy));
    }
    return setup;
  }

  /// The other ranks wait for a command as long as no client has a request: nobody is stuck.
  void mark_idle() { world_.mark(Phase::input); }

  std::vector<int> other_roots() const { return {groups_.roots().begin() + 1, groups_.roots().end()}; }

  /// On rank 0 of the other groups.
  int serve_remotely() {
    text_.install_stops(models_.engine());
    RemoteRuns runs(
        *mailbox_, [this](const RunOrder& order) { return make_run(order); }, [this] { mark_idle(); });
    run_schedules(models_.engine(), {models_.batch(), settings_.bench.reserve}, runs);
    return kExitSuccess;
  }

  const ProcessGroup& world_;
  const Settings& settings_;
  RankGroups groups_;
  LoadedModels models_;
  TextSide text_;
  std::optional<Mailbox> mailbox_;  // with several groups
  std::optional<Server> server_;    // on rank 0 of the world
};

}  // namespace

int run_serve(const Invocation& invocation) {
  Invocation own = invocation;
  // Requests may choose other policies than the settings.
  const Policy chosen = own.settings.schedule.policy;
  own.settings.bench.policies = {Policy::sentiment, Policy::step_entropy};
  if (!own.settings.schedule.cues.empty()) own.settings.bench.policies.push_back(Policy::relay);
  if (chosen != Policy::sentiment && chosen != Policy::relay) own.settings.bench.policies.push_back(chosen);
  if (!invocation.was_set("batch")) own.settings.bench.batch = 0;  // auto
  return run_on_ranks(own.settings.models.collective_timeout, [&](const ProcessGroup& world) {
    ServeJob job(world, own);
    return end_job_on_failure(world, [&] { return job.run(); });
  });
}

}  // namespace specthink::inline app
