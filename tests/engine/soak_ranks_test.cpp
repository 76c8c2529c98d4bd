// Many steps of the demo pair on CPUs, requests of both models, prefills, rollbacks and evictions in between: the ranks
// never differ (the engine compares what they have after each command), and nothing grows. SPECTHINK_SOAK_STEPS (500)
// says how many steps, and prints the memory of each rank after every tenth of them.
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

/// What rank 0 asks for; returns the steps that were done.
class Soak {
 public:
  /// `round`: how many there were, so that another soak goes on from there.
  Soak(Engine& engine, std::int64_t& round) : engine_(engine), round_(round) {}

  std::int64_t run(std::int64_t steps) {
    std::int64_t done = 0;
    while (done < steps) done += one_round();
    return done;
  }

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
          texts[i].insert(texts[i].end(), generation.ids.begin(), generation.ids.end());
          if (turn == 1) texts[i].resize(texts[i].size() - 3);  // taken back
        }
      }
    }
    for (const int slot : slots) engine_.close(slot);
    return steps;
  }

  Engine& engine_;
  std::int64_t& round_;
};

TEST(soak, ranks_stay_equal_and_memory_does_not_grow) {
  if (device().is_cuda()) GTEST_SKIP() << "decode_soak has the steps of GPUs";
  const char* wanted = std::getenv("SPECTHINK_SOAK_STEPS");
  const std::int64_t steps = wanted ? std::max(100, std::atoi(wanted)) : 500;
  LoadedModels models = LoadedModels::demo_pair(kSoakTokens, DType::float32, kSequences);
  std::vector<std::int64_t> early;  // by rank
  std::int64_t done = 0;
  std::int64_t round = 0;
  // In parts, so that the other ranks look at their memory, too: what is taken at first is no leak.
  for (int tenth = 1; tenth <= 10; ++tenth) {
    const std::int64_t part_end = steps * tenth / 10;
    models.drive([&](Engine& engine) {
      Soak soak(engine, round);
      done += soak.run(part_end - done);
    });
    ::malloc_trim(0);
    const std::vector<std::int64_t> memory = world().all_gather(resident());
    if (early.empty()) early = memory;
    for (std::size_t rank = 0; rank < memory.size(); ++rank) {
      EXPECT_LE(memory[rank] - early[rank], kMaxGrowth) << "rank " << rank << " after " << part_end << " steps";
    }
    if (world().rank() == 0 && wanted)
      std::cout << done << " steps, bytes in memory by rank: " << testing::PrintToString(memory) << std::endl;
  }
}

}  // namespace
}  // namespace specthink
