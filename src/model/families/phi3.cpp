// Phi-3 and Phi-4: Llama's layout with query, key and value in one matrix, and gate and up in one; part of a head may
// rotate, long contexts have factors of their own for each pair.
#include "model/families/family.h"

namespace specthink::inline model {
namespace {

void describe_phi3(const ConfigReader&, ModelDescription&) {}

}  // namespace

Family phi3() {
  return {.model_type = "phi3",
          .architecture = "Phi3ForCausalLM",
          .default_max_position_embeddings = 4096,
          .default_rms_norm_eps = 1e-5,
          .default_eos_id = 32000,
          .windows = Windows::all_layers,
          .rotates_part_of_head = true,
          .longrope_alone = true,
          .default_original_context = 4096,
          .tensors = {.fused_qkv = "self_attn.qkv_proj", .fused_gate_up = "mlp.gate_up_proj"},
          .describe = describe_phi3};
}

}  // namespace specthink::inline model
