#include "specthink/server/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <optional>
#include <random>
#include <utility>

#include "server/answer/answer.h"
#include "server/api/completion_request.h"
#include "server/api/errors.h"
#include "server/groups/dispatcher.h"
#include "server/http/listener.h"
#include "server/metrics.h"
#include "server/run_queue.h"
#include "server/work_thread.h"
#include "specthink/base/json.h"

namespace specthink::inline server {
namespace {

constexpr const char* kChatPath = "/v1/chat/completions";
constexpr const char* kCompletionsPath = "/v1/completions";
constexpr const char* kModelsPath = "/v1/models";
constexpr double kFlushSeconds = 1;  // for answers on their way when the server ends

/// In a time that does not tell how much of the key is right.
bool equal_in_constant_time(const std::string& a, const std::string& b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[b.empty() ? 0 : i % b.size()]);
  }
  return difference == 0;
}

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

}  // namespace

struct Server::Impl {
  explicit Impl(Options given);

  void handle(HttpRequest request, std::shared_ptr<Responder> responder);
  void reply(const std::string& path, const std::shared_ptr<Responder>& responder, HttpReply reply);
  void complete(Endpoint endpoint, const std::string& path, std::string body, std::shared_ptr<Responder> responder);
  void prepare(Endpoint endpoint, const std::string& path, const std::string& body,
               const std::shared_ptr<Responder>& responder);
  bool is_authorized(const HttpRequest& request) const;
  HttpReply models_reply(const std::string& path) const;

  Options options;
  Metrics metrics;
  RunQueue queue;
  std::atomic<int> num_preparing{0};
  std::time_t started = std::time(nullptr);
  WorkThread worker;  // templates and tokenizer, which would keep the connections waiting
  std::optional<Dispatcher> dispatcher;
  Listener listener;  // ends first: its thread uses the rest
};

Server::Impl::Impl(Options given)
    : options(std::move(given)),
      queue({.max_waiting = static_cast<std::size_t>(options.max_waiting),
             .wait_seconds = options.queue_timeout,
             .drain_seconds = options.drain_timeout,
             .make_run = options.make_run,
             .stop_requested = options.stop_requested,
             .on_idle = options.on_idle,
             .on_drain = [this] { listener.drain(); }},
            metrics),
      listener(options.host, options.port,
               {.body_bytes = options.max_request_bytes,
                .request_seconds = options.request_timeout,
                .connections = options.max_connections}) {}

void Server::Impl::reply(const std::string& path, const std::shared_ptr<Responder>& responder, HttpReply reply) {
  metrics.count_reply(path, reply.status);
  responder->send(std::move(reply));
}

bool Server::Impl::is_authorized(const HttpRequest& request) const {
  if (options.api_key.empty()) return true;
  return equal_in_constant_time(request.authorization, "Bearer " + options.api_key);
}

HttpReply Server::Impl::models_reply(const std::string& path) const {
  const auto describe = [this](const ServedModel& model) -> Json {
    return {{"id", model.name},
            {"object", "model"},
            {"created", static_cast<std::int64_t>(started)},
            {"owned_by", "specthink"},
            {"specthink", {{"writes", model.alone ? name_of(*model.alone) : "pair"}}}};
  };
  if (path == kModelsPath) {
    Json list{{"object", "list"}, {"data", Json::array()}};
    for (const ServedModel& model : options.models) list["data"].push_back(describe(model));
    return {.body = list.dump()};
  }
  const std::string name = path.substr(std::string(kModelsPath).size() + 1);
  const auto found = std::ranges::find(options.models, name, &ServedModel::name);
  if (found == options.models.end()) return error_reply({404, fmt::format("there is no model '{}'", name), "model"});
  return {.body = describe(*found).dump()};
}

void Server::Impl::handle(HttpRequest request, std::shared_ptr<Responder> responder) {
  const std::string& path = request.path;
  const bool is_completion = path == kChatPath || path == kCompletionsPath;
  const bool is_model = path == kModelsPath || path.starts_with(std::string(kModelsPath) + "/");
  const bool is_status = path == "/health" || path == "/metrics";
  const std::string label = is_completion || is_status ? path : is_model ? kModelsPath : "other";
  if (path.starts_with("/v1") && !is_authorized(request)) {
    return reply(label, responder,
                 error_reply({401, "the API key is missing or wrong: send it as `Authorization: Bearer KEY`"}));
  }
  if (!is_completion && !is_model && !is_status) {
    return reply(label, responder,
                 error_reply({404, fmt::format("there is no {}; there are {}, {}, {}, /health and /metrics", path,
                                               kChatPath, kCompletionsPath, kModelsPath)}));
  }
  if (request.method != (is_completion ? "POST" : "GET")) {
    return reply(label, responder,
                 error_reply({405, fmt::format("{} takes {}", path, is_completion ? "POST" : "GET")}));
  }
  if (is_model) return reply(label, responder, models_reply(path));
  if (path == "/metrics") {
    return reply(label, responder, {.body = metrics.text(), .content_type = "text/plain; version=0.0.4"});
  }
  if (path == "/health") {
    if (queue.is_draining()) return reply(label, responder, error_reply({503, "the server is stopping", "", 10}));
    return reply(label, responder, {.body = R"({"status":"ok"})"});
  }
  complete(path == kChatPath ? Endpoint::chat : Endpoint::completions, path, std::move(request.body),
           std::move(responder));
}

void Server::Impl::complete(Endpoint endpoint, const std::string& path, std::string body,
                            std::shared_ptr<Responder> responder) {
  if (queue.is_draining()) return reply(path, responder, error_reply({503, "the server is stopping", "", 10}));
  if (num_preparing.load() >= options.max_waiting || queue.is_full()) {
    return reply(path, responder, error_reply({429, "the queue is full (--max-queue)", "", 1}));
  }
  num_preparing.fetch_add(1);
  worker.post([this, endpoint, path, body = std::move(body), responder = std::move(responder)] {
    try {
      if (!responder->is_gone()) prepare(endpoint, path, body, responder);
    } catch (const BadRequest& bad) {
      reply(path, responder, error_reply(bad.error));
    } catch (const UserError& error) {
      reply(path, responder, error_reply({400, error.what()}));
    } catch (const std::exception& error) {
      reply(path, responder, error_reply({500, error.what()}));
    }
    num_preparing.fetch_sub(1);
  });
}

/// From the body to runs in the queue.
void Server::Impl::prepare(Endpoint endpoint, const std::string& path, const std::string& body,
                           const std::shared_ptr<Responder>& responder) {
  const CompletionRequest request = parse_completion(endpoint, body, options.models, options.sampling);
  if (request.runs.size() * static_cast<std::size_t>(request.n) > static_cast<std::size_t>(options.max_waiting)) {
    throw BadRequest{{400, "these are more answers than the queue takes (--max-queue)", "n"}};
  }
  const std::uint64_t seed = request.seed.value_or(random_seed());
  std::vector<QueuedRun> runs;
  std::vector<ChoiceText::Options> choices;
  std::int64_t prompt_tokens = 0;
  for (const RunRequest& wanted : request.runs) {
    const PreparedRun prepared = options.prepare(wanted);
    prompt_tokens += static_cast<std::int64_t>(prepared.order.prompt.size());
    for (int sample = 0; sample < request.n; ++sample) {
      QueuedRun& run = runs.emplace_back();
      run.order = prepared.order;
      run.order.sampling = request.sampling;
      run.order.draw = {seed, 0, static_cast<std::uint32_t>(sample)};
      run.choice = choices.size();
      choices.push_back({.tokenizer = prepared.tokenizer,
                         .stop = request.stop,
                         .splits_thoughts = endpoint == Endpoint::chat,
                         .begins_in_thought = prepared.begins_in_thought});
    }
  }
  const auto answer = std::make_shared<Answer>(request, prompt_tokens, std::move(choices), responder, metrics);
  for (QueuedRun& run : runs) run.answer = answer;
  if (!queue.push(std::move(runs))) {
    answer->fail({429, "the queue is full (--max-queue)", "", 1});
    return;
  }
  metrics.count_prompt(prompt_tokens);
}

Server::Server(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}

Server::~Server() { abort(); }

int Server::port() const { return impl_->listener.port(); }

void Server::start(int runs, const Mailbox* mailbox, std::vector<int> roots) {
  impl_->queue.set_groups(roots.size() + 1, runs);
  if (!roots.empty()) impl_->dispatcher.emplace(impl_->queue, *mailbox, std::move(roots));
  impl_->listener.start([impl = impl_.get()](HttpRequest request, std::shared_ptr<Responder> responder) {
    impl->handle(std::move(request), std::move(responder));
  });
}

void Server::finish() {
  if (impl_->dispatcher) impl_->dispatcher->finish();
}

RunSource& Server::runs() { return impl_->queue; }

void Server::abort() {
  impl_->queue.fail_all({503, "the server has ended", "", 10});
  impl_->listener.flush(kFlushSeconds);
}

}  // namespace specthink::inline server
