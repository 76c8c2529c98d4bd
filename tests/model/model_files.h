// Files of a model folder, made for a test: temporary folders, safetensors bytes, and what an error must say.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "specthink/base/error.h"
#include "specthink/base/json.h"

namespace specthink::test {

/// An empty folder that goes away with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::path(testing::TempDir()) / "specthink-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  /// Writes a file, its folders included, and returns its path.
  std::filesystem::path write(const std::string& name, std::string_view content) const {
    const std::filesystem::path file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
    return file;
  }

 private:
  std::filesystem::path path_;
};

/// The eight bytes in front of a safetensors header.
inline std::string little_endian(std::uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFF);
  return bytes;
}

inline std::string safetensors_bytes(const std::string& header, std::string_view data) {
  return little_endian(header.size()) + header + std::string(data);
}

/// A safetensors file, tensor by tensor.
class SafetensorsWriter {
 public:
  template <typename T>
  void add(const std::string& name, const char* type, const std::vector<std::int64_t>& shape,
           const std::vector<T>& values) {
    const std::size_t begin = data_.size();
    data_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
    header_[name] = {{"dtype", type}, {"shape", shape}, {"data_offsets", {begin, data_.size()}}};
  }
  std::string bytes() const { return safetensors_bytes(header_.dump(), data_); }

 private:
  Json header_;
  std::string data_;
};

/// Runs `action`, which must throw a UserError of one line that contains all of `parts`.
template <typename Action>
void expect_user_error(Action action, const std::vector<std::string>& parts) {
  try {
    action();
    ADD_FAILURE() << "expected a UserError, none was thrown";
  } catch (const UserError& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.find('\n'), message.npos) << message;
    for (const std::string& part : parts) {
      EXPECT_NE(message.find(part), message.npos) << "expected '" << part << "' in: " << message;
    }
  } catch (const std::exception& error) {
    ADD_FAILURE() << "expected a UserError, found: " << error.what();
  }
}

}  // namespace specthink::test
