#include "server/run_queue.h"

#include <utility>

namespace specthink::inline server {
namespace {

constexpr std::chrono::milliseconds kLookForStop{50};  // a signal sets a flag and wakes nobody

const ApiError kStopping{503, "the server is stopping", "", 10};

}  // namespace

bool RunQueue::push(std::vector<QueuedRun> runs) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() + runs.size() > options_.max_waiting) return false;
    std::erase_if(answers_, [](const auto& answer) { return answer.expired(); });
    if (!runs.empty()) answers_.push_back(runs.front().answer);
    for (QueuedRun& run : runs) waiting_.push_back(std::move(run));
    metrics_.set_queue(static_cast<int>(waiting_.size()));
  }
  changed_.notify_one();
  return true;
}

bool RunQueue::is_full() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size() >= options_.max_waiting;
}

bool RunQueue::is_draining() const {
  const std::lock_guard lock(mutex_);
  return drain_end_.has_value();
}

void RunQueue::fail_all(const ApiError& error) {
  std::vector<std::weak_ptr<Answer>> answers;
  {
    const std::lock_guard lock(mutex_);
    answers = answers_;
  }
  for (const auto& weak : answers) {
    if (const auto answer = weak.lock()) answer->fail(error);
  }
}

std::optional<ScheduledRun> RunQueue::next(bool idle) {
  std::optional<QueuedRun> taken;
  while (!(taken = take())) {
    look_for_stop();
    if (!idle || is_draining()) return std::nullopt;
    options_.on_idle();
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kLookForStop, [this] { return !waiting_.empty(); });
  }
  ScheduledRun run;
  run.setup = std::move(taken->setup);
  run.options = std::move(taken->options);
  const auto [answer, choice] = std::pair(taken->answer, taken->choice);
  if (run.setup.draft_tokenizer && !run.setup.normal_mode) {
    run.options.on_text = [answer, choice](const TextPiece& piece) { answer->on_text(choice, piece); };
  } else {
    run.options.on_token = [answer, choice](TokenId id, Origin origin) { answer->on_token(choice, id, origin); };
  }
  run.options.abandoned = [answer, choice] { return answer->is_abandoned(choice); };
  run.refused = [answer](const UserError& reason) { answer->fail({400, reason.what()}); };
  run.done = [answer, choice](EngineRun ended) { answer->on_end(choice, ended); };
  return run;
}

/// The oldest run that somebody still waits for.
std::optional<QueuedRun> RunQueue::take() {
  expire();
  const std::lock_guard lock(mutex_);
  std::optional<QueuedRun> run;
  while (!run && !waiting_.empty()) {
    if (!waiting_.front().answer->is_abandoned(waiting_.front().choice)) run = std::move(waiting_.front());
    waiting_.pop_front();
  }
  metrics_.set_queue(static_cast<int>(waiting_.size()));
  return run;
}

/// Refuses those who have waited too long. The oldest ones stand in front.
void RunQueue::expire() {
  std::vector<std::shared_ptr<Answer>> expired;
  {
    const std::lock_guard lock(mutex_);
    while (!waiting_.empty() && waiting_.front().answer->age() > options_.wait_seconds) {
      expired.push_back(std::move(waiting_.front().answer));
      waiting_.pop_front();
    }
  }
  for (const auto& answer : expired)
    answer->fail({503, "the request has waited for too long (--queue-timeout)", "", 10});
}

bool RunQueue::is_exhausted() {
  const std::lock_guard lock(mutex_);
  return drain_end_ && waiting_.empty();
}

void RunQueue::observe(const PoolStatus& status) {
  metrics_.set_running(status.running);
  metrics_.count_preemptions(status.preemptions);
  expire();
  look_for_stop();
}

void RunQueue::look_for_stop() {
  if (drain_end_) {
    if (Clock::now() > *drain_end_) fail_all(kStopping);  // they are abandoned then
    return;
  }
  if (!options_.stop_requested()) return;
  {
    const std::lock_guard lock(mutex_);
    drain_end_ = Clock::now() +
                 std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options_.drain_seconds));
  }
  options_.on_drain();
}

}  // namespace specthink::inline server
