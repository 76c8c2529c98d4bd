#include "model/checkpoint/read_ahead.h"

#include <algorithm>
#include <utility>

#include "specthink/comm/quiet_thread.h"

namespace specthink::inline model {
namespace {

constexpr int kReaders = 4;  // requests at a time
constexpr std::size_t kRequestBytes = std::size_t{8} << 20;

}  // namespace

ReadAhead::ReadAhead(std::vector<FilePart> parts, std::size_t most_ahead)
    : parts_(std::move(parts)), most_ahead_(std::max(most_ahead, kRequestBytes)) {
  for (const FilePart& part : parts_) total_ += part.bytes;
  threads_ = start_quiet_threads(kReaders, [this] { run(); });  // without any of them reading is slower
}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  moved_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ReadAhead::advance(std::size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    done_with_ += bytes;
  }
  moved_.notify_all();
}

std::size_t ReadAhead::asked_for() const {
  const std::lock_guard lock(mutex_);
  return asked_for_;
}

/// With the lock: the next request; one without a file when there is none.
FilePart ReadAhead::next() {
  while (part_ < parts_.size() && offset_ == parts_[part_].bytes) {
    ++part_;
    offset_ = 0;
  }
  if (part_ == parts_.size()) return {};
  const FilePart& part = parts_[part_];
  const FilePart request{part.file, part.offset + offset_, std::min(part.bytes - offset_, kRequestBytes)};
  offset_ += request.bytes;
  asked_for_ += request.bytes;
  return request;
}

void ReadAhead::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    moved_.wait(lock, [this] { return ends_ || asked_for_ < done_with_ + most_ahead_; });
    if (ends_) return;
    const FilePart request = next();
    if (!request.file) return;
    lock.unlock();
    request.file->request(request.offset, request.bytes);
    lock.lock();
  }
}

}  // namespace specthink::inline model
