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
#include "specthink/engine/runner.h"
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
        models_(world, invocation, /*with_draft=*/true),
        text_(world, models_, settings_) {}

  int run() {
    together(world_, [&] {
      if (!models_.is_root()) return;
      text_.require_tokenizer();
      server_.emplace(server_options());  // an address that cannot be had is found out before models are loaded
    });
    models_.load();
    return models_.drive([this] { return serve(); });
  }

 private:
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
            .stop_requested = stop_requested,
            // The other ranks wait for a command as long as no client has a request: nobody is stuck.
            .on_idle = [this] { world_.mark(Phase::input); }};
  }

  int serve() {
    text_.install_stops(models_.engine());
    const FailureReport::AbortHook tell_clients(world_.failure_report(), [this] { server_->abort(); });
    server_->start();
    for (const ServedModel& model : served_models(models_, settings_)) spdlog::info("model {}", model.name);
    spdlog::info("listening on http://{}:{}, {} answers at a time", settings_.serve.host, server_->port(),
                 models_.batch());
    run_schedules(models_.engine(), {models_.batch(), settings_.bench.reserve}, server_->runs());
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
    prepared.setup = text_.make_setup(std::move(prompt), request.alone);
    if (request.max_tokens) prepared.setup.max_tokens = *request.max_tokens;
    if (request.ignore_eos) prepared.setup.ignore_eos = true;
    prepared.setup.settings = with_schedule(settings_.schedule, Json::parse(request.schedule.dump()));
    return prepared;
  }

  const ProcessGroup& world_;
  const Settings& settings_;
  LoadedModels models_;
  TextSide text_;
  std::optional<Server> server_;  // on rank 0
};

}  // namespace

int run_serve(const Invocation& invocation) {
  Invocation own = invocation;
  if (!invocation.was_set("batch")) own.settings.bench.batch = 0;  // auto
  return run_on_ranks(own.settings.models.collective_timeout, [&](const ProcessGroup& world) {
    require_one_group(world, own);
    ServeJob job(world, own);
    return end_job_on_failure(world, [&] { return job.run(); });
  });
}

}  // namespace specthink::inline app
