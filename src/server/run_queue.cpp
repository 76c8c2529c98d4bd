#include "server/run_queue.h"

#include <algorithm>
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
    for (QueuedRun& run : runs) {
      run.prompt = prefix_keys(run.order.prompt);
      waiting_.push_back(std::move(run));
    }
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
  groups_ = {count, runs};
}

/// With the lock: the oldest run that is for the group.
std::deque<QueuedRun>::iterator RunQueue::find_for(std::size_t group) {
  return std::ranges::find_if(waiting_, [&](const QueuedRun& run) { return groups_.may_take(group, run.prompt); });
}

/// The oldest run for the group that somebody still waits for.
std::optional<QueuedRun> RunQueue::take_for(std::size_t group) {
  expire();
  const std::lock_guard lock(mutex_);
  std::optional<QueuedRun> run;
  for (auto found = find_for(group); !run && found != waiting_.end(); found = find_for(group)) {
    if (!found->answer->is_abandoned(found->choice)) run = std::move(*found);
    waiting_.erase(found);
    if (run) groups_.take(group, run->prompt);
  }
  note_running();
  metrics_.set_queue(static_cast<int>(waiting_.size()));
  return run;
}

void RunQueue::give_back(std::size_t group) {
  const std::lock_guard lock(mutex_);
  groups_.give_back(group);
  note_running();
}

/// With the lock.
void RunQueue::note_running() const { metrics_.set_running(groups_.num_running()); }

std::optional<ScheduledRun> RunQueue::next(bool idle) {
  std::optional<QueuedRun> taken;
  while (!(taken = take_for(0))) {
    look_for_stop();
    if (!idle || is_exhausted()) return std::nullopt;
    options_.on_idle();
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kLookForStop, [this] { return failure_ || find_for(0) != waiting_.end(); });
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
    run.options.on_token = [answer, choice](const WrittenToken& token) { answer->on_token(choice, token); };
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
