#include <algorithm>
#include <system_error>
#include <vector>

#include "model/checkpoint/unique_json.h"
#include "model/gguf/gguf_config.h"
#include "model/gguf/gguf_file.h"
#include "model/gguf/safetensors_writer.h"
#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/model/gguf_import.h"
#include "specthink/model/transformer.h"

namespace specthink::inline model {
namespace {

namespace fs = std::filesystem;
using gguf::GgufFile;
using gguf::Tensor;

constexpr std::int64_t kChunk = 1 << 20;  // elements that are dequantised at a time, of whole rows where they are short

/// One part of a model that is cut into several files is none.
void check_whole(const GgufFile& file) {
  const Json* parts = gguf::find_value(file, "split.count");
  if (parts && parts->is_number_integer() && *parts > 1) {
    throw UserError("{}: one of {} parts of a model; join them first (llama-gguf-split --merge)", file.path().string(),
                    excerpt(*parts));
  }
}

void check_types(const GgufFile& file) {
  for (const auto& [name, tensor] : file.tensors()) {
    if (!tensor.type->dequantize) {
      throw UserError("{}, tensor {}: its type {} is not supported; supported: {}", file.path().string(),
                      specthink::quoted(name), tensor.type->name, gguf::supported_type_names());
    }
  }
}

/// The rows of a matrix in the order of Hugging Face. GGUF files of Llama rotate neighbouring elements of a head, which
/// stand half a head apart there: its row order of a head (2, half) is the transpose of (half, 2). 0: as stored.
std::int64_t heads_to_reorder(const GgufFile& file, const Json& config, const std::string& name) {
  if (gguf::architecture(file) != "llama") return 0;
  if (name.find(".attn_q.") != name.npos) return config["num_attention_heads"];
  if (name.find(".attn_k.") != name.npos) return config["num_key_value_heads"];
  return 0;
}

/// Row `row` of the result as a row of the file; `heads` as heads_to_reorder() says.
std::int64_t stored_row(std::int64_t row, std::int64_t rows, std::int64_t heads) {
  if (heads == 0) return row;
  const std::int64_t head_dim = rows / heads;
  const std::int64_t within = row % head_dim;
  const std::int64_t half = head_dim / 2;
  return row - within + within % half * 2 + within / half;
}

void dequantize(const Tensor& tensor, std::int64_t first, std::int64_t count, std::vector<float>& values) {
  const gguf::GgmlType& type = *tensor.type;
  values.resize(static_cast<std::size_t>(count));
  const std::byte* data = tensor.bytes.data() + first / type.block_elements * type.block_bytes;
  type.dequantize(data, count / type.block_elements, values.data());
}

void write_tensor(const GgufFile& file, const Tensor& tensor, std::int64_t heads, gguf::SafetensorsWriter& writer) {
  std::vector<float> values;
  if (heads == 0) {
    for (std::int64_t first = 0; first < tensor.elements(); first += kChunk) {
      dequantize(tensor, first, std::min(kChunk, tensor.elements() - first), values);
      writer.append(values);
    }
  } else {
    const std::int64_t rows = tensor.shape[0];
    const std::int64_t columns = tensor.elements() / rows;
    if (rows % (2 * heads) != 0) {
      throw UserError("{}, tensor {}: expected rows for {} heads of an even size, found {}", file.path().string(),
                      specthink::quoted(tensor.name), heads, rows);
    }
    if (columns % tensor.type->block_elements != 0) {
      throw UserError("{}, tensor {}: its type {} is not supported for a bias", file.path().string(),
                      specthink::quoted(tensor.name), tensor.type->name);
    }
    for (std::int64_t row = 0; row < rows; ++row) {
      dequantize(tensor, stored_row(row, rows, heads) * columns, columns, values);
      writer.append(values);
    }
  }
  file.release(tensor);
}

/// The weights, by the names of Hugging Face.
std::map<std::string, const Tensor*> find_weights(const GgufFile& file) {
  std::map<std::string, const Tensor*> weights;
  for (const auto& [stored, tensor] : file.tensors()) {
    const std::string name = gguf::weight_name(file, stored);
    if (!name.empty()) weights.emplace(name, &tensor);
  }
  return weights;
}

/// A folder that goes away unless it is moved to its place.
class NewFolder {
 public:
  explicit NewFolder(const fs::path& wanted)
      : wanted_(wanted.has_filename() ? wanted : wanted.parent_path()), path_(wanted_.string() + ".partial") {
    std::error_code ignored;
    if (fs::exists(wanted_, ignored) && !(fs::is_directory(wanted_, ignored) && fs::is_empty(wanted_, ignored))) {
      throw UserError("{}: expected a new folder, found {}; choose another", wanted_.string(),
                      fs::is_directory(wanted_, ignored) ? "a folder with files" : "a file");
    }
    fs::remove_all(path_, ignored);  // of an import that was killed
    std::error_code error;
    fs::create_directories(path_, error);
    if (error) throw EnvironmentError("cannot make the folder {}: {}", path_.string(), error.message());
  }
  ~NewFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  const fs::path& path() const { return path_; }

  void write(const char* name, const Json& content) const {
    write_file_atomically(path_ / name, content.dump(1) + "\n");
  }

  void keep() const {
    std::error_code error;
    fs::remove(wanted_, error);
    fs::rename(path_, wanted_, error);
    if (error) throw EnvironmentError("cannot make the folder {}: {}", wanted_.string(), error.message());
  }

 private:
  fs::path wanted_;
  fs::path path_;
};

}  // namespace

GgufImport import_gguf(const fs::path& path, const fs::path& folder, DType dtype,
                       const std::function<void(std::int64_t done, std::int64_t all)>& on_tensor) {
  const GgufFile file(path);
  check_whole(file);
  check_types(file);
  Json config = gguf::model_config(file);
  config["torch_dtype"] = dtype == DType::float32 ? "float32" : dtype == DType::bfloat16 ? "bfloat16" : "float16";
  const ModelConfig parsed = ModelConfig::parse(config, {}, path.string());
  const auto weights = find_weights(file);
  const Json tokenizer = gguf::tokenizer(file);
  const Json tokenizer_config = gguf::tokenizer_config(file);

  const NewFolder result(folder);
  std::vector<gguf::SafetensorsWriter::Entry> entries;
  for (const auto& [name, tensor] : weights) entries.push_back({name, tensor->shape});
  gguf::SafetensorsWriter writer(result.path() / "model.safetensors", entries, dtype);
  std::int64_t done = 0;
  for (const auto& [name, tensor] : weights) {
    if (on_tensor) on_tensor(done++, static_cast<std::int64_t>(weights.size()));
    write_tensor(file, *tensor, heads_to_reorder(file, config, tensor->name), writer);
  }
  writer.finish();
  result.write("config.json", config);
  result.write("generation_config.json", gguf::generation_config(file));
  result.write("tokenizer.json", tokenizer);
  result.write("tokenizer_config.json", tokenizer_config);
  ModelConfig complete = parsed;
  Transformer::check_folder(result.path(), complete, ShardPlan(complete, 0, 1));
  result.keep();
  return {static_cast<std::int64_t>(weights.size()), writer.data_bytes()};
}

}  // namespace specthink::inline model
