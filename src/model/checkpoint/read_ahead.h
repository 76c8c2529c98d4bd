// Reads parts of mapped files before they are asked for.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

#include "specthink/base/file.h"

namespace specthink::inline model {

/// A part of a file; of all parts, in the order in which they will be read.
struct FilePart {
  const MappedFile* file = nullptr;
  std::size_t offset = 0;
  std::size_t bytes = 0;
};

/// Some threads ask the system for the parts in their order, not too far ahead of the reader, so that the disk always
/// has many requests. Ranks of a node that read the same bytes share the requests: each byte comes from the disk once.
class ReadAhead {
 public:
  /// Files must outlive this. `most_ahead`: bytes beyond what the reader has done with.
  ReadAhead(std::vector<FilePart> parts, std::size_t most_ahead);
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  /// The reader has done with the next so many bytes.
  void advance(std::size_t bytes);

  std::size_t total() const { return total_; }
  std::size_t asked_for() const;  ///< so far

 private:
  void run();
  FilePart next();

  std::vector<FilePart> parts_;
  std::size_t total_ = 0;
  std::size_t most_ahead_;
  mutable std::mutex mutex_;
  std::condition_variable moved_;
  std::size_t part_ = 0;    // that is being asked for
  std::size_t offset_ = 0;  // in this part
  std::size_t asked_for_ = 0;
  std::size_t done_with_ = 0;
  bool ends_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace specthink::inline model
