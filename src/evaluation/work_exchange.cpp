#include "specthink/evaluation/work_exchange.h"

#include <chrono>
#include <utility>

#include "specthink/base/error.h"
#include "specthink/comm/quiet_thread.h"

namespace specthink::inline evaluation {
namespace {

constexpr std::chrono::milliseconds kServerPoll{2};  // small against the seconds of a run
constexpr std::chrono::milliseconds kEndPoll{100};

// Messages are JSON objects with one of these keys.
constexpr const char* kAsk = "ask";        // to rank 0: {"ask": true when a signal asks this rank to stop}
constexpr const char* kRecord = "record";  // to rank 0: a line of the run log, with its stage; needs no answer
constexpr const char* kRun = "run";        // from rank 0: [mode, problem, run], with "prompt", "temperature", "stage"
constexpr const char* kStage = "stage";    // which benchmark the run belongs to
constexpr const char* kWait = "wait";      // from rank 0: nothing to hand out, but others are at work
constexpr const char* kEnd = "end";        // from rank 0: all runs are recorded

}  // namespace

std::optional<Work> LocalWork::next() {
  if (stop_requested_()) stages_.stop();
  return stages_.next();
}

Json RemoteWork::ask() {
  mailbox_.send(0, Json{{kAsk, stop_requested_()}}.dump());
  Json answer = parse_json(mailbox_.receive(0), "answer of rank 0");
  ended_ = answer.contains(kEnd);
  return answer;
}

std::optional<Work> RemoteWork::next() {
  const Json answer = ask();
  if (!answer.contains(kRun)) return std::nullopt;
  const Json& run = answer.at(kRun);
  Work work;
  work.key = {static_cast<RunMode>(run.at(0).get<int>()), run.at(1).get<std::size_t>(), run.at(2).get<std::size_t>()};
  work.problem.prompt = answer.at("prompt").get<std::string>();
  work.temperature = answer.at("temperature").get<double>();
  work.stage = answer.at(kStage).get<std::size_t>();
  return work;
}

void RemoteWork::deliver(std::size_t stage, RunRecord record) {
  mailbox_.send(0, to_line(OrderedJson{{kRecord, log_json(record)}, {kStage, stage}}));
}

void RemoteWork::wait_for_end() {
  while (!ended_) {
    std::this_thread::sleep_for(kEndPoll);
    ask();
  }
}

WorkServer::WorkServer(const Mailbox& mailbox, WorkStages& stages, const RankGroups& groups)
    : mailbox_(mailbox), stages_(stages), clients_(groups.roots().size() - 1) {
  thread_ = start_quiet_thread([this] { run(); });
}

WorkServer::~WorkServer() {
  closing_ = true;
  if (thread_.joinable()) thread_.join();
}

void WorkServer::finish() { thread_.join(); }

void WorkServer::run() {
  while (ended_ < clients_ && !closing_) {
    try {
      while (const auto message = mailbox_.try_receive()) handle(*message);
    } catch (...) {
      stages_.fail(std::current_exception());  // the main thread ends the job
      return;
    }
    std::this_thread::sleep_for(kServerPoll);
  }
}

void WorkServer::handle(const Mailbox::Message& message) {
  const std::string source = fmt::format("message of rank {}", message.from);
  const Json object = parse_json(message.text, source);
  if (object.contains(kRecord)) {
    stages_.deliver(object.at(kStage).get<std::size_t>(), parse_record(object.at(kRecord), source));
    return;
  }
  const Json reply = answer(object.at(kAsk).get<bool>());
  mailbox_.send(message.from, reply.dump(-1, ' ', false, Json::error_handler_t::replace));
  if (reply.contains(kEnd)) ++ended_;
}

Json WorkServer::answer(bool stop) {
  if (stop) stages_.stop();
  if (const std::optional<Work> work = stages_.next()) {
    return {{kRun, {static_cast<int>(work->key.mode), work->key.problem, work->key.run}},
            {"prompt", work->problem.prompt},
            {"temperature", work->temperature},
            {kStage, work->stage}};
  }
  return {{stages_.is_drained() ? kEnd : kWait, true}};
}

}  // namespace specthink::inline evaluation
