#include <algorithm>
#include <thread>

#include "comm/check_mpi.h"
#include "comm/transport.h"

namespace specthink::inline comm {
namespace {

using std::chrono::microseconds;
using Clock = std::chrono::steady_clock;

// MPI wakes nobody, so a wait looks again and again: after an eighth of the time that it has taken so far.
constexpr int kWaitsPerSleep = 8;
constexpr microseconds kLongestSleep{1000};

class MpiTransport final : public Transport {
 public:
  explicit MpiTransport(MPI_Comm comm) : comm_(comm) {}

  void broadcast(std::span<std::byte> data, int root) override {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Ibcast(data.data(), to_count(data.size()), MPI_BYTE, root, comm_, &request), "MPI_Ibcast");
    wait(request);
  }

  void all_gather(std::span<const std::byte> local, std::span<std::byte> result) override {
    const int count = to_count(local.size());
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Iallgather(local.data(), count, MPI_BYTE, result.data(), count, MPI_BYTE, comm_, &request),
              "MPI_Iallgather");
    wait(request);
  }

  void barrier() override {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Ibarrier(comm_, &request), "MPI_Ibarrier");
    wait(request);
  }

 private:
  static void wait(MPI_Request& request) {
    const auto start = Clock::now();
    while (true) {
      int done = 0;
      check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
      if (done) return;
      const auto waited = std::chrono::duration_cast<microseconds>(Clock::now() - start);
      if (waited > kSpinTime) std::this_thread::sleep_for(std::min(waited / kWaitsPerSleep, kLongestSleep));
    }
  }

  MPI_Comm comm_;
};

}  // namespace

std::unique_ptr<Transport> make_mpi_transport(MPI_Comm comm) { return std::make_unique<MpiTransport>(comm); }

}  // namespace specthink::inline comm
