// Reads rows of stored tensors, in an order that is known beforehand, and copies them to the device.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/Event.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "model/checkpoint/read_ahead.h"
#include "model/checkpoint/stored_tensors.h"

namespace specthink::inline model {

/// Some threads read the rows block by block into a ring of staging buffers; the caller of read() copies each block
/// from there to its tensor. On a GPU the buffers are pinned and the copies queued, so that the disk, the processor's
/// copies out of the page cache and the transfer to the device go on at the same time.
///
/// Only the caller's thread uses the device.
class StagedReader {
 public:
  struct Options {
    std::size_t block_bytes = std::size_t{8} << 20;  ///< a block has whole rows; a longer row is a block of its own
    int buffers = 16;
    int threads = 8;
  };

  /// `plan`: all that read() will be asked for, in this order. The tensors' files must outlive this.
  StagedReader(const std::vector<StoredRows>& plan, c10::Device device) : StagedReader(plan, device, Options()) {}
  StagedReader(const std::vector<StoredRows>& plan, c10::Device device, const Options& options);
  ~StagedReader();
  StagedReader(const StagedReader&) = delete;
  StagedReader& operator=(const StagedReader&) = delete;

  /// Copies the plan's next rows, which must be `rows`, to `out` [rows.count, columns] on the device: as many columns
  /// as it has, from `first_column` on. On a GPU the copy is queued on the current stream. `out` has any type that the
  /// stored one converts to; bytes (kByte) take 8-bit floats as they are stored. Throws as MappedFile::read() does.
  void read(const StoredRows& rows, std::int64_t first_column, const at::Tensor& out);

  std::size_t total_bytes() const { return total_bytes_; }
  std::size_t read_bytes() const { return read_bytes_; }  ///< so far

 private:
  void make_blocks(const std::vector<StoredRows>& plan, std::size_t block_bytes);
  void run();
  void fill(int buffer, const StoredRows& block);
  int wait_for(std::size_t block);
  void give_back(int buffer);
  bool give_back_copied(bool wait);
  void copy(const at::Tensor& rows, std::int64_t first_column, const at::Tensor& out);

  c10::Device device_;
  std::vector<StoredRows> blocks_;
  std::size_t buffer_bytes_ = 0;
  std::size_t total_bytes_ = 0;
  std::atomic<std::size_t> read_bytes_ = 0;
  at::Tensor buffers_;                              // [buffers, buffer_bytes_] bytes, pinned for a GPU
  std::deque<std::pair<int, c10::Event>> copying_;  // buffers whose copies are queued
  std::size_t next_ = 0;                            // block that read() takes

  std::mutex mutex_;
  std::condition_variable filled_;
  std::condition_variable freed_;
  std::vector<int> free_;
  std::vector<int> buffer_of_;  // of each block; -1: not filled yet
  std::size_t claimed_ = 0;     // blocks that a thread fills or has filled
  std::exception_ptr failure_;
  bool ends_ = false;
  ReadAhead read_ahead_;
  std::vector<std::thread> threads_;
};

}  // namespace specthink::inline model
