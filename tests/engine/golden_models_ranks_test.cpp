// The numbers of Hugging Face transformers (tools/make_golden_models.py), on every number of ranks that divides the
// heads.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "ranks.h"
#include "specthink/base/json.h"
#include "specthink/engine/engine.h"

namespace specthink {
namespace {

using testing_support::world;

std::filesystem::path golden_folder() { return "tests/model/golden"; }

/// Runs `check` on rank 0 with an engine over the folder's model alone. Its heads have so many zeros behind them.
template <typename Check>
void with_engine(const std::filesystem::path& folder, DType dtype, std::int64_t more_elements, Check&& check) {
  ModelConfig config = ModelConfig::load(folder);
  const Json golden = read_json(folder / "golden.json");
  config.set_context(golden.value("max_model_len", std::int64_t{256}));
  if (config.num_heads % world().size() != 0) {
    EXPECT_THROW(ShardPlan(config, world().rank(), world().size()), UserError);
    return;
  }
  if (more_elements > 0) {
    config.own_head_dim = config.head_dim;
    config.head_dim += more_elements;
  }
  const auto collectives = Collectives::create(world(), testing_support::device());
  Transformer model(folder, config, *collectives, {.dtype = dtype, .device = testing_support::device(), .pages = 2});
  Engine engine(world(), *collectives, {&model, config.eos_ids}, {},
                {.vocab_size = config.vocab_size, .check_interval = 1});
  if (world().rank() != 0) {
    engine.serve();
    return;
  }
  check(engine, golden);
  engine.shutdown(0);
}

class golden_models : public testing::TestWithParam<std::string> {};

TEST_P(golden_models, float32_log_probabilities) {
  with_engine(golden_folder() / GetParam(), DType::float32, 0, [](Engine& engine, const Json& golden) {
    const auto expected = golden.at("logprobs").get<std::vector<double>>();
    const std::vector<float> scores = engine.score(Role::target, golden.at("ids").get<TokenIds>());
    ASSERT_EQ(scores.size(), expected.size());
    for (std::size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(scores[i], expected[i], 1e-4) << "position " << i;
  });
}

TEST_P(golden_models, float32_greedy_continuation) {
  with_engine(golden_folder() / GetParam(), DType::float32, 0, [](Engine& engine, const Json& golden) {
    const auto prompt = golden.at("prompt").get<TokenIds>();
    const Request request{.role = Role::target, .purpose = Purpose::takeover, .prefix = prompt, .max_tokens = 64};
    const int sequence = engine.open(200).value();
    EXPECT_EQ(engine.generate(sequence, request, {.ignore_eos = true}).ids, golden.at("greedy").get<TokenIds>());
  });
}

TEST_P(golden_models, heads_filled_up_with_zeros_are_the_same) {
  if (ModelConfig::load(golden_folder() / GetParam()).qk_norm) return;  // of which the mean is over the whole head
  for (const std::int64_t more_elements : {2, 16}) {
    with_engine(golden_folder() / GetParam(), DType::float32, more_elements, [](Engine& engine, const Json& golden) {
      const auto expected = golden.at("logprobs").get<std::vector<double>>();
      const std::vector<float> scores = engine.score(Role::target, golden.at("ids").get<TokenIds>());
      for (std::size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(scores[i], expected[i], 1e-4) << "position " << i;
    });
  }
}

// bfloat16 has 8 bits of mantissa: near, not equal.
TEST_P(golden_models, bfloat16_is_near) {
  with_engine(golden_folder() / GetParam(), DType::bfloat16, 0, [](Engine& engine, const Json& golden) {
    const auto expected = golden.at("logprobs").get<std::vector<double>>();
    const std::vector<float> scores = engine.score(Role::target, golden.at("ids").get<TokenIds>());
    double error = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) error += std::abs(scores[i] - expected[i]);
    EXPECT_LT(error / static_cast<double>(scores.size()), 0.1);
  });
}

INSTANTIATE_TEST_SUITE_P(folders, golden_models,
                         testing::Values("heads_6_2_tied", "heads_12_4_untied", "heads_4_1_sharded",
                                         "heads_4_4_bias_old_spelling", "heads_12_2_yarn", "qwen2_untied_old_spelling",
                                         "qwen2_tied_windows", "llama_rope_llama3", "llama_bias_dynamic",
                                         "mistral_window", "phi3_longrope", "phi3_window"));

}  // namespace
}  // namespace specthink
