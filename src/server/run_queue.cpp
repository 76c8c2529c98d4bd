#include "server/run_queue.h"

#include <algorithm>
#include <numeric>
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

void RunQueue::fail(std::exception_ptr failure) {
  {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(failure);
  }
  changed_.notify_one();
}

void RunQueue::set_groups(std::size_t count, int runs) {
  const std::lock_guard lock(mutex_);
  running_.assign(count, 0);
  runs_ = runs;
}

/// With the lock.
bool RunQueue::may_take(std::size_t group) const {
  return running_[group] < runs_ && running_[group] == std::ranges::min(running_);
}

/// The oldest run that somebody still waits for.
std::optional<QueuedRun> RunQueue::take_for(std::size_t group) {
  expire();
  const std::lock_guard lock(mutex_);
  std::optional<QueuedRun> run;
  while (!run && !waiting_.empty() && may_take(group)) {
    if (!waiting_.front().answer->is_abandoned(waiting_.front().choice)) run = std::move(waiting_.front());
    waiting_.pop_front();
  }
  if (run) ++running_[group];
  note_running();
  metrics_.set_queue(static_cast<int>(waiting_.size()));
  return run;
}

void RunQueue::give_back(std::size_t group) {
  const std::lock_guard lock(mutex_);
  --running_[group];
  note_running();
}

/// With the lock.
void RunQueue::note_running() const { metrics_.set_running(std::accumulate(running_.begin(), running_.end(), 0)); }

std::optional<ScheduledRun> RunQueue::next(bool idle) {
  std::optional<QueuedRun> taken;
  while (!(taken = take_for(0))) {
    look_for_stop();
    if (!idle || is_exhausted()) return std::nullopt;
    options_.on_idle();
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kLookForStop, [this] { return failure_ || (!waiting_.empty() && may_take(0)); });
  }
  const RunOrder& order = taken->order;
  ScheduledRun run;
  run.setup = options_.make_run(order);
  run.options.sampling = order.sampling;
  run.options.draw = order.draw;
  const auto [answer, choice] = std::pair(taken->answer, taken->choice);
  if (run.setup.draft_tokenizer && !run.setup.normal_mode) {
    run.options.on_text = [answer, choice](const TextPiece& piece) { answer->on_text(choice, piece); };
  } else {
    run.options.on_token = [answer, choice](TokenId id, Origin origin) { answer->on_token(choice, id, origin); };
  }
  // Whoever holds this ends the run: by its end, by being refused, or by being abandoned before it has begun.
  const std::shared_ptr<void> place(nullptr, [this](void*) { give_back(0); });
  run.options.abandoned = [answer, choice, place] { return answer->is_abandoned(choice); };
  run.refused = [answer](const UserError& reason) { answer->fail({400, reason.what()}); };
  run.done = [answer, choice](EngineRun ended) { answer->on_end(choice, ended); };
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
  metrics_.count_preemptions(status.preemptions);
  expire();
  look_for_stop();
}

void RunQueue::look_for_stop() {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
  }
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
