// The bytes of a GGUF file, made for a test.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace specthink::test {

class GgufBytes {
 public:
  template <typename T>
  static std::string raw(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof(value)};
  }
  static std::string text(const std::string& value) { return raw<std::uint64_t>(value.size()) + value; }

  GgufBytes& number(const std::string& key, std::uint32_t value) { return add(key, 4, raw(value)); }
  GgufBytes& real(const std::string& key, float value) { return add(key, 6, raw(value)); }
  GgufBytes& flag(const std::string& key, bool value) { return add(key, 7, raw<std::uint8_t>(value)); }
  GgufBytes& words(const std::string& key, const std::string& value) { return add(key, 8, text(value)); }

  GgufBytes& list(const std::string& key, const std::vector<std::string>& values) {
    std::string bytes = raw<std::uint32_t>(8) + raw<std::uint64_t>(values.size());
    for (const std::string& value : values) bytes += text(value);
    return add(key, 9, bytes);
  }
  template <typename T>
  GgufBytes& numbers(const std::string& key, const std::vector<T>& values) {
    std::string bytes = raw<std::uint32_t>(std::is_same_v<T, float> ? 6 : 5) + raw<std::uint64_t>(values.size());
    for (const T value : values) bytes += raw(value);
    return add(key, 9, bytes);
  }

  /// A value of a kind given by number, as bytes.
  GgufBytes& add(const std::string& key, std::uint32_t kind, const std::string& value) {
    metadata_ += text(key) + raw(kind) + value;
    ++num_values_;
    return *this;
  }

  /// `shape` outermost first, as elsewhere.
  GgufBytes& tensor(const std::string& name, const std::vector<std::uint64_t>& shape, std::uint32_t type,
                    const std::string& bytes) {
    data_.append((32 - data_.size() % 32) % 32, '\0');
    return entry(name, shape, type, data_.size(), bytes);
  }

  /// The same at a place of one's own.
  GgufBytes& entry(const std::string& name, const std::vector<std::uint64_t>& shape, std::uint32_t type,
                   std::uint64_t offset, const std::string& bytes) {
    entries_ += text(name) + raw<std::uint32_t>(static_cast<std::uint32_t>(shape.size()));
    for (std::size_t i = shape.size(); i-- > 0;) entries_ += raw(shape[i]);
    entries_ += raw(type) + raw(offset);
    data_ += bytes;
    ++num_tensors_;
    return *this;
  }

  GgufBytes& floats(const std::string& name, const std::vector<std::uint64_t>& shape,
                    const std::vector<float>& values) {
    return tensor(name, shape, 0, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
  }

  std::string bytes(std::uint32_t version = 3) const {
    std::string all = "GGUF" + raw(version) + raw(num_tensors_) + raw(num_values_) + metadata_ + entries_;
    all.append((32 - all.size() % 32) % 32, '\0');
    return all + data_;
  }

 private:
  std::string metadata_;
  std::string entries_;
  std::string data_;
  std::uint64_t num_values_ = 0;
  std::uint64_t num_tensors_ = 0;
};

}  // namespace specthink::test
