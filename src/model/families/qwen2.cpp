// Qwen2 and Qwen2.5, with what was trained from them (QwQ, R1-Distill-Qwen): Llama's names and layout, with biases of
// the query, key and value projections.
#include "model/families/family.h"

namespace specthink::inline model {
namespace {

void describe_qwen2(const ConfigReader&, ModelDescription& model) { model.qkv_bias = true; }

}  // namespace

Family qwen2() {
  return {.model_type = "qwen2",
          .architecture = "Qwen2ForCausalLM",
          .default_kv_heads = 32,
          .default_max_position_embeddings = 32768,
          .default_window = 4096,
          .describe = describe_qwen2};
}

}  // namespace specthink::inline model
