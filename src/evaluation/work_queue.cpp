#include "specthink/evaluation/work_queue.h"

#include <utility>
#include <vector>

#include "specthink/base/error.h"

namespace specthink::inline evaluation {

WorkQueue::WorkQueue(Benchmark& benchmark, Progress* progress, std::function<void()> before_record, std::string label,
                     std::vector<RunKey> later)
    : benchmark_(benchmark),
      progress_(progress),
      before_record_(std::move(before_record)),
      label_(std::move(label)),
      later_(std::move(later)) {
  const std::vector<RunKey> keys = benchmark.pending();
  pending_.assign(keys.begin(), keys.end());
}

void WorkQueue::throw_failure() const {
  const std::lock_guard lock(mutex_);
  rethrow();
}

void WorkQueue::rethrow() const {
  if (failure_) std::rethrow_exception(failure_);
}

std::optional<RunKey> WorkQueue::next() {
  const std::lock_guard lock(mutex_);
  rethrow();
  if (stopped_ || pending_.empty()) return std::nullopt;
  const RunKey key = pending_.front();
  pending_.pop_front();
  in_work_.insert(key);
  return key;
}

void WorkQueue::deliver(RunRecord delivered) {
  const std::lock_guard recording(recording_);
  {
    const std::lock_guard lock(mutex_);
    rethrow();
    check(in_work_.contains(delivered.key), "a run that was handed out comes back");
  }
  try {
    if (before_record_) before_record_();
    const RunRecord record = benchmark_.record(std::move(delivered));
    const std::vector<RunKey> to_come = settle(record);
    if (progress_) progress_->report(record, benchmark_.problem(record.key).id, to_come, label_);
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
    stopped_ = true;
    throw;
  }
}

std::vector<RunKey> WorkQueue::settle(const RunRecord& record) {
  const std::lock_guard lock(mutex_);
  in_work_.erase(record.key);
  if (!record.is_finished()) stopped_ = true;
  std::vector<RunKey> to_come(in_work_.begin(), in_work_.end());
  to_come.insert(to_come.end(), pending_.begin(), pending_.end());
  if (!record.is_finished()) to_come.push_back(record.key);
  to_come.insert(to_come.end(), later_.begin(), later_.end());
  return to_come;
}

void WorkQueue::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
}

void WorkQueue::fail(std::exception_ptr failure) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = std::move(failure);
  stopped_ = true;
}

bool WorkQueue::is_stopped() const {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

bool WorkQueue::is_drained() const {
  const std::lock_guard lock(mutex_);
  rethrow();
  return in_work_.empty() && (stopped_ || pending_.empty());
}

}  // namespace specthink::inline evaluation
