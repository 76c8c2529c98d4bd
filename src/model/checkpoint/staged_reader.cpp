#include "model/checkpoint/staged_reader.h"

#include <ATen/ATen.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>

#include "specthink/base/error.h"
#include "specthink/comm/device.h"
#include "specthink/comm/quiet_thread.h"

namespace specthink::inline model {
namespace {

constexpr std::size_t kBufferAlignment = 4096;

/// Beyond what the threads wait for, so that the disk's queue does not run dry.
constexpr std::size_t kRequestedAhead = std::size_t{256} << 20;

}  // namespace

StagedReader::StagedReader(const std::vector<StoredRows>& plan, c10::Device device, const Options& options)
    : device_(device), read_ahead_(parts_of(plan), kRequestedAhead) {
  make_blocks(plan, options.block_bytes);
  buffer_of_.assign(blocks_.size(), -1);
  const int buffers = static_cast<int>(std::min(blocks_.size(), static_cast<std::size_t>(options.buffers)));
  const auto bytes = static_cast<std::int64_t>(buffer_bytes_);
  buffers_ = staging_memory(device_, buffers * bytes).view({buffers, bytes});
  for (int i = buffers; i-- > 0;) free_.push_back(i);
  threads_ = start_quiet_threads(std::min(options.threads, buffers), [this] { run(); });
  if (threads_.empty() && buffers > 0) throw EnvironmentError("no thread can be started, which would read the weights");
}

StagedReader::~StagedReader() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  freed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  try {
    while (give_back_copied(/*wait=*/true)) {
    }
  } catch (const std::exception&) {
    // A device that has failed copies nothing any more, and says so to whoever uses it next.
  }
}

void StagedReader::make_blocks(const std::vector<StoredRows>& plan, std::size_t block_bytes) {
  for (const StoredRows& rows : plan) {
    if (rows.bytes() == 0) continue;
    total_bytes_ += rows.bytes();
    const auto most = static_cast<std::int64_t>(std::max<std::size_t>(1, block_bytes / rows.row_bytes()));
    for (std::int64_t done = 0; done < rows.count; done += most) {
      const StoredRows& block =
          blocks_.emplace_back(StoredRows{rows.tensor, rows.first + done, std::min(most, rows.count - done)});
      buffer_bytes_ = std::max(buffer_bytes_, block.bytes());
    }
  }
  buffer_bytes_ = (buffer_bytes_ + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

/// A reading thread: takes the next block and a free buffer, until there are no more blocks.
void StagedReader::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    freed_.wait(lock, [this] { return ends_ || failure_ || claimed_ == blocks_.size() || !free_.empty(); });
    if (ends_ || failure_ || claimed_ == blocks_.size()) return;
    const std::size_t block = claimed_++;
    const int buffer = free_.back();
    free_.pop_back();
    if (claimed_ == blocks_.size()) freed_.notify_all();
    lock.unlock();
    std::exception_ptr failure;
    try {
      fill(buffer, blocks_[block]);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure && !failure_) failure_ = failure;
    buffer_of_[block] = buffer;
    filled_.notify_one();
    if (failure_) freed_.notify_all();
  }
}

void StagedReader::fill(int buffer, const StoredRows& block) {
  const FilePart part = block.part();
  auto* const begin = static_cast<std::byte*>(buffers_.data_ptr()) + static_cast<std::size_t>(buffer) * buffer_bytes_;
  part.file->read(part.offset, {begin, part.bytes});
  read_bytes_ += part.bytes;
  read_ahead_.advance(part.bytes);
}

/// The buffer that the block has been read into.
int StagedReader::wait_for(std::size_t block) {
  give_back_copied(/*wait=*/false);
  std::unique_lock lock(mutex_);
  while (true) {
    if (failure_) std::rethrow_exception(failure_);
    if (buffer_of_[block] >= 0) return buffer_of_[block];
    // The threads may be short of buffers, which only this thread gives back.
    lock.unlock();
    const bool gave_one = give_back_copied(/*wait=*/true);
    lock.lock();
    if (!gave_one) filled_.wait(lock, [&] { return failure_ || buffer_of_[block] >= 0; });
  }
}

void StagedReader::give_back(int buffer) {
  {
    const std::lock_guard lock(mutex_);
    free_.push_back(buffer);
  }
  freed_.notify_one();
}

/// Gives back the buffers whose copies have ended, with `wait` the oldest one in any case; false: there was none.
bool StagedReader::give_back_copied(bool wait) {
  bool any = false;
  while (!copying_.empty()) {
    auto& [buffer, event] = copying_.front();
    if (wait && !any) {
      event.synchronize();
    } else if (!event.query()) {
      break;
    }
    give_back(buffer);
    copying_.pop_front();
    any = true;
  }
  return any;
}

void StagedReader::read(const StoredRows& rows, std::int64_t first_column, const at::Tensor& out) {
  if (rows.bytes() == 0) return;
  for (std::int64_t done = 0; done < rows.count;) {
    check(next_ < blocks_.size() && blocks_[next_].tensor == rows.tensor && blocks_[next_].first == rows.first + done,
          "weights are read in another order than was planned");
    const StoredRows& block = blocks_[next_];
    const int buffer = wait_for(next_);
    ++next_;
    const bool as_bytes = out.scalar_type() == at::kByte && rows.tensor->type == StoredType::float8_e4m3;
    const at::Tensor stored = buffers_.select(0, buffer)
                                  .narrow(0, 0, static_cast<std::int64_t>(block.bytes()))
                                  .view(as_bytes ? at::kByte : scalar_type(rows.tensor->type))
                                  .view({block.count, rows.columns()});
    copy(stored, first_column, out.narrow(0, done, block.count));
    if (device_.is_cpu()) {
      give_back(buffer);
    } else {
      c10::Event copied(device_.type());
      copied.record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
      copying_.emplace_back(buffer, std::move(copied));
    }
    done += block.count;
  }
}

/// As many columns as `out` has, from `first_column` on, of whole rows in a buffer.
void StagedReader::copy(const at::Tensor& rows, std::int64_t first_column, const at::Tensor& out) {
  const bool as_it_is = out.sizes() == rows.sizes() && out.scalar_type() == rows.scalar_type();
  // Other rows go to a GPU whole and as they are stored: it finds the columns and converts faster than the processor.
  const at::Tensor there = device_.is_cpu() || as_it_is ? rows : rows.to(device_, /*non_blocking=*/true);
  out.copy_(there.narrow(1, first_column, out.size(1)), /*non_blocking=*/true);
}

}  // namespace specthink::inline model
