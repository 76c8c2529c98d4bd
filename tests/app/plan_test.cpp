// specthink plan: what it says of a model in memory.
#include <gtest/gtest.h>

#include <fstream>

#include "app/program.h"
#include "specthink/base/json.h"

namespace specthink {
namespace {

using testing_support::fresh_folder;
using testing_support::run_program;

/// Phi-3-mini's sizes.
Json config_of(std::int64_t heads) {
  return {{"architectures", {"Phi3ForCausalLM"}},
          {"model_type", "phi3"},
          {"hidden_size", 3072},
          {"intermediate_size", 8192},
          {"num_hidden_layers", 32},
          {"num_attention_heads", heads},
          {"num_key_value_heads", heads},
          {"vocab_size", 32064},
          {"max_position_embeddings", 4096},
          {"rms_norm_eps", 1e-5},
          {"sliding_window", nullptr},
          {"eos_token_id", 32000}};
}

std::string plan_of(std::int64_t heads, const std::string& arguments) {
  const auto folder = fresh_folder("plan");
  std::ofstream(folder / "config.json") << config_of(heads).dump();
  const auto result = run_program("plan --target '" + folder.string() + "' --gpus 1 " + arguments);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result.out;
}

TEST(plan, says_that_heads_are_filled_up_and_counts_the_models_own_parameters) {
  const std::string padded = plan_of(32, "");
  EXPECT_NE(padded.find("3.82 billion parameters (heads of 96 filled up to 128)"), std::string::npos) << padded;
  EXPECT_NE(padded.find("7.9 GiB"), std::string::npos) << padded;  // 7.1 for the parameters alone
  const std::string float32 = plan_of(32, "--dtype float32");      // which the kernels do not take
  EXPECT_EQ(float32.find("filled up"), std::string::npos) << float32;
  EXPECT_EQ(plan_of(48, "").find("filled up"), std::string::npos) << "heads of 64";
}

}  // namespace
}  // namespace specthink
