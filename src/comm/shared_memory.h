// Memory that processes of one node share, without a name that stays behind.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace specthink {

class SharedMemory {
 public:
  /// Zeros of this process alone.
  static SharedMemory make_private(std::size_t bytes);

  /// Zeros under a new name, which others can open() until remove_name(). Null when the node has none to give.
  static std::optional<SharedMemory> create(std::size_t bytes);
  static std::optional<SharedMemory> open(const std::string& name, std::size_t bytes);

  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&&) = delete;
  ~SharedMemory();

  void remove_name();
  const std::string& name() const { return name_; }
  void* data() const { return data_; }

 private:
  SharedMemory(void* data, std::size_t bytes, std::string name);

  void* data_;
  std::size_t bytes_;
  std::string name_;  // not empty: to be removed by us
};

}  // namespace specthink
