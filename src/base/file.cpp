#include "specthink/base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "specthink/base/error.h"

namespace specthink::inline base {
namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }
  int take() { return std::exchange(fd_, -1); }

  /// Errors of delayed writes show up here.
  bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

// Opens a regular file for reading and returns its size.
std::uint64_t open_regular(const FileDescriptor& fd, const std::filesystem::path& path) {
  if (fd.get() < 0) throw UserError("cannot open {}: {}", path.string(), std::strerror(errno));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) throw UserError("cannot read {}: {}", path.string(), std::strerror(errno));
  if (!S_ISREG(info.st_mode)) throw UserError("cannot read {}: not a regular file", path.string());
  return static_cast<std::uint64_t>(info.st_size);
}

void write_all(int fd, std::string_view content, const std::filesystem::path& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      throw EnvironmentError("cannot write {}: {}", path.string(), std::strerror(errno));
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
}

void sync_folder_of(const std::filesystem::path& path) {
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const FileDescriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() >= 0) ::fsync(fd.get());  // some file systems cannot sync a folder; the rename is atomic all the same
}

}  // namespace

std::string read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const std::uint64_t size = open_regular(fd, path);
  if (size > max_bytes) {
    throw UserError("cannot read {}: {} bytes, expected at most {}", path.string(), size, max_bytes);
  }
  std::string content(size, '\0');
  std::size_t filled = 0;
  while (filled < content.size()) {
    const ssize_t got = ::read(fd.get(), content.data() + filled, content.size() - filled);
    if (got < 0) {
      if (errno == EINTR) continue;
      throw UserError("cannot read {}: {}", path.string(), std::strerror(errno));
    }
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  content.resize(filled);
  return content;
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  const std::filesystem::path temporary = path.string() + ".partial";
  try {
    FileDescriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (fd.get() < 0) throw EnvironmentError("cannot write {}: {}", path.string(), std::strerror(errno));
    write_all(fd.get(), content, path);
    if (::fsync(fd.get()) != 0 || !fd.close() || ::rename(temporary.c_str(), path.c_str()) != 0) {
      throw EnvironmentError("cannot write {}: {}", path.string(), std::strerror(errno));
    }
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder_of(path);
}

void append_line(const std::filesystem::path& path, std::string_view line) {
  FileDescriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (fd.get() < 0) throw EnvironmentError("cannot write {}: {}", path.string(), std::strerror(errno));
  const off_t before = ::lseek(fd.get(), 0, SEEK_END);
  try {
    write_all(fd.get(), std::string(line) + "\n", path);
    if (::fsync(fd.get()) != 0) throw EnvironmentError("cannot write {}: {}", path.string(), std::strerror(errno));
  } catch (...) {
    // A full disk takes a part of a line: it goes again.
    if (before >= 0) static_cast<void>(::ftruncate(fd.get(), before) == 0);
    throw;
  }
  if (!fd.close()) throw EnvironmentError("cannot write {}: {}", path.string(), std::strerror(errno));
}

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  size_ = open_regular(fd, path);
  if (size_ > 0) {
    void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (address == MAP_FAILED) throw EnvironmentError("cannot map {}: {}", path.string(), std::strerror(errno));
    data_ = static_cast<const std::byte*>(address);
  }
  fd_ = fd.take();
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
  if (fd_ >= 0) ::close(fd_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

void MappedFile::read(std::size_t offset, std::span<std::byte> into) const {
  while (!into.empty()) {
    const ssize_t got = ::pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0) {
      if (errno == EINTR) continue;
      throw EnvironmentError("cannot read {} at byte {}: {}", path_.string(), offset, std::strerror(errno));
    }
    if (got == 0) {
      throw UserError(
          "{}: expected {} bytes, as when it was opened, found its end at byte {}: it was cut short meanwhile",
          path_.string(), size_, offset);
    }
    offset += static_cast<std::size_t>(got);
    into = into.subspan(static_cast<std::size_t>(got));
  }
}

void MappedFile::request(std::size_t offset, std::size_t length) const {
  // The system reads no more for one call than its read-ahead of the disk, which is 128 KiB unless somebody set it.
  constexpr std::size_t kStep = std::size_t{128} << 10;
  for (const std::size_t end = offset + length; offset < end; offset += kStep) {
    ::posix_fadvise(fd_, static_cast<off_t>(offset), static_cast<off_t>(std::min(kStep, end - offset)),
                    POSIX_FADV_WILLNEED);
  }
}

void MappedFile::release(std::size_t offset, std::size_t length) const {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t begin = (offset + page - 1) / page * page;
  const std::size_t end = (offset + length) / page * page;
  if (begin < end && end <= size_) {
    ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_DONTNEED);
  }
}

}  // namespace specthink::inline base
