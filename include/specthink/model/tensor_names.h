// The names under which a folder stores its weights.
#pragma once

#include <string>

namespace specthink::inline model {

/// The defaults are those of Llama and of the many families that took them over. A module's tensors are its name with
/// ".weight" and, where it has one, ".bias".
struct TensorNames {
  std::string embedding = "model.embed_tokens";
  std::string final_norm = "model.norm";
  std::string head = "lm_head";
  std::string layers = "model.layers";  ///< a layer's names begin with this and its number: "model.layers.0."
  std::string input_norm = "input_layernorm";
  std::string query = "self_attn.q_proj";
  std::string key = "self_attn.k_proj";
  std::string value = "self_attn.v_proj";
  std::string fused_qkv = {};  ///< not empty: one matrix of the query, key and value rows, in place of the three
  std::string query_norm = "self_attn.q_norm";
  std::string key_norm = "self_attn.k_norm";
  std::string output = "self_attn.o_proj";
  std::string post_norm = "post_attention_layernorm";
  std::string gate = "mlp.gate_proj";
  std::string up = "mlp.up_proj";
  std::string fused_gate_up = {};  ///< not empty: one matrix of the gate rows, then the up rows
  std::string down = "mlp.down_proj";
  bool settled = false;  ///< by settle_names()
};

}  // namespace specthink::inline model
