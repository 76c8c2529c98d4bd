#include "specthink/model/safetensors.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "model/checkpoint/unique_json.h"
#include "model/description/config_reader.h"
#include "specthink/base/error.h"

namespace specthink::inline model {
namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the reference library's limit

struct TypeName {
  const char* name;
  StoredType type;
  std::size_t size;
};
constexpr std::array kTypes{
    TypeName{"BF16", StoredType::bfloat16, 2}, TypeName{"F16", StoredType::float16, 2},
    TypeName{"F32", StoredType::float32, 4},   TypeName{"F64", StoredType::float64, 8},
    TypeName{"I32", StoredType::int32, 4},     TypeName{"F8_E4M3", StoredType::float8_e4m3, 1},
};

const TypeName& entry_of(StoredType type) {
  const auto it = std::ranges::find(kTypes, type, &TypeName::type);
  check(it != kTypes.end(), "every stored type is in the table");
  return *it;
}

// The header of `file` (without the eight bytes before it), lengths checked.
std::string_view header_of(const MappedFile& file) {
  const std::string path = file.path().string();
  const auto bytes = file.bytes();
  if (bytes.size() < kLengthBytes) {
    throw UserError("{}: not a safetensors file: expected at least {} bytes, found {}; download it again", path,
                    kLengthBytes, bytes.size());
  }
  std::uint64_t length = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) length = length << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  if (length > kMaxHeaderBytes) {
    throw UserError("{}: not a safetensors file: its first 8 bytes give a header of {} bytes, expected at most {}",
                    path, length, kMaxHeaderBytes);
  }
  if (length > bytes.size() - kLengthBytes) {
    throw UserError("{}: truncated: the header should end at byte {}, the file has {} bytes; download it again", path,
                    kLengthBytes + length, bytes.size());
  }
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
  if (!header.starts_with('{')) {
    throw UserError("{}: not a safetensors file: expected '{{' at byte {}, where the header starts", path,
                    kLengthBytes);
  }
  return header;
}

void check_metadata(const Json& metadata, const std::string& path) {
  if (metadata.is_null()) return;
  const auto is_text = [](const Json& value) { return value.is_string(); };
  if (!metadata.is_object() || !std::ranges::all_of(metadata, is_text)) {
    throw UserError("{}: __metadata__: expected an object of strings, found {}", path, excerpt(metadata));
  }
}

// One entry of the header as it is written; offsets count from the start of the data section.
struct Entry {
  std::string name;
  std::string type;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

bool is_size(const Json& value) {
  return value.is_number_unsigned() && value.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX);
}

class EntryReader {
 public:
  EntryReader(const std::string& path, const std::string& name, const Json& value)
      : where_(path + ", tensor " + quoted(name)), name_(name), value_(value) {
    if (!value.is_object()) throw UserError("{}: expected an object, found {}", where_, excerpt(value));
  }

  Entry read(std::uint64_t data_size) const {
    Entry entry;
    entry.name = name_;
    const Json& type = require("dtype");
    if (!type.is_string()) throw UserError("{}: dtype: expected a string, found {}", where_, excerpt(type));
    entry.type = type.get<std::string>();
    read_shape(entry);
    read_offsets(entry, data_size);
    return entry;
  }

  // Where the size of the type is known, the shape must fill the range exactly.
  void check_length(const Entry& entry, std::size_t item_size) const {
    std::uint64_t bytes = item_size;
    bool overflow = false;
    for (const std::int64_t size : entry.shape) {
      overflow |= __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes);
    }
    if (overflow) throw UserError("{}: shape {} has more elements than fit into 64 bits", where_, excerpt(entry.shape));
    if (bytes != entry.end - entry.begin) {
      throw UserError("{}: expected {} bytes for {} {}, found {} (data_offsets [{}, {}])", where_, bytes, entry.type,
                      excerpt(entry.shape), entry.end - entry.begin, entry.begin, entry.end);
    }
  }

 private:
  const Json& require(const char* key) const {
    const auto it = value_.find(key);
    if (it == value_.end()) throw UserError("{}: expected a key {}, found none", where_, key);
    return *it;
  }

  void read_shape(Entry& entry) const {
    const Json& shape = require("shape");
    if (!shape.is_array() || !std::ranges::all_of(shape, is_size)) {
      throw UserError("{}: shape: expected a list of non-negative integers, found {}", where_, excerpt(shape));
    }
    entry.shape = shape.get<std::vector<std::int64_t>>();
  }

  void read_offsets(Entry& entry, std::uint64_t data_size) const {
    const Json& offsets = require("data_offsets");
    if (!offsets.is_array() || offsets.size() != 2 || !std::ranges::all_of(offsets, is_size)) {
      throw UserError("{}: data_offsets: expected two non-negative integers, found {}", where_, excerpt(offsets));
    }
    entry.begin = offsets[0].get<std::uint64_t>();
    entry.end = offsets[1].get<std::uint64_t>();
    if (entry.begin > entry.end) {
      throw UserError("{}: data_offsets: expected begin ≤ end, found {}", where_, excerpt(offsets));
    }
    if (entry.end > data_size) {
      throw UserError(
          "{}: data_offsets {} end outside the file: expected {} bytes of data or more, found {}; "
          "the file may be truncated, download it again",
          where_, excerpt(offsets), entry.end, data_size);
    }
  }

  std::string where_;
  const std::string& name_;
  const Json& value_;
};

// The tensors must cover the data section once: no byte twice, none left out.
void check_coverage(std::vector<Entry> entries, std::uint64_t data_size, const std::string& path) {
  std::ranges::sort(entries, {}, [](const Entry& entry) { return std::pair(entry.begin, entry.end); });
  std::uint64_t end = 0;
  const Entry* previous = nullptr;
  for (const Entry& entry : entries) {
    if (entry.begin < end) {
      throw UserError("{}, tensor {}: its data_offsets [{}, {}] overlap those of tensor {}, which end at {}", path,
                      quoted(entry.name), entry.begin, entry.end, quoted(previous->name), end);
    }
    if (entry.begin > end) {
      throw UserError("{}, tensor {}: bytes {} to {} of the data before it belong to no tensor", path,
                      quoted(entry.name), end, entry.begin);
    }
    end = entry.end;
    previous = &entry;
  }
  if (end != data_size) {
    throw UserError("{}: expected {} bytes of data after the header, found {}: {} bytes at the end belong to no tensor",
                    path, end, data_size, data_size - end);
  }
}

}  // namespace

const char* name_of(StoredType type) { return entry_of(type).name; }
std::size_t size_of(StoredType type) { return entry_of(type).size; }

std::string StoredTensor::where() const { return fmt::format("{}, tensor {}", file->path().string(), quoted(name)); }

std::size_t StoredTensor::offset() const { return static_cast<std::size_t>(bytes.data() - file->bytes().data()); }

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : file_(std::make_unique<MappedFile>(path)) {
  const std::string_view text = header_of(*file_);
  const auto data = file_->bytes().subspan(kLengthBytes + text.size());
  const Json header = parse_json_unique(text, path.string() + ", header");

  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      check_metadata(value, path.string());
      continue;
    }
    const EntryReader reader(path.string(), name, value);
    const Entry& entry = entries.emplace_back(reader.read(data.size()));
    const auto type = std::ranges::find(kTypes, std::string_view(entry.type), &TypeName::name);
    if (type == kTypes.end()) {
      unsupported_.emplace(name, entry.type);
      continue;
    }
    reader.check_length(entry, type->size);
    tensors_.emplace(name, StoredTensor{name, type->type, entry.shape,
                                        data.subspan(entry.begin, entry.end - entry.begin), file_.get()});
  }
  check_coverage(std::move(entries), data.size(), path.string());
}

const StoredTensor* SafetensorsFile::find(const std::string& name) const {
  if (const auto it = tensors_.find(name); it != tensors_.end()) return &it->second;
  if (const auto it = unsupported_.find(name); it != unsupported_.end()) {
    throw UserError("{}, tensor {}: expected dtype BF16, F16, F32 or F64, found {}", path().string(), quoted(name),
                    quoted(it->second));
  }
  return nullptr;
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  for (const auto& [name, type] : unsupported_) names.push_back(name);
  return names;
}

}  // namespace specthink::inline model
