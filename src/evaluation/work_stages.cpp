#include "specthink/evaluation/work_stages.h"

#include <algorithm>
#include <utility>

#include "specthink/comm/quiet_thread.h"

namespace specthink::inline evaluation {

WorkStages::WorkStages(const std::vector<WorkStage>& stages, Progress* progress,
                       const std::function<void()>& before_record)
    : stages_(stages) {
  for (std::size_t i = 0; i < stages.size(); ++i) {
    std::vector<RunKey> later;
    for (std::size_t j = i + 1; j < stages.size(); ++j) {
      const std::vector<RunKey> pending = stages[j].benchmark->pending();
      later.insert(later.end(), pending.begin(), pending.end());
    }
    queues_.emplace_back(*stages[i].benchmark, progress, before_record, stages[i].label, std::move(later));
  }
  recorder_ = start_quiet_thread([this] { record_deliveries(); });
}

WorkStages::~WorkStages() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  recorder_.join();
}

std::optional<Work> WorkStages::next() {
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    if (const std::optional<RunKey> key = queues_[i].next()) {
      return Work{*key, stages_[i].benchmark->problem(*key), stages_[i].temperature, i};
    }
  }
  return std::nullopt;
}

void WorkStages::deliver(std::size_t stage, RunRecord record) {
  if (!record.is_finished()) stop();
  {
    const std::lock_guard lock(mutex_);
    delivered_.push_back({stage, std::move(record)});
  }
  changed_.notify_all();
}

void WorkStages::record_deliveries() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return closing_ || !delivered_.empty(); });
    if (delivered_.empty()) return;
    Delivery delivery = std::move(delivered_.front());
    lock.unlock();
    record(std::move(delivery));
    lock.lock();
    delivered_.pop_front();
    changed_.notify_all();
  }
}

void WorkStages::record(Delivery delivery) {
  try {
    queues_.at(delivery.stage).deliver(std::move(delivery.record));
  } catch (...) {
    fail(std::current_exception());
  }
}

void WorkStages::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return delivered_.empty(); });
  for (const WorkQueue& queue : queues_) queue.throw_failure();
}

void WorkStages::stop() {
  for (WorkQueue& queue : queues_) queue.stop();
}

bool WorkStages::is_stopped() const {
  return std::any_of(queues_.begin(), queues_.end(), [](const WorkQueue& queue) { return queue.is_stopped(); });
}

void WorkStages::fail(const std::exception_ptr& failure) {
  for (WorkQueue& queue : queues_) queue.fail(failure);
}

bool WorkStages::is_drained() const {
  return std::all_of(queues_.begin(), queues_.end(), [](const WorkQueue& queue) { return queue.is_drained(); });
}

}  // namespace specthink::inline evaluation
