// The first of what a rank will load, brought into memory while the rank does something else.
#pragma once

#include <filesystem>
#include <memory>

#include "specthink/model/model_config.h"
#include "specthink/model/shard_plan.h"

namespace specthink::inline model {

/// Asks the system for the weights that the rank will load first, until it is destroyed or has asked for as much as the
/// memory holds without harm. What is wrong with the folder is found out by whoever loads it.
class EarlyRead {
 public:
  /// `sharing`: ranks of this node that do the same.
  EarlyRead(const std::filesystem::path& folder, const ModelConfig& config, const ShardPlan& plan, int sharing);
  ~EarlyRead();
  EarlyRead(const EarlyRead&) = delete;
  EarlyRead& operator=(const EarlyRead&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace specthink::inline model
