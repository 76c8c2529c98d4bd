// Reading whole files and mapping large ones; writing results so that a reader never sees half a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace specthink::inline base {

/// The file's bytes. Throws UserError when it is missing, no regular file, unreadable or larger than `max_bytes`.
std::string read_file(const std::filesystem::path& path, std::uint64_t max_bytes = std::uint64_t{1} << 30);

/// Writes `content` to a temporary name beside `path`, syncs and renames it into place.
/// Throws EnvironmentError when the disk is full or the folder is not writable.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// Appends `line` and a newline in one write and syncs. Throws EnvironmentError; the file is then as it was before.
void append_line(const std::filesystem::path& path, std::string_view line);

/// A file mapped read-only, and open, for its lifetime.
class MappedFile {
 public:
  /// Throws UserError when the file is missing or unreadable.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }

  /// Fills `into` with the bytes from `offset` on. Unlike an access to bytes(), which ends the process by a signal
  /// where the file has become shorter, this throws: UserError for such a file, EnvironmentError for a disk that fails.
  void read(std::size_t offset, std::span<std::byte> into) const;

  /// Asks the system to bring these bytes into memory and waits at most until the disk has taken the requests. What
  /// cannot be read is found out by whoever reads it.
  void request(std::size_t offset, std::size_t length) const;

  /// Tells the system that these bytes will not be read again soon, so that host memory stays small.
  void release(std::size_t offset, std::size_t length) const;

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace specthink::inline base
