"""Writing and reading the Hugging Face folders of the pair."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

import model as m
import tokenizer as tok

SAMPLING = {"temperature": 0.6, "top_p": 0.95, "top_k": 20}


def eos_ids(tokenizer):
    return [tokenizer.token_to_id("<|im_end|>"), tokenizer.token_to_id("<|endoftext|>")]


def write_folder(folder, model, tokenizer):
    """`model` is rounded to bf16."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shape, eos = model.shape, eos_ids(tokenizer)
    config = {
        "architectures": ["Qwen3ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": None,
        "eos_token_id": eos[0],
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "hidden_size": shape.hidden_size,
        "initializer_range": 0.02,
        "intermediate_size": shape.intermediate_size,
        "max_position_embeddings": m.MAX_POSITION_EMBEDDINGS,
        "max_window_layers": shape.num_layers,
        "model_type": "qwen3",
        "num_attention_heads": shape.num_heads,
        "num_hidden_layers": shape.num_layers,
        "num_key_value_heads": shape.num_kv_heads,
        "pad_token_id": eos[1],
        "rms_norm_eps": m.RMS_NORM_EPS,
        "rope_scaling": None,
        "rope_theta": m.ROPE_THETA,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": m.VOCAB_SIZE,
    }
    generation = {"do_sample": True, "eos_token_id": eos, "pad_token_id": eos[1], **SAMPLING}
    for name, content in (("config.json", config), ("generation_config.json", generation)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")
    weights = {name: p.detach().to("cpu", torch.bfloat16).contiguous() for name, p in model.named_parameters()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    tok.write(tokenizer, folder, m.MAX_POSITION_EMBEDDINGS)


def read_folder(folder, device="cpu", dtype=torch.float32):
    """(model, tokenizer) of a folder that write_folder wrote."""
    folder = Path(folder)
    config = json.loads((folder / "config.json").read_text())
    shape = m.Shape(config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"],
                    config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"])
    model = m.LanguageModel(shape)
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model.to(device=device, dtype=dtype).eval(), Tokenizer.from_file(str(folder / "tokenizer.json"))


def check_folder(folder, user_message):
    """Compares the folder, as transformers reads it, with our own model and prompt. Returns the largest difference of
    logits in float32; raises AssertionError where they are not the same model."""
    from transformers import AutoTokenizer, Qwen3ForCausalLM
    theirs = Qwen3ForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    their_tokenizer = AutoTokenizer.from_pretrained(folder)
    ours, tokenizer = read_folder(folder)
    messages = [{"role": "user", "content": user_message}]
    for thinking in (True, False):
        prompt = tok.prompt_of(user_message, thinking)
        rendered = their_tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True,
                                                       enable_thinking=thinking)
        assert rendered == prompt, (rendered, prompt)
        assert their_tokenizer(prompt)["input_ids"] == tokenizer.encode(prompt).ids
    ids = torch.tensor([tokenizer.encode(prompt).ids])
    with torch.no_grad():
        difference = (theirs(ids).logits - ours(ids)).abs().max().item()
    assert difference < 1e-3, difference
    return difference
