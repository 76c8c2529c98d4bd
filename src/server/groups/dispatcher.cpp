#include "server/groups/dispatcher.h"

#include <chrono>
#include <utility>

#include "server/groups/messages.h"
#include "specthink/comm/quiet_thread.h"
#include "specthink/report/ledger.h"

namespace specthink::inline server {
namespace {

constexpr std::chrono::milliseconds kDispatchPoll{1};

}  // namespace

Dispatcher::Dispatcher(RunQueue& queue, const Mailbox& mailbox, std::vector<int> roots)
    : queue_(queue), mailbox_(mailbox), roots_(std::move(roots)) {
  thread_ = start_quiet_thread([this] { run(); });
}

Dispatcher::~Dispatcher() {
  is_closing_ = true;
  if (thread_.joinable()) thread_.join();
}

void Dispatcher::finish() {
  is_finishing_ = true;
  thread_.join();
}

void Dispatcher::run() {
  try {
    while (!is_closing_) {
      if (exchange()) continue;
      if (is_finishing_ && given_.empty() && queue_.is_exhausted()) break;
      std::this_thread::sleep_for(kDispatchPoll);
    }
    if (is_closing_) return;
    for (const int root : roots_) mailbox_.send(root, Json{{kEnd, true}}.dump());
  } catch (...) {
    queue_.fail(std::current_exception());  // the main thread ends the job
  }
}

/// Whether there was anything to do.
bool Dispatcher::exchange() {
  bool is_busy = false;
  while (const auto message = mailbox_.try_receive()) {
    handle(*message);
    is_busy = true;
  }
  for (std::size_t group = 1; group <= roots_.size(); ++group) {
    while (std::optional<QueuedRun> run = queue_.take_for(group)) {
      give(group, std::move(*run));
      is_busy = true;
    }
  }
  for (auto& [id, run] : given_) {
    if (run.is_cancelled || !run.answer->is_abandoned(run.choice)) continue;
    run.is_cancelled = true;
    mailbox_.send(roots_[run.group - 1], Json{{kCancel, id}}.dump());
  }
  return is_busy;
}

void Dispatcher::give(std::size_t group, QueuedRun run) {
  const std::int64_t id = next_id_++;
  const Json message{{kId, id}, {kOrder, to_json(run.order)}};
  given_[id] = {group, std::move(run.answer), run.choice};
  mailbox_.send(roots_[group - 1], message.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void Dispatcher::handle(const Mailbox::Message& message) {
  const std::string source = fmt::format("message of rank {}", message.from);
  const Json object = parse_json(message.text, source);
  const auto id = object.at(kId).get<std::int64_t>();
  const Given& run = given_.at(id);
  if (object.contains(kIds)) {
    const auto ids = object.at(kIds).get<TokenIds>();
    const auto origins = object.at(kOrigins).get<std::string>();
    const Json& logprobs = object.at(kLogprobs);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      WrittenToken token{ids[i], static_cast<Origin>(origins.at(i) - '0')};
      if (!logprobs.empty() && !logprobs.at(i).is_null()) token.logprob = logprobs.at(i).get<float>();
      run.answer->on_token(run.choice, token);
    }
  } else if (object.contains(kText)) {
    run.answer->on_text(run.choice,
                        {object.at(kText).get<std::string>(), static_cast<Origin>(object.at(kOrigins).get<int>())});
  } else if (object.contains(kReason)) {
    EngineRun ended;
    ended.result.finish_reason = static_cast<FinishReason>(object.at(kReason).get<int>());
    ended.result.ids.resize(object.at(kCount).get<std::size_t>());
    ended.result.ledger = parse_ledger(object.at(kLedger), source);
    run.answer->on_end(run.choice, ended);
    end(id);
  } else {
    run.answer->fail({400, object.at(kRefused).get<std::string>()});
    end(id);
  }
}

void Dispatcher::end(std::int64_t id) {
  queue_.give_back(given_.at(id).group);
  given_.erase(id);
}

}  // namespace specthink::inline server
