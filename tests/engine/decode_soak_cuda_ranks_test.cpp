// Many steps of the draft's shapes, prefills in between: the ranks never differ, and nothing grows.
// SPECTHINK_SOAK_STEPS (2000) says how many; 200000 stand for two hours of a slow engine.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <c10/cuda/CUDAGuard.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>

#include "kernels/device/hopper.h"
#include "ranks.h"
#include "specthink/comm/device.h"
#include "specthink/kernels/decode_step.h"
#include "specthink/kernels/peer_sum.h"
#include "specthink/model/transformer.h"

namespace specthink {
namespace {

using testing_support::device;
using testing_support::world;

constexpr int kStepsOfRequest = 500;
constexpr std::int64_t kCapacity = 8192;

TEST(decode_soak, ranks_stay_equal_and_memory_does_not_grow) {
  if (!device().is_cuda()) GTEST_SKIP() << "the decode kernels run on GPUs (SPECTHINK_TEST_DEVICE=cuda)";
  const char* wanted = std::getenv("SPECTHINK_SOAK_STEPS");
  const int requests = std::max(2, (wanted ? std::atoi(wanted) : 2000) / kStepsOfRequest);
  const c10::InferenceMode no_gradients;
  const c10::cuda::CUDAStreamGuard stream(c10::cuda::getStreamFromPool(false, device().index()));

  const ModelConfig config = ModelConfig::load("configs/models/Qwen3-1.7B");
  if (config.num_heads % world().size() != 0) GTEST_SKIP() << "the heads do not divide by the ranks";
  const auto collectives = Collectives::create(world(), device());
  const auto peer_sum =
      PeerSum::create(world(), device(), {.all_reduce = AllReduce::automatic, .bytes = 1024 * config.hidden_size * 2});
  Transformer::Options options;
  options.device = device();
  options.pages = (kCapacity + kPageTokens - 1) / kPageTokens;
  options.dummy_weights = true;
  options.prefill_rows = 1024;
  options.peer_sum = peer_sum.get();
  Transformer model("", config, *collectives, options);
  if (!is_hopper(device().index())) GTEST_SKIP() << "the decode kernels need a GPU of compute capability 9.0";
  ASSERT_EQ(step_obstacle(model.shard(), StepKernels::hopper), "");
  DecodeStep::Options step_options;
  step_options.wait_limit_seconds = 20;
  const auto step = DecodeStep::create(model.shard(), world(), *collectives, step_options);
  std::vector<std::int32_t> pages(static_cast<std::size_t>(model.shard().cache.size(2)));
  std::iota(pages.begin(), pages.end(), 0);
  model.set_pages(0, pages);

  std::uint64_t hash = 0xcbf29ce484222325u;
  std::int64_t free_half_way = 0;
  for (int request = 0; request < requests; ++request) {
    // A prefill somewhere, then tokens behind it, sampled a step ahead of what is read.
    const std::int64_t position = request * 37 % 6000;
    const TokenIds prompt(static_cast<std::size_t>(17 + request * 13 % 1000), static_cast<TokenId>(request % 1000));
    const SlotRows rows{0, position, prompt};
    const at::Tensor hidden = model.forward(std::span(&rows, 1));
    StepRequest next;
    next.position = position + static_cast<std::int64_t>(prompt.size()) - 1;
    next.max_tokens = kStepsOfRequest;
    next.sampling = {
        {0.6f, 0.95f, 20}, {static_cast<std::uint64_t>(request), 1, 2}, Purpose::segment, config.vocab_size};
    step->begin(0, next);
    const StepRows row{0, {}, 0};
    step->set_rows(std::span(&row, 1));
    step->enqueue_from_hidden(0, hidden.narrow(0, hidden.size(0) - 1, 1));
    for (int i = 0; i < kStepsOfRequest; ++i) {
      if (i + 1 < kStepsOfRequest) step->enqueue();
      hash = (hash ^ static_cast<std::uint64_t>(step->result(0, i).id)) * 0x100000001b3u;
    }
    model.check_arrived();
    for (const std::int64_t other : world().all_gather(static_cast<std::int64_t>(hash))) {
      ASSERT_EQ(other, static_cast<std::int64_t>(hash)) << "request " << request;
    }
    if (request == requests / 2) free_half_way = free_memory(device());
  }
  synchronize(device());
  // What LibTorch's allocator takes at once for results of another size is no leak.
  EXPECT_LE(free_half_way - free_memory(device()), 20 << 20);
}

}  // namespace
}  // namespace specthink
