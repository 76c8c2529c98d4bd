// The weights of a model folder: model.safetensors, or the shards that model.safetensors.index.json names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "specthink/model/safetensors.h"

namespace specthink::inline model {

/// How far the loading of a rank's weights is.
struct LoadProgress {
  std::int64_t layer = 0;       ///< that comes next
  std::size_t read_bytes = 0;   ///< of files
  std::size_t total_bytes = 0;  ///< 0: there are no files
};

class Checkpoint {
 public:
  /// As transformers does, prefers model.safetensors where both are present. An index may name files in the folder
  /// only, by plain names; each may be a link to somewhere else, as in the hub cache.
  ///
  /// Of an index only the files count: tensors that it promises in vain matter where they are needed, those that it
  /// leaves out are found.
  ///
  /// Throws UserError: no weights in the folder, an index that names a missing shard or a path, and all that
  /// SafetensorsFile throws.
  static Checkpoint open(const std::filesystem::path& folder);

  /// The tensor, with the shape checked; valid as long as the checkpoint, also after a move of it. Throws UserError
  /// naming place, tensor, expected and found.
  const StoredTensor& require(const std::string& name, const std::vector<std::int64_t>& shape) const;

  bool contains(const std::string& name) const;
  std::vector<std::string> names() const;  ///< in alphabetical order
  const std::filesystem::path& folder() const { return folder_; }

 private:
  void open_single(const std::filesystem::path& file);
  void open_shards(const std::filesystem::path& index);

  std::filesystem::path folder_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, std::size_t> file_of_;   // tensor name -> index into files_
  std::map<std::string, std::string> promised_;  // by the index: tensor name -> file name
};

}  // namespace specthink::inline model
