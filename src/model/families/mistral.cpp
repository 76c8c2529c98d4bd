// Mistral: Llama's names and layout; the first models look back over a window in every layer.
#include "model/families/family.h"

namespace specthink::inline model {
namespace {

void describe_mistral(const ConfigReader&, ModelDescription&) {}

}  // namespace

Family mistral() {
  return {.model_type = "mistral",
          .architecture = "MistralForCausalLM",
          .default_kv_heads = 8,
          .default_max_position_embeddings = 4096 * 32,
          .default_eos_id = 2,
          .default_window = 4096,
          .windows = Windows::all_layers,
          .describe = describe_mistral};
}

}  // namespace specthink::inline model
