// The weights of a model folder: model.safetensors, or the shards that model.safetensors.index.json names.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "specthink/model/safetensors.h"

namespace specthink {

class Checkpoint {
 public:
  /// Throws UserError: no weights in the folder, an index that names a missing shard or a path outside the folder, a
  /// shard without a tensor that the index promises.
  static Checkpoint open(const std::filesystem::path& folder);

  /// The tensor, with the shape checked. Throws UserError naming folder, tensor, expected and found.
  const StoredTensor& require(const std::string& name, const std::vector<std::int64_t>& shape) const;

  bool contains(const std::string& name) const;
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, std::size_t> file_of_;  // tensor name -> index into files_
};

}  // namespace specthink
