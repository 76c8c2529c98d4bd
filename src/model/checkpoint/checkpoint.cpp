#include "specthink/model/checkpoint.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "model/checkpoint/unique_json.h"
#include "model/description/config_reader.h"
#include "specthink/base/error.h"

namespace specthink::inline model {
namespace {

constexpr const char* kSingleName = "model.safetensors";
constexpr const char* kIndexName = "model.safetensors.index.json";

// A dangling link counts: its file is then reported as missing rather than passed over.
bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::symlink_status(path, ignored).type() != std::filesystem::file_type::not_found;
}

// A name without separators cannot leave the folder.
bool is_plain_name(const std::string& name) {
  const auto is_bad = [](unsigned char c) { return c == '/' || c == '\\' || c < ' ' || c == 0x7F; };
  return !name.empty() && name != "." && name != ".." && std::ranges::none_of(name, is_bad);
}

// Tensor name -> file name, all checked.
std::map<std::string, std::string> read_weight_map(const std::filesystem::path& index) {
  const std::string path = index.string();
  const Json json = parse_json_unique(read_file(index), path);
  const Json* weight_map = ConfigReader(json, path).find("weight_map");
  if (!weight_map || !weight_map->is_object() || weight_map->empty()) {
    throw UserError("{}: weight_map: expected an object that maps tensor names to files, found {}", path,
                    weight_map ? excerpt(*weight_map) : "none");
  }
  std::map<std::string, std::string> result;
  for (const auto& [tensor, file] : weight_map->items()) {
    if (!file.is_string() || !is_plain_name(file.get<std::string>())) {
      throw UserError("{}: weight_map, tensor {}: expected the plain name of a file in the same folder, found {}", path,
                      quoted(tensor), excerpt(file));
    }
    result.emplace(tensor, file.get<std::string>());
  }
  return result;
}

}  // namespace

Checkpoint Checkpoint::open(const std::filesystem::path& folder) {
  Checkpoint checkpoint;
  checkpoint.folder_ = folder;
  if (is_there(folder / kSingleName)) {
    checkpoint.open_single(folder / kSingleName);
  } else if (is_there(folder / kIndexName)) {
    checkpoint.open_shards(folder / kIndexName);
  } else {
    throw UserError("{}: no weights: expected {} or {}; download the model again, or convert it to safetensors",
                    folder.string(), kSingleName, kIndexName);
  }
  return checkpoint;
}

void Checkpoint::open_single(const std::filesystem::path& file) {
  files_.emplace_back(file);
  for (const std::string& name : files_.back().names()) file_of_.emplace(name, 0);
}

void Checkpoint::open_shards(const std::filesystem::path& index) {
  promised_ = read_weight_map(index);
  std::map<std::string, std::size_t> shards;  // file name -> index into files_
  for (const auto& [tensor, file] : promised_) {
    if (shards.contains(file)) continue;
    const std::filesystem::path path = folder_ / file;
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) {
      throw UserError("{}: the shard {} of weight_map is missing in the folder; download the model again",
                      index.string(), quoted(file));
    }
    shards.emplace(file, files_.size());
    for (const std::string& name : files_.emplace_back(path).names()) file_of_.emplace(name, files_.size() - 1);
  }
  // Of several files with a tensor the one that the index names counts.
  for (const auto& [tensor, file] : promised_) {
    const std::size_t shard = shards.at(file);
    if (files_[shard].contains(tensor)) file_of_[tensor] = shard;
  }
}

const StoredTensor& Checkpoint::require(const std::string& name, const std::vector<std::int64_t>& shape) const {
  const auto it = file_of_.find(name);
  if (it == file_of_.end()) {
    if (const auto promise = promised_.find(name); promise != promised_.end()) {
      throw UserError("{}: no tensor {}, which {} promises in this file; download the model again",
                      (folder_ / promise->second).string(), quoted(name), kIndexName);
    }
    throw UserError(
        "{}: no tensor {} in the weights: expected one of shape {}; do config.json and the weights belong "
        "to the same model?",
        folder_.string(), quoted(name), excerpt(shape));
  }
  const StoredTensor* tensor = files_[it->second].find(name);
  check(tensor != nullptr, "a tensor of the index is in its file");
  if (tensor->shape != shape) {
    throw UserError("{}: expected shape {} (from config.json), found {}", tensor->where(), excerpt(shape),
                    excerpt(tensor->shape));
  }
  return *tensor;
}

bool Checkpoint::contains(const std::string& name) const { return file_of_.contains(name); }

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : file_of_) names.push_back(name);
  return names;
}

}  // namespace specthink::inline model
