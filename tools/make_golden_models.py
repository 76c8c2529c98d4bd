#!/usr/bin/env python3
"""Makes tests/model/golden: small random folders of each family with what Hugging Face transformers computes from them.

    python3 tools/make_golden_models.py        (needs torch, transformers, safetensors)

With names of cases, those alone. Each folder is an ordinary model folder (config.json, safetensors, generation_config.json) plus golden.json:
{"ids": [...], "logprobs": [...], "prompt": [...], "greedy": [...]}, all computed in float32 on the CPU. Where the rope depends on the length of the sequence, the angles
are those of "max_model_len" from the first token on, as this program chooses them once.
"""
import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "model" / "golden"

# The sizes are chosen to be awkward: head_dim is not hidden/heads, intermediate size and vocabulary divide by nothing.
COMMON = dict(vocab_size=131, hidden_size=40, intermediate_size=53, num_hidden_layers=2, max_position_embeddings=256,
              rope_theta=10000.0, rms_norm_eps=1e-6, bos_token_id=None, eos_token_id=None)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64,
              rope_theta=10000.0)
CASES = {
    "heads_6_2_tied": dict(heads=6, kv=2, head_dim=16, tied=True, dtype=torch.float32),
    "heads_12_4_untied": dict(heads=12, kv=4, head_dim=8, tied=False, dtype=torch.bfloat16),
    "heads_4_1_sharded": dict(heads=4, kv=1, head_dim=16, tied=False, dtype=torch.float16, shards=3),
    "heads_4_4_bias_old_spelling": dict(heads=4, kv=4, head_dim=10, tied=True, dtype=torch.float32, bias=True, old=True),
    "heads_12_2_yarn": dict(heads=12, kv=2, head_dim=16, tied=False, dtype=torch.float32,
                            rope=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64, rope_theta=10000.0)),
    "qwen2_untied_old_spelling": dict(family="Qwen2", heads=4, kv=2, dtype=torch.bfloat16, old=True),
    "qwen2_tied_windows": dict(family="Qwen2", heads=4, kv=1, hidden=48, tied=True, dtype=torch.float16,
                               settings=dict(use_sliding_window=True, sliding_window=24, max_window_layers=1)),
    "llama_rope_llama3": dict(family="Llama", heads=12, kv=4, head_dim=8, hidden=48, dtype=torch.bfloat16, rope=LLAMA3),
    "llama_bias_dynamic": dict(family="Llama", heads=4, kv=4, tied=True, bias=True, dtype=torch.float16, max_model_len=160,
                               settings=dict(max_position_embeddings=64), old=True,
                               rope=dict(rope_type="dynamic", factor=4.0, rope_theta=10000.0)),
    "mistral_window": dict(family="Mistral", heads=4, kv=2, head_dim=12, dtype=torch.bfloat16,
                           settings=dict(sliding_window=20)),
    "phi3_longrope": dict(family="Phi3", heads=4, kv=2, head_dim=16, hidden=64, dtype=torch.bfloat16, max_model_len=200, old=True,
                          settings=dict(original_max_position_embeddings=64, partial_rotary_factor=0.75),
                          rope=dict(rope_type="longrope", rope_theta=10000.0, short_factor=[1.0, 1.1, 1.2, 1.3, 1.5, 1.7],
                                    long_factor=[1.0, 1.5, 2.5, 3.0, 4.5, 5.0])),
    "phi3_window": dict(family="Phi3", heads=12, kv=4, head_dim=8, hidden=96, tied=True, dtype=torch.float16,
                        settings=dict(sliding_window=30)),
}


def set_rope_length(model, case):
    """The angles of a sequence of max_model_len tokens, whatever is run."""
    rope = model.model.rotary_emb
    if "max_model_len" not in case:
        return
    frequencies, rope.attention_scaling = transformers.modeling_rope_utils.ROPE_INIT_FUNCTIONS[rope.rope_type](
        model.config, "cpu", seq_len=case["max_model_len"])
    rope.inv_freq = torch.nn.Buffer(frequencies, persistent=False)
    rope.rope_type = "chosen once"  # nothing updates it


def make_model(case):
    family = case.get("family", "Qwen3")
    settings = COMMON | dict(num_attention_heads=case["heads"], num_key_value_heads=case["kv"],
                             tie_word_embeddings=case.get("tied", False)) | case.get("settings", {})
    if "hidden" in case:
        settings["hidden_size"] = case["hidden"]
    if "head_dim" in case:
        settings["head_dim"] = case["head_dim"]
    if family in ("Qwen3", "Llama"):
        settings["attention_bias"] = case.get("bias", False)
    if family == "Phi3":
        settings["pad_token_id"] = 0
    if "rope" in case:
        settings["rope_parameters"] = dict(case["rope"])
    config = getattr(transformers, family + "Config")(**settings)
    model = getattr(transformers, family + "ForCausalLM")(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Larger than usual, and norms that are not 1: an error anywhere shows in the logits.
            if "norm" in name:
                parameter.uniform_(0.5, 1.5)
            else:
                parameter.normal_(0, 0.3 if parameter.dim() == 1 else 1.2 / parameter.shape[-1] ** 0.5)
            parameter.copy_(parameter.to(case["dtype"]).to(torch.float32))  # exactly what the file will hold
    return config, model


def write_folder(folder, case, config, model):
    folder.mkdir(parents=True, exist_ok=True)
    settings = json.loads(config.to_json_string(use_diff=False))
    keep = ["architectures", "model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
            "num_attention_heads", "num_key_value_heads", "head_dim", "hidden_act", "max_position_embeddings",
            "rms_norm_eps", "tie_word_embeddings", "attention_bias", "attention_dropout", "rope_parameters",
            "use_sliding_window", "sliding_window", "max_window_layers", "original_max_position_embeddings",
            "partial_rotary_factor", "pad_token_id"]
    settings = {key: settings[key] for key in keep if settings.get(key) is not None}
    settings["architectures"] = [case.get("family", "Qwen3") + "ForCausalLM"]
    dtype = str(case["dtype"]).removeprefix("torch.")
    if case.get("old"):
        rope = settings.pop("rope_parameters")
        settings["rope_theta"] = rope.pop("rope_theta")
        rope.pop("partial_rotary_factor", None)
        rope["type"] = rope.pop("rope_type")
        settings["rope_scaling"] = None if rope["type"] == "default" else rope
        settings["torch_dtype"] = dtype
    else:
        settings["dtype"] = dtype
    (folder / "config.json").write_text(json.dumps(settings, indent=2) + "\n")
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [129, 130]}) + "\n")

    tensors = {name: value.to(case["dtype"]).contiguous() for name, value in model.state_dict().items()
               if not (case.get("tied", False) and name == "lm_head.weight")}
    shards = case.get("shards", 1)
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    weight_map = {name: f"model-{i % shards + 1:05}-of-{shards:05}.safetensors" for i, name in enumerate(sorted(tensors))}
    for file in sorted(set(weight_map.values())):
        save_file({name: tensors[name] for name in tensors if weight_map[name] == file}, folder / file,
                  metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


def golden(folder, case):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    set_rope_length(model, case)
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, COMMON["vocab_size"], (1, 90), generator=generator)
    with torch.no_grad():
        logprobs = torch.log_softmax(model(ids, use_cache=False).logits.double(), -1)[0, :-1].gather(1, ids[0, 1:, None])[:, 0]
        sequence = ids[:, :11]
        for _ in range(64):
            sequence = torch.cat([sequence, model(sequence, use_cache=False).logits[:, -1:].argmax(-1)], 1)
    result = {"ids": ids[0].tolist(), "logprobs": [round(x, 7) for x in logprobs.tolist()], "prompt": ids[0, :11].tolist(),
              "greedy": sequence[0, 11:].tolist()}
    if "max_model_len" in case:
        result["max_model_len"] = case["max_model_len"]
    (folder / "golden.json").write_text(json.dumps(result) + "\n")
    return len(set(result["greedy"]))


torch.set_num_threads(1)
for name, case in CASES.items():
    if len(sys.argv) > 1 and name not in sys.argv[1:]:
        continue
    # Random models like to repeat one token; a seed is taken whose continuation is a test.
    for seed in range(100):
        torch.manual_seed(seed)
        write_folder(OUT / name, case, *make_model(case))
        distinct = golden(OUT / name, case)
        if distinct >= 20:
            break
    print(f"{name}: seed {seed}, {distinct} distinct greedy tokens")
