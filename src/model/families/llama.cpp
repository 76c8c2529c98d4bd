// Llama, and the many models of its layout (R1-Distill-Llama, SmolLM).
#include "model/families/family.h"

namespace specthink::inline model {
namespace {

void describe_llama(const ConfigReader& config, ModelDescription& model) {
  model.qkv_bias = config.boolean("attention_bias", false);
  model.output_bias = model.qkv_bias;
  if (config.boolean("mlp_bias", false))
    config.fail("mlp_bias", "false (biases of the feed-forward are not supported)");
}

}  // namespace

Family llama() {
  return {.model_type = "llama",
          .architecture = "LlamaForCausalLM",
          .default_max_position_embeddings = 2048,
          .default_eos_id = 2,
          .windows = Windows::none,
          .describe = describe_llama};
}

}  // namespace specthink::inline model
