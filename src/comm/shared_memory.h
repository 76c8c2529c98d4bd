// Memory that processes of one node share, without a name that stays behind.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <optional>
#include <string>

namespace specthink::inline comm {

class SharedMemory {
 public:
  /// Zeros of this process alone.
  static SharedMemory make_private(std::size_t bytes);

  /// Zeros that all ranks of `node` see, which are processes of one node. Collective. Null on every rank where one of
  /// them cannot have it.
  static std::optional<SharedMemory> share(MPI_Comm node, std::size_t bytes);

  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&&) = delete;
  ~SharedMemory();

  void* data() const { return data_; }

 private:
  SharedMemory(void* data, std::size_t bytes, std::string name);

  /// Under a new name, which others can open() until remove_name(). Null when the node has none to give.
  static std::optional<SharedMemory> create(std::size_t bytes);
  static std::optional<SharedMemory> open(const std::string& name, std::size_t bytes);
  void remove_name();

  void* data_;
  std::size_t bytes_;
  std::string name_;  // not empty: to be removed by us
};

}  // namespace specthink::inline comm
