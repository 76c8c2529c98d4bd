// Many steps of small models on CPUs, requests of both models, prefills, rollbacks and evictions in between: the ranks
// never differ (the engine compares what they have after each command), and nothing grows. SPECTHINK_SOAK_STEPS (2000)
// says how many steps.
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>

#include "engine/loaded_models.h"

namespace specthink {
namespace {

using testing_support::device;
using testing_support::kSampled;
using testing_support::LoadedModels;
using testing_support::prompt_of;
using testing_support::request_for;
using testing_support::world;

constexpr std::int64_t kSoakTokens = 512;
constexpr int kSequences = 3;
constexpr int kMostTokens = 12;                // of a request
constexpr std::int64_t kMaxGrowth = 16 << 20;  // bytes: what an allocator takes for another order of sizes

/// Bytes of this process that are in memory.
std::int64_t resident() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t pages = 0;
  statm >> pages >> pages;
  return pages * ::sysconf(_SC_PAGESIZE);
}

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) { return (hash ^ value) * 0x100000001b3u; }

/// What rank 0 asks for; returns the steps that were done.
class Soak {
 public:
  explicit Soak(Engine& engine) : engine_(engine) {}

  std::int64_t run(std::int64_t steps) {
    std::int64_t done = 0;
    while (done < steps) done += one_round();
    return done;
  }
  std::uint64_t hash() const { return hash_; }

 private:
  /// Several sequences with a request each, which they take in turns.
  std::int64_t one_round() {
    ++round_;
    std::vector<int> slots;
    std::vector<TokenIds> texts;
    for (int i = 0; i < kSequences; ++i) {
      slots.push_back(engine_.open(kSoakTokens / 4, std::int64_t{64}, std::nullopt).value());
      texts.push_back(
          prompt_of(3 + static_cast<int>((round_ * 13 + i * 29) % 60), static_cast<int>((round_ + i) % 17)));
    }
    std::int64_t steps = 0;
    for (int turn = 0; turn < 4; ++turn) {
      const Role role = (round_ + turn) % 2 == 0 ? Role::draft : Role::target;
      std::vector<int> waiting;
      for (std::size_t i = 0; i < slots.size(); ++i) {
        if (turn == 2 && i == 1) engine_.evict(slots[i]);
        EXPECT_TRUE(engine_.reserve(slots[i], static_cast<std::int64_t>(texts[i].size()) + kMostTokens)) << round_;
        engine_.start(slots[i], request_for(role, texts[i], 4 + static_cast<int>((round_ + i) % (kMostTokens - 3))),
                      {kSampled, DrawKey{static_cast<std::uint64_t>(round_), static_cast<std::uint32_t>(i), 0}, true});
        waiting.push_back(slots[i]);
      }
      while (!waiting.empty()) {
        for (const int slot : engine_.run(waiting)) {
          std::erase(waiting, slot);
          const auto i = static_cast<std::size_t>(std::ranges::find(slots, slot) - slots.begin());
          const Generation generation = engine_.take(slot);
          steps += generation.times.decode_steps;
          for (const TokenId id : generation.ids) hash_ = mixed(hash_, static_cast<std::uint64_t>(id));
          texts[i].insert(texts[i].end(), generation.ids.begin(), generation.ids.end());
          if (turn == 1) texts[i].resize(texts[i].size() - 3);  // taken back
        }
      }
    }
    for (const int slot : slots) engine_.close(slot);
    return steps;
  }

  Engine& engine_;
  std::int64_t round_ = 0;
  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

TEST(soak, ranks_stay_equal_and_memory_does_not_grow) {
  if (device().is_cuda()) GTEST_SKIP() << "decode_soak has the steps of GPUs";
  const char* wanted = std::getenv("SPECTHINK_SOAK_STEPS");
  const std::int64_t steps = wanted ? std::max(100, std::atoi(wanted)) : 2000;
  LoadedModels models({}, kSoakTokens, DType::float32, {}, 2, 1, kSequences);
  std::int64_t early = 0;
  std::int64_t done = 0;
  // In two parts, so that the other ranks look at their memory, too: what is taken at first is no leak.
  for (const bool first : {true, false}) {
    models.drive([&](Engine& engine) {
      Soak soak(engine);
      done += soak.run(first ? steps / 10 : steps - steps / 10);
    });
    ::malloc_trim(0);
    if (first) early = resident();
    world().barrier();
  }
  const std::vector<std::int64_t> growth = world().all_gather(resident() - early);
  for (std::size_t rank = 0; rank < growth.size(); ++rank) EXPECT_LE(growth[rank], kMaxGrowth) << "rank " << rank;
  if (world().rank() == 0 && wanted) {
    std::cout << done << " steps, bytes more than after the first tenth, by rank:";
    for (const std::int64_t bytes : growth) std::cout << ' ' << bytes;
    std::cout << '\n';
  }
}

}  // namespace
}  // namespace specthink
