#include "specthink/comm/mailbox.h"

#include <chrono>
#include <thread>

#include "comm/check_mpi.h"

namespace specthink::inline comm {
namespace {

constexpr int kTag = 0;
constexpr std::chrono::milliseconds kPoll{1};  // small against the seconds of a run

}  // namespace

Mailbox::Mailbox(const ProcessGroup& group) : group_(group) {
  int provided = MPI_THREAD_SINGLE;
  MPI_Query_thread(&provided);
  if (provided != MPI_THREAD_MULTIPLE) {
    throw EnvironmentError(
        "this MPI does not allow several threads (MPI_THREAD_MULTIPLE), which more than one group needs: start as many "
        "ranks as --tp, or leave out --tp");
  }
  const ProcessGroup::Waiting waiting(group, Wait::split);
  check_mpi(MPI_Comm_dup(group.comm_, &comm_), "MPI_Comm_dup");
}

Mailbox::~Mailbox() {
  if (comm_ != MPI_COMM_NULL) MPI_Comm_free(&comm_);
}

void Mailbox::send(int rank, std::string_view text) const {
  check_mpi(MPI_Send(text.data(), to_count(text.size()), MPI_BYTE, rank, kTag, comm_), "MPI_Send");
}

std::string Mailbox::receive(int rank) const {
  const ProcessGroup::Waiting waiting(group_, Wait::answer);
  while (true) {
    if (std::optional<Message> message = try_receive_from(rank)) return std::move(message->text);
    std::this_thread::sleep_for(kPoll);
  }
}

std::optional<Mailbox::Message> Mailbox::try_receive() const { return try_receive_from(MPI_ANY_SOURCE); }

std::optional<Mailbox::Message> Mailbox::try_receive_from(int rank) const {
  int found = 0;
  MPI_Message handle = MPI_MESSAGE_NULL;
  MPI_Status status{};
  check_mpi(MPI_Improbe(rank, kTag, comm_, &found, &handle, &status), "MPI_Improbe");
  if (!found) return std::nullopt;
  int bytes = 0;
  check_mpi(MPI_Get_count(&status, MPI_BYTE, &bytes), "MPI_Get_count");
  Message message{status.MPI_SOURCE, std::string(static_cast<std::size_t>(bytes), '\0')};
  check_mpi(MPI_Mrecv(message.text.data(), bytes, MPI_BYTE, &handle, MPI_STATUS_IGNORE), "MPI_Mrecv");
  return message;
}

}  // namespace specthink::inline comm
