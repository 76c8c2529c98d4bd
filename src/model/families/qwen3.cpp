// Qwen3, the dense models: Llama's names and layout, with a norm of every query and key head.
#include "model/families/family.h"

namespace specthink::inline model {
namespace {

void describe_qwen3(const ConfigReader& config, ModelDescription& model) {
  model.qk_norm = true;
  model.qkv_bias = config.boolean("attention_bias", false);
  model.output_bias = model.qkv_bias;
}

}  // namespace

Family qwen3() {
  return {.model_type = "qwen3",
          .architecture = "Qwen3ForCausalLM",
          .default_kv_heads = 32,
          .default_head_dim = 128,
          .default_max_position_embeddings = 32768,
          .default_window = 4096,
          .describe = describe_qwen3};
}

}  // namespace specthink::inline model
