#!/usr/bin/env python3
"""Writes a made-up hub cache: the models that the original program's configurations name, small and random.

    python3 tools/random_hub.py FOLDER            then HF_HUB_CACHE=FOLDER build/specthink generate --config FILE ...

Each has the architecture, the tokenizer's kind and the chat template's style of the model of that name, and shapes of its own.
Needs nothing but Python. Heads divide by 1 and 2 ranks.
"""
import argparse
import hashlib
import pathlib

from random_pair import TEMPLATE as CHATML
from random_pair import byte_symbols, make_tokenizer, tensor_shapes, write_if_changed, write_json, write_safetensors

R1_SPECIAL = ["<｜end▁of▁sentence｜>", "<｜begin▁of▁sentence｜>"]
R1_ADDED = ["<｜User｜>", "<｜Assistant｜>", "<think>", "</think>"]
R1_TEMPLATE = (
    "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{{ bos_token }}"
    "{%- for message in messages %}{%- if message['role'] == 'user' %}{{- '<｜User｜>' + message['content'] }}{%- else %}"
    "{{- '<｜Assistant｜>' + message['content'] + '<｜end▁of▁sentence｜>' }}{%- endif %}{%- endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}")
PHI_TEMPLATE = (
    "<|im_start|>system<|im_sep|>Think first.<|im_end|>{% for message in messages %}{{ '<|im_start|>' + message['role'] + "
    "'<|im_sep|>' + message['content'] + '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}")
LLAMA_SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
               r"|\s+(?!\S)|\s+")

QWEN_CHAT = dict(special=["<|endoftext|>", "<|im_start|>", "<|im_end|>"], added=["<think>", "</think>"], eos="<|im_end|>",
                 template=CHATML)
R1_CHAT = dict(special=R1_SPECIAL, added=R1_ADDED, eos=R1_SPECIAL[0], bos=R1_SPECIAL[1], template=R1_TEMPLATE)
PHI_CHAT = dict(special=["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|im_sep|>"], added=["<think>", "</think>"],
                eos="<|im_end|>", template=PHI_TEMPLATE, fresh=True)

TARGET = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2)
DRAFT = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)
MODELS = {
    "Qwen/Qwen3-32B": ("qwen3", TARGET, QWEN_CHAT),
    "Qwen/Qwen3-1.7B": ("qwen3", DRAFT, QWEN_CHAT),
    "Qwen/Qwen2.5-7B-Instruct": ("qwen2", TARGET, QWEN_CHAT),
    "Qwen/Qwen2.5-1.5B-Instruct": ("qwen2", DRAFT, QWEN_CHAT),
    "Qwen/QwQ-32B": ("qwen2", TARGET, QWEN_CHAT),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B": ("qwen2", TARGET, R1_CHAT),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B": ("qwen2", TARGET, R1_CHAT),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": ("qwen2", TARGET, R1_CHAT),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B": ("qwen2", DRAFT, R1_CHAT),
    "deepseek-ai/DeepSeek-R1-Distill-Llama-8B": ("llama", DRAFT, R1_CHAT | dict(split=LLAMA_SPLIT, fresh=True)),
    "microsoft/Phi-4-reasoning-plus": ("phi3", TARGET, PHI_CHAT | dict(split=LLAMA_SPLIT)),
}
ARCHITECTURES = {"qwen3": "Qwen3ForCausalLM", "qwen2": "Qwen2ForCausalLM", "llama": "LlamaForCausalLM", "phi3": "Phi3ForCausalLM"}


def tokenizer_of(chat):
    """Document, vocabulary size, and ids by content. `fresh`: a vocabulary that no Qwen model has."""
    document, _, _ = make_tokenizer()
    model = document["model"]
    if chat.get("fresh"):
        symbols = byte_symbols()
        order = [symbols[byte] for byte in reversed(range(256))]
        vocab = {symbol: i for i, symbol in enumerate(order)}
        model["merges"] = [[symbols[ord(a)], symbols[ord(b)]] for a, b in ["th", "he", "in", " a", "\n\n", "er"]]
        for a, b in model["merges"]:
            vocab[a + b] = len(vocab)
        model["vocab"] = vocab
    flags = dict(single_word=False, lstrip=False, rstrip=False, normalized=False)
    document["added_tokens"] = [
        {"id": len(model["vocab"]) + i, "content": content, **flags, "special": content in chat["special"]}
        for i, content in enumerate(chat["special"] + chat["added"])]
    ids = {token["content"]: token["id"] for token in document["added_tokens"]}
    if "split" in chat:
        document["normalizer"] = None
        document["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {"Regex": chat["split"]}
    if "bos" in chat:
        bos = chat["bos"]
        document["post_processor"] = {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": bos, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {bos: {"id": bos, "ids": [ids[bos]], "tokens": [bos]}}}
    return document, len(model["vocab"]) + len(ids), ids


def shapes_of(family, config):
    """Tensors as the family stores them."""
    head = config["hidden_size"] // config["num_attention_heads"]
    for name, shape in tensor_shapes({"head_dim": head, "tie_word_embeddings": False, **config}):
        module = name.split(".")[-2]
        if family != "qwen3" and module in ("q_norm", "k_norm"):
            continue
        if family == "phi3" and module in ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"):
            if module == "q_proj":
                rows = shape[0] + 2 * config["num_key_value_heads"] * head
                yield name.replace("q_proj", "qkv_proj"), [rows, shape[1]]
            if module == "gate_proj":
                yield name.replace("gate_proj", "gate_up_proj"), [2 * shape[0], shape[1]]
            continue
        yield name, shape
        if family == "qwen2" and module in ("q_proj", "k_proj", "v_proj"):
            yield name.replace("weight", "bias"), [shape[0]]


def write_model(folder, name, family, shape, chat):
    tokenizer, size, ids = tokenizer_of(chat)
    folder.mkdir(parents=True, exist_ok=True)
    config = {"architectures": [ARCHITECTURES[family]], "model_type": family, "vocab_size": size + 5, "hidden_act": "silu",
              "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "rope_scaling": None,
              "tie_word_embeddings": False, "torch_dtype": "bfloat16", "eos_token_id": ids[chat["eos"]],
              "bos_token_id": ids.get(chat.get("bos")), **shape}
    if family == "qwen3":
        config |= {"head_dim": 16, "attention_bias": False}
    if family == "phi3":
        config |= {"pad_token_id": ids["<|endoftext|>"], "partial_rotary_factor": 1.0, "sliding_window": None,
                   "original_max_position_embeddings": 2048}
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json", {"eos_token_id": [ids[chat["eos"]]]})
    write_json(folder / "tokenizer.json", tokenizer)
    write_json(folder / "tokenizer_config.json",
               {"bos_token": chat.get("bos"), "eos_token": chat["eos"], "chat_template": chat["template"]})
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    write_safetensors(folder / "model.safetensors", shapes_of(family, config), seed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    for name, (family, shape, chat) in MODELS.items():
        model = folder / ("models--" + name.replace("/", "--"))
        (model / "refs").mkdir(parents=True, exist_ok=True)
        write_if_changed(model / "refs" / "main", b"0123456789abcdef")
        write_model(model / "snapshots" / "0123456789abcdef", name, family, shape, chat)
    print(f"{len(MODELS)} models in {folder}")


if __name__ == "__main__":
    main()
