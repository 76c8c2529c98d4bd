#!/usr/bin/env python3
"""Writes a pair of small random Qwen3 models with a tokenizer: FOLDER/target and FOLDER/draft.

    python3 tools/random_pair.py FOLDER [--vocab-padding N]

Ordinary Hugging Face folders in everything but their weights, for tests and for trying out a set-up. Needs nothing but
Python. Heads divide by 1, 2, 3, 4, 6 and 12 ranks. A file that is there already with the same content is left alone.
"""
import argparse
import array
import json
import pathlib
import random
import struct

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
ADDED = ["<think>", "</think>"]
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
TEMPLATE = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}"
    "{%- endif %}")
WORDS = ["\n\n", "\n", " ", " wait", " check", " so", " the", " yes", "ing", " step"]


def byte_symbols():
    """The printable character that stands for each byte in byte-level BPE vocabularies (GPT-2's table)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols, extra = {}, 0
    for byte in range(256):
        symbols[byte] = chr(byte) if byte in printable else chr(256 + extra)
        extra += byte not in printable
    return symbols


def make_tokenizer():
    symbols = byte_symbols()
    vocab = {symbol: i for i, symbol in enumerate(symbols[byte] for byte in range(256))}
    merges = []
    for word in WORDS:
        parts = [symbols[byte] for byte in word.encode()]
        while len(parts) > 1:
            pair = parts[0] + parts[1]
            if pair not in vocab:
                merges.append([parts[0], parts[1]])
                vocab[pair] = len(vocab)
            parts[:2] = [pair]
    added = [{"id": len(vocab) + i, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": content in SPECIAL} for i, content in enumerate(SPECIAL + ADDED)]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False}
    tokenizer = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": {"type": "NFC"},
                 "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
                 "post_processor": byte_level, "decoder": byte_level,
                 "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
                           "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                           "vocab": vocab, "merges": merges}}
    return tokenizer, len(vocab) + len(added), {entry["content"]: entry["id"] for entry in added}


def write_if_changed(path, content):
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)


def write_json(path, value):
    write_if_changed(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def tensor_shapes(config):
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    q_rows = config["num_attention_heads"] * config["head_dim"]
    kv_rows = config["num_key_value_heads"] * config["head_dim"]
    yield "model.embed_tokens.weight", [config["vocab_size"], hidden]
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        yield prefix + "input_layernorm.weight", [hidden]
        yield prefix + "self_attn.q_proj.weight", [q_rows, hidden]
        yield prefix + "self_attn.k_proj.weight", [kv_rows, hidden]
        yield prefix + "self_attn.v_proj.weight", [kv_rows, hidden]
        yield prefix + "self_attn.o_proj.weight", [hidden, q_rows]
        yield prefix + "self_attn.q_norm.weight", [config["head_dim"]]
        yield prefix + "self_attn.k_norm.weight", [config["head_dim"]]
        yield prefix + "post_attention_layernorm.weight", [hidden]
        yield prefix + "mlp.gate_proj.weight", [inner, hidden]
        yield prefix + "mlp.up_proj.weight", [inner, hidden]
        yield prefix + "mlp.down_proj.weight", [hidden, inner]
    yield "model.norm.weight", [hidden]
    if not config["tie_word_embeddings"]:
        yield "lm_head.weight", [config["vocab_size"], hidden]


def bf16_bytes(shape, generator):
    count = 1
    for size in shape:
        count *= size
    if len(shape) == 1:
        return struct.pack("<H", 0x3F80) * count  # a norm's weight: 1.0
    scale = 1.0 / shape[1] ** 0.5
    floats = array.array("f", [generator.uniform(-scale, scale) for _ in range(count)])
    return b"".join(struct.pack("<H", bits >> 16) for bits in array.array("I", floats.tobytes()))


def write_safetensors(path, shapes, seed):
    generator = random.Random(seed)
    header, parts, offset = {}, [], 0
    for name, shape in shapes:
        data = bf16_bytes(shape, generator)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + len(data)]}
        parts.append(data)
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    write_if_changed(path, struct.pack("<Q", len(text)) + text + b"".join(parts))


def write_model(folder, seed, vocab_size, shape):
    tokenizer, _, ids = make_tokenizer()
    folder.mkdir(parents=True, exist_ok=True)
    config = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": vocab_size, "hidden_act": "silu",
              "max_position_embeddings": 4096, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "rope_scaling": None,
              "attention_bias": False, "use_sliding_window": False, "torch_dtype": "bfloat16",
              "eos_token_id": ids["<|im_end|>"], **shape}
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json", {"eos_token_id": [ids["<|im_end|>"], ids["<|endoftext|>"]]})
    write_json(folder / "tokenizer.json", tokenizer)
    write_json(folder / "tokenizer_config.json", {"eos_token": "<|im_end|>", "chat_template": TEMPLATE})
    write_safetensors(folder / "model.safetensors", tensor_shapes(config), seed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--vocab-padding", type=int, default=11, help="rows of the target's embedding beyond the tokenizer")
    arguments = parser.parse_args()
    vocab_size = make_tokenizer()[1]
    write_model(arguments.folder / "target", 1, vocab_size + arguments.vocab_padding,
                dict(hidden_size=96, intermediate_size=200, num_hidden_layers=4, num_attention_heads=12, num_key_value_heads=4,
                     head_dim=16, tie_word_embeddings=False))
    write_model(arguments.folder / "draft", 2, vocab_size,
                dict(hidden_size=48, intermediate_size=100, num_hidden_layers=2, num_attention_heads=12, num_key_value_heads=2,
                     head_dim=8, tie_word_embeddings=True))


if __name__ == "__main__":
    main()
