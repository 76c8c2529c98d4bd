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
constexpr const char* kRecord = "record";  // to rank 0: a line of the run log; needs no answer
constexpr const char* kRun = "run";        // from rank 0: [mode, problem, run], with "prompt"
constexpr const char* kWait = "wait";      // from rank 0: nothing to hand out, but others are at work
constexpr const char* kEnd = "end";        // from rank 0: all runs are recorded

}  // namespace

std::optional<Work> LocalWork::next() {
  if (stop_requested_()) queue_.stop();
  const std::optional<RunKey> key = queue_.next();
  if (!key) return std::nullopt;
  return Work{*key, benchmark_.problem(*key)};
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
  return work;
}

void RemoteWork::deliver(RunRecord record) { mailbox_.send(0, to_line(OrderedJson{{kRecord, log_json(record)}})); }

void RemoteWork::wait_for_end() {
  while (!ended_) {
    std::this_thread::sleep_for(kEndPoll);
    ask();
  }
}

WorkServer::WorkServer(const Mailbox& mailbox, WorkQueue& queue, const Benchmark& benchmark, const RankGroups& groups)
    : mailbox_(mailbox), queue_(queue), benchmark_(benchmark), clients_(groups.roots().size() - 1) {
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
      queue_.fail(std::current_exception());  // the main thread ends the job
      return;
    }
    std::this_thread::sleep_for(kServerPoll);
  }
}

void WorkServer::handle(const Mailbox::Message& message) {
  const std::string source = fmt::format("message of rank {}", message.from);
  const Json object = parse_json(message.text, source);
  if (object.contains(kRecord)) {
    queue_.deliver(parse_record(object.at(kRecord), source));
    return;
  }
  const Json reply = answer(object.at(kAsk).get<bool>());
  mailbox_.send(message.from, reply.dump(-1, ' ', false, Json::error_handler_t::replace));
  if (reply.contains(kEnd)) ++ended_;
}

Json WorkServer::answer(bool stop) {
  if (stop) queue_.stop();
  if (const std::optional<RunKey> key = queue_.next()) {
    return {{kRun, {static_cast<int>(key->mode), key->problem, key->run}}, {"prompt", benchmark_.problem(*key).prompt}};
  }
  return {{queue_.is_drained() ? kEnd : kWait, true}};
}

}  // namespace specthink::inline evaluation
