#include "comm/shared_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <utility>

#include "comm/check_mpi.h"

namespace specthink::inline comm {
namespace {

void* map_file(int fd, std::size_t bytes) {
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  return data == MAP_FAILED ? nullptr : data;
}

}  // namespace

SharedMemory::SharedMemory(void* data, std::size_t bytes, std::string name)
    : data_(data), bytes_(bytes), name_(std::move(name)) {}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_), name_(std::exchange(other.name_, "")) {}

SharedMemory::~SharedMemory() {
  remove_name();
  if (data_) ::munmap(data_, bytes_);
}

SharedMemory SharedMemory::make_private(std::size_t bytes) {
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) throw EnvironmentError("out of host memory: {} bytes cannot be mapped", bytes);
  return {data, bytes, ""};
}

std::optional<SharedMemory> SharedMemory::share(MPI_Comm node, std::size_t bytes) {
  int rank = 0;
  MPI_Comm_rank(node, &rank);
  std::optional<SharedMemory> memory = rank == 0 ? create(bytes) : std::nullopt;
  std::array<char, 64> name{};  // empty: rank 0 has none
  if (memory) memory->name_.copy(name.data(), name.size() - 1);
  check_mpi(MPI_Bcast(name.data(), static_cast<int>(name.size()), MPI_CHAR, 0, node), "MPI_Bcast");
  if (rank > 0 && name[0] != '\0') {
    if (auto opened = open(name.data(), bytes)) memory.emplace(std::move(*opened));
  }
  int everywhere = memory.has_value();
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &everywhere, 1, MPI_INT, MPI_MIN, node), "MPI_Allreduce");
  if (everywhere == 0) return std::nullopt;
  memory->remove_name();  // all have opened it
  return memory;
}

std::optional<SharedMemory> SharedMemory::create(std::size_t bytes) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  const std::string name = fmt::format("/specthink_{}_{}", ::getpid(), now);
  const int fd = ::shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return std::nullopt;
  // Reserved now: memory that a full /dev/shm cannot give would end us with SIGBUS later.
  if (::posix_fallocate(fd, 0, static_cast<off_t>(bytes)) != 0) {
    ::close(fd);
    ::shm_unlink(name.c_str());
    return std::nullopt;
  }
  SharedMemory memory(map_file(fd, bytes), bytes, name);
  if (!memory.data_) return std::nullopt;
  return memory;
}

std::optional<SharedMemory> SharedMemory::open(const std::string& name, std::size_t bytes) {
  const int fd = ::shm_open(name.c_str(), O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) return std::nullopt;
  void* data = map_file(fd, bytes);
  if (!data) return std::nullopt;
  return SharedMemory(data, bytes, "");
}

void SharedMemory::remove_name() {
  if (!name_.empty()) ::shm_unlink(std::exchange(name_, "").c_str());
}

}  // namespace specthink::inline comm
