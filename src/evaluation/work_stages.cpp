#include "specthink/evaluation/work_stages.h"

#include <algorithm>
#include <utility>

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
  const std::lock_guard lock(delivery_);
  try {
    queues_.at(stage).deliver(std::move(record));
  } catch (...) {
    fail(std::current_exception());
    throw;
  }
  if (queues_[stage].is_stopped()) stop();
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
