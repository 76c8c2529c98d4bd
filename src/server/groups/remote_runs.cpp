#include "specthink/server/remote_runs.h"

#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "server/groups/messages.h"
#include "specthink/report/ledger.h"

namespace specthink::inline server {
namespace {

constexpr std::chrono::milliseconds kOrderPoll{1};

std::string to_text(const Json& message) { return message.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

void RemoteRuns::receive() {
  while (const auto message = mailbox_.try_receive()) {
    const Json object = parse_json(message->text, "message of rank 0");
    if (object.contains(kOrder)) {
      orders_.emplace(object.at(kId).get<std::int64_t>(), parse_order(object.at(kOrder)));
    } else if (object.contains(kCancel)) {
      const auto id = object.at(kCancel).get<std::int64_t>();
      if (written_.contains(id) || orders_.contains(id)) cancelled_.insert(id);
    } else {
      ended_ = true;
    }
  }
}

std::optional<ScheduledRun> RemoteRuns::next(bool idle) {
  receive();
  while (idle && orders_.empty() && !ended_) {
    on_idle_();
    std::this_thread::sleep_for(kOrderPoll);
    receive();
  }
  if (orders_.empty()) return std::nullopt;
  const auto oldest = orders_.extract(orders_.begin());
  return make(oldest.key(), oldest.mapped());
}

ScheduledRun RemoteRuns::make(std::int64_t id, const RunOrder& order) {
  written_[id] = {};
  ScheduledRun run;
  run.setup = make_run_(order);
  run.options.sampling = order.sampling;
  run.options.draw = order.draw;
  if (run.setup.draft_tokenizer && !run.setup.normal_mode) {
    run.options.on_text = [this, id](const TextPiece& piece) {
      mailbox_.send(0, to_text({{kId, id}, {kText, piece.text}, {kOrigins, static_cast<int>(piece.origin)}}));
    };
  } else {
    run.options.on_token = [this, id, logprobs = order.logprobs](const WrittenToken& token) {
      Written& written = written_[id];
      written.ids.push_back(token.id);
      written.origins += static_cast<char>('0' + static_cast<int>(token.origin));
      if (logprobs) written.logprobs.push_back(token.logprob);
    };
  }
  run.options.abandoned = [this, id] { return cancelled_.contains(id); };
  run.done = [this, id](EngineRun ended) {
    flush(id);
    mailbox_.send(0, to_text({{kId, id},
                              {kReason, static_cast<int>(ended.result.finish_reason)},
                              {kCount, ended.result.ids.size()},
                              {kLedger, to_json(ended.result.ledger)}}));
    written_.erase(id);
    cancelled_.erase(id);
  };
  run.refused = [this, id](const UserError& reason) {
    mailbox_.send(0, to_text({{kId, id}, {kRefused, reason.what()}}));
    written_.erase(id);
    cancelled_.erase(id);
  };
  return run;
}

/// Tokens go to rank 0 once a turn.
void RemoteRuns::flush(std::int64_t id) {
  Written& written = written_[id];
  if (written.ids.empty()) return;
  mailbox_.send(0,
                to_text({{kId, id}, {kIds, written.ids}, {kOrigins, written.origins}, {kLogprobs, written.logprobs}}));
  written = {};
}

void RemoteRuns::observe(const PoolStatus&) {
  receive();
  for (const auto& entry : written_) flush(entry.first);
}

}  // namespace specthink::inline server
