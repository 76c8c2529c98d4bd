#include "model/gguf/safetensors_writer.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cerrno>
#include <cstring>

#include "specthink/base/error.h"
#include "specthink/base/json.h"
#include "specthink/model/memory_plan.h"

namespace specthink::inline model::gguf {

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, const std::vector<Entry>& entries, DType type)
    : path_(path), stream_(path, std::ios::binary), type_(type) {
  const char* name = type == DType::float32 ? "F32" : type == DType::bfloat16 ? "BF16" : "F16";
  Json header{{"__metadata__", {{"format", "pt"}}}};
  for (const Entry& entry : entries) {
    std::int64_t bytes = size_of(type);
    for (const std::int64_t size : entry.shape) bytes *= size;
    header[entry.name] = {
        {"dtype", name}, {"shape", entry.shape}, {"data_offsets", {data_bytes_, data_bytes_ + bytes}}};
    data_bytes_ += bytes;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // so that the data are aligned
  const std::uint64_t length = text.size();
  write(&length, sizeof(length));
  write(text.data(), text.size());
}

void SafetensorsWriter::append(std::span<const float> values) {
  written_ += static_cast<std::int64_t>(values.size()) * size_of(type_);
  if (type_ == DType::float32) return write(values.data(), values.size_bytes());
  halves_.clear();
  for (const float value : values) {
    halves_.push_back(type_ == DType::bfloat16 ? c10::BFloat16(value).x : c10::Half(value).x);
  }
  write(halves_.data(), halves_.size() * sizeof(std::uint16_t));
}

void SafetensorsWriter::finish() {
  check(written_ == data_bytes_, "every tensor of the header is written");
  stream_.close();
  if (!stream_) throw EnvironmentError("cannot write {}: {}", path_.string(), std::strerror(errno));
}

void SafetensorsWriter::write(const void* data, std::size_t bytes) {
  stream_.write(static_cast<const char*>(data), static_cast<std::streamsize>(bytes));
  if (!stream_) throw EnvironmentError("cannot write {}: {}", path_.string(), std::strerror(errno));
}

}  // namespace specthink::inline model::gguf
