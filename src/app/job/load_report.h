// What the user sees of a model that is being loaded.
#pragma once

#include <cstdint>
#include <string>

#include "specthink/base/stopwatch.h"
#include "specthink/model/checkpoint.h"

namespace specthink::inline app {

/// Says every few seconds how far a model is and how fast it is read.
class LoadReport {
 public:
  /// `model` is how the model is named.
  LoadReport(std::string model, std::int64_t num_layers) : model_(std::move(model)), num_layers_(num_layers) {}

  void progress(const LoadProgress& progress);

  double seconds() const { return watch_.seconds(); }

 private:
  std::string model_;
  std::int64_t num_layers_;
  Stopwatch watch_;
  double reported_ = 0;  // seconds
};

}  // namespace specthink::inline app
