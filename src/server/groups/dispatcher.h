// Gives runs to the other groups and takes what they write. On rank 0, on a thread of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <thread>
#include <vector>

#include "server/run_queue.h"
#include "specthink/comm/mailbox.h"

namespace specthink::inline server {

class Dispatcher {
 public:
  /// `roots`: rank 0 of each of the other groups, which are groups 1, 2, ... of the queue. Queue and mailbox must
  /// outlive this.
  Dispatcher(RunQueue& queue, const Mailbox& mailbox, std::vector<int> roots);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// Waits until the queue is exhausted and the other groups have ended all their runs, and tells them so.
  void finish();

 private:
  /// A run that a group has.
  struct Given {
    std::size_t group = 0;
    std::shared_ptr<Answer> answer;
    std::size_t choice = 0;
    bool is_cancelled = false;
  };

  void run();
  bool exchange();
  void handle(const Mailbox::Message& message);
  void give(std::size_t group, QueuedRun run);
  void end(std::int64_t id);

  RunQueue& queue_;
  const Mailbox& mailbox_;
  std::vector<int> roots_;
  std::map<std::int64_t, Given> given_;
  std::int64_t next_id_ = 0;
  std::atomic<bool> is_finishing_{false};
  std::atomic<bool> is_closing_{false};
  std::thread thread_;
};

}  // namespace specthink::inline server
