#include "specthink/model/early_read.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <utility>
#include <vector>

#include "model/checkpoint/read_ahead.h"
#include "model/checkpoint/weights.h"

namespace specthink::inline model {
namespace {

constexpr std::size_t kMostBytes = std::size_t{4} << 30;  // what a fast disk gives in the two seconds of a GPU's start

/// Files may take a part of the memory before the system drops those that were read first.
std::size_t most_bytes(int sharing) {
  constexpr std::size_t kPart = 8;
  const auto memory =
      static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return std::min(kMostBytes, memory / kPart / static_cast<std::size_t>(std::max(1, sharing)));
}

}  // namespace

struct EarlyRead::State {
  Checkpoint checkpoint;
  ReadAhead read_ahead;
};

EarlyRead::EarlyRead(const std::filesystem::path& folder, const ModelConfig& config, const ShardPlan& plan,
                     int sharing) {
  try {
    Checkpoint checkpoint = Checkpoint::open(folder);
    std::vector<FilePart> parts = parts_of(planned_reads(checkpoint, config, plan));
    state_.reset(new State{std::move(checkpoint), ReadAhead(std::move(parts), most_bytes(sharing))});
  } catch (const std::exception&) {
    // Loading fails for the same reason, and says so.
  }
}

EarlyRead::~EarlyRead() = default;

}  // namespace specthink::inline model
