#include "model/gguf/gguf_file.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include "model/checkpoint/unique_json.h"
#include "specthink/base/error.h"
#include "specthink/base/strings.h"

namespace specthink::inline model::gguf {
namespace {

constexpr std::uint32_t kMaxDimensions = 4;
constexpr std::uint32_t kMaxAlignment = 1 << 20;

// The kinds of metadata values, by their numbers in the file.
enum class Kind : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, list, u64, i64, f64 };

/// 1e-6, where the float as a double is 9.99999997e-7: what the model's author wrote.
double shortest(float value) {
  return std::isfinite(value) ? std::strtod(fmt::format("{}", value).c_str(), nullptr) : value;
}

/// Reads the header in order; what would lie behind the end of the file is an error.
class Reader {
 public:
  explicit Reader(const MappedFile& file) : file_(file) {}

  std::size_t position() const { return position_; }
  std::size_t left() const { return file_.bytes().size() - position_; }

  std::span<const std::byte> take(std::uint64_t length, const std::string& what) {
    if (length > left()) {
      throw UserError("{}: cut short: {} at byte {} takes {} bytes, {} are left; download it again",
                      file_.path().string(), what, position_, length, left());
    }
    const auto bytes = file_.bytes().subspan(position_, static_cast<std::size_t>(length));
    position_ += static_cast<std::size_t>(length);
    return bytes;
  }

  template <typename T>
  T number(const std::string& what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  std::string text(const std::string& what) {
    const auto bytes = take(number<std::uint64_t>("the length of " + what), what);
    std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (valid_utf8_prefix(text) != text.size()) throw UserError("{}: {} is not UTF-8", file_.path().string(), what);
    return text;
  }

  /// A count of things that take `bytes_each` or more: what cannot be there is not looped over.
  std::uint64_t count(const std::string& what, std::uint64_t bytes_each) {
    const auto value = number<std::uint64_t>(what);
    if (value > left() / bytes_each) {
      throw UserError("{}: {} is {}, more than the {} bytes behind byte {} can hold; download it again",
                      file_.path().string(), what, value, left(), position_);
    }
    return value;
  }

  Json value(Kind kind, const std::string& key) {
    switch (kind) {
      case Kind::u8:
        return number<std::uint8_t>(key);
      case Kind::i8:
        return number<std::int8_t>(key);
      case Kind::u16:
        return number<std::uint16_t>(key);
      case Kind::i16:
        return number<std::int16_t>(key);
      case Kind::u32:
        return number<std::uint32_t>(key);
      case Kind::i32:
        return number<std::int32_t>(key);
      case Kind::f32:
        return shortest(number<float>(key));
      case Kind::boolean:
        return number<std::uint8_t>(key) != 0;
      case Kind::string:
        return text(key);
      case Kind::u64:
        return number<std::uint64_t>(key);
      case Kind::i64:
        return number<std::int64_t>(key);
      case Kind::f64:
        return number<double>(key);
      case Kind::list:
        return list(key);
    }
    throw UserError("{}: {}: expected a kind of value from 0 to 12, found {}", file_.path().string(), key,
                    static_cast<std::uint32_t>(kind));
  }

 private:
  Json list(const std::string& key) {
    const auto kind = static_cast<Kind>(number<std::uint32_t>(key));
    if (kind == Kind::list) throw UserError("{}: {}: lists of lists are not supported", file_.path().string(), key);
    const std::uint64_t size = count("the length of " + key, 1);
    Json items = Json::array();
    for (std::uint64_t i = 0; i < size; ++i) items.push_back(value(kind, key));
    return items;
  }

  const MappedFile& file_;
  std::size_t position_ = 0;
};

void check_version(Reader& reader, const std::string& path) {
  const auto magic = reader.take(4, "the word GGUF");
  if (std::memcmp(magic.data(), "GGUF", 4) != 0) {
    throw UserError("{}: not a GGUF file: expected the word GGUF at byte 0", path);
  }
  const auto version = reader.number<std::uint32_t>("the version");
  if (version != 2 && version != 3) {
    throw UserError("{}: expected GGUF version 2 or 3, found {}{}", path, version,
                    version == 1 ? "; convert the model again" : " (of a machine with another byte order, perhaps)");
  }
}

/// A tensor as the header has it; its data are checked when all of the header is read.
struct Entry {
  Tensor tensor;
  std::uint64_t offset = 0;  // from the start of the data
  std::uint64_t bytes = 0;
};

Entry read_entry(Reader& reader, const std::string& path) {
  Entry entry;
  entry.tensor.name = reader.text("a tensor's name");
  const std::string where = fmt::format("{}, tensor {}", path, specthink::quoted(entry.tensor.name));
  const auto dimensions = reader.number<std::uint32_t>("the number of dimensions of " + entry.tensor.name);
  if (dimensions < 1 || dimensions > kMaxDimensions) {
    throw UserError("{}: expected 1 to {} dimensions, found {}", where, kMaxDimensions, dimensions);
  }
  std::int64_t elements = 1;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    const auto size = reader.number<std::uint64_t>("the shape of " + entry.tensor.name);
    if (size == 0 || size > INT64_MAX || __builtin_mul_overflow(elements, static_cast<std::int64_t>(size), &elements)) {
      throw UserError("{}: dimension {} is {}: no such tensor fits into a file", where, i, size);
    }
    entry.tensor.shape.insert(entry.tensor.shape.begin(), static_cast<std::int64_t>(size));
  }
  const auto id = reader.number<std::uint32_t>("the type of " + entry.tensor.name);
  entry.tensor.type = find_type(id);
  if (!entry.tensor.type) throw UserError("{}: its type, number {}, is unknown", where, id);
  const GgmlType& type = *entry.tensor.type;
  if (entry.tensor.shape.back() % type.block_elements != 0) {
    throw UserError("{}: expected rows of a multiple of {} elements for {}, found {}", where, type.block_elements,
                    type.name, entry.tensor.shape.back());
  }
  if (__builtin_mul_overflow(static_cast<std::uint64_t>(elements / type.block_elements),
                             static_cast<std::uint64_t>(type.block_bytes), &entry.bytes)) {
    throw UserError("{}: shape {} is too large", where, excerpt(entry.tensor.shape));
  }
  entry.offset = reader.number<std::uint64_t>("the place of " + entry.tensor.name);
  return entry;
}

std::uint64_t alignment_of(const Json& metadata, const std::string& path) {
  constexpr std::uint64_t kDefault = 32;
  const auto it = metadata.find("general.alignment");
  if (it == metadata.end()) return kDefault;
  const std::uint64_t alignment = it->is_number_unsigned() ? it->get<std::uint64_t>() : 0;
  if (!std::has_single_bit(alignment) || alignment > kMaxAlignment) {
    throw UserError("{}: general.alignment: expected a power of two up to {}, found {}", path, kMaxAlignment,
                    excerpt(*it));
  }
  return alignment;
}

/// Gives each entry its bytes.
void place(std::vector<Entry>& entries, std::span<const std::byte> data, std::uint64_t alignment,
           const std::string& path) {
  std::ranges::sort(entries, {}, &Entry::offset);
  const Entry* previous = nullptr;
  for (Entry& entry : entries) {
    const std::string where = fmt::format("{}, tensor {}", path, specthink::quoted(entry.tensor.name));
    if (entry.offset % alignment != 0) {
      throw UserError("{}: expected its data at a multiple of {} bytes, found {}", where, alignment, entry.offset);
    }
    if (previous && entry.offset < previous->offset + previous->bytes) {
      throw UserError("{}: its data begin at byte {} of the data, inside those of {}, which end at {}", where,
                      entry.offset, specthink::quoted(previous->tensor.name), previous->offset + previous->bytes);
    }
    if (entry.offset > data.size() || entry.bytes > data.size() - entry.offset) {
      throw UserError("{}: cut short: its {} bytes begin at byte {} of {} bytes of data; download it again", where,
                      entry.bytes, entry.offset, data.size());
    }
    entry.tensor.bytes = data.subspan(entry.offset, entry.bytes);
    previous = &entry;
  }
}

}  // namespace

std::int64_t Tensor::elements() const {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return count;
}

GgufFile::GgufFile(const std::filesystem::path& path)
    : file_(std::make_unique<MappedFile>(path)), metadata_(Json::object()) {
  constexpr std::uint64_t kLeastEntry = 8 + 4;  // a name's length and a kind, or a number of dimensions
  const std::string name = path.string();
  Reader reader(*file_);
  check_version(reader, name);
  const std::uint64_t num_tensors = reader.count("the number of tensors", kLeastEntry);
  const std::uint64_t num_values = reader.count("the number of metadata values", kLeastEntry);
  for (std::uint64_t i = 0; i < num_values; ++i) {
    const std::string key = reader.text("a metadata key");
    const auto kind = static_cast<Kind>(reader.number<std::uint32_t>(key));
    if (metadata_.contains(key)) throw UserError("{}: the key {} occurs twice", name, specthink::quoted(key));
    metadata_[key] = reader.value(kind, key);
  }
  std::vector<Entry> entries;
  for (std::uint64_t i = 0; i < num_tensors; ++i) entries.push_back(read_entry(reader, name));

  const std::uint64_t alignment = alignment_of(metadata_, name);
  const std::uint64_t padding = (alignment - reader.position() % alignment) % alignment;
  place(entries, file_->bytes().subspan(reader.position() + std::min<std::uint64_t>(padding, reader.left())), alignment,
        name);
  for (Entry& entry : entries) {
    const std::string tensor = entry.tensor.name;
    if (!tensors_.emplace(tensor, std::move(entry.tensor)).second) {
      throw UserError("{}: the tensor {} occurs twice", name, specthink::quoted(tensor));
    }
  }
}

const Tensor* GgufFile::find(const std::string& name) const {
  const auto it = tensors_.find(name);
  return it == tensors_.end() ? nullptr : &it->second;
}

void GgufFile::release(const Tensor& tensor) const {
  file_->release(static_cast<std::size_t>(tensor.bytes.data() - file_->bytes().data()), tensor.bytes.size());
}

}  // namespace specthink::inline model::gguf
