// Messages between single ranks, apart from a group's collectives.
#pragma once

#include <mpi.h>

#include <optional>
#include <string>
#include <string_view>

#include "specthink/comm/process_group.h"

namespace specthink::inline comm {

class Mailbox {
 public:
  struct Message {
    int from = 0;
    std::string text;
  };

  /// Collective over the group, which must outlive it. Other threads may use it while the main thread uses MPI: throws
  /// EnvironmentError where MPI does not allow that.
  explicit Mailbox(const ProcessGroup& group);
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// Returns when the text may be forgotten, for long texts when the other side has received it.
  void send(int rank, std::string_view text) const;

  /// The next message of that rank. Waits without keeping a core busy; a wait that the watchdog looks at.
  std::string receive(int rank) const;

  /// The next message of any rank, if there is one.
  std::optional<Message> try_receive() const;

 private:
  std::optional<Message> try_receive_from(int rank) const;

  const ProcessGroup& group_;
  MPI_Comm comm_ = MPI_COMM_NULL;
};

}  // namespace specthink::inline comm
