#!/usr/bin/env python3
"""Writes folders.jsonl: what transformers makes of tokenizer folders whose tokens are spread over several files.

pip install tokenizers==0.23.* transformers==5.*; the tokenizer is llama_style of this folder, without its post-processor.
"""

import json
import tempfile
from pathlib import Path

from transformers import PreTrainedTokenizerFast

HERE = Path(__file__).parent
TEXT = "a<x> <y>b<z><|im_end|> c"


def token(content, **flags):
    return {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": False, **flags}


CASES = [  # name, tokenizer_config.json, special_tokens_map.json, added_tokens.json, added tokens of tokenizer.json
    ("declared in their order of ids", {"added_tokens_decoder": {
        "9": token("<y>"), "7": token("<x>", special=True), "800": token("<z>", rstrip=True, lstrip=True)}}, None, None, None),
    ("declared with other flags",
     {"added_tokens_decoder": {"405": token("<|im_end|>", rstrip=True, special=False)}}, None, None, None),
    ("named alone", {"bos_token": "<x>", "eos_token": "<|im_end|>", "pad_token": None, "image_token": "<y>",
                     "additional_special_tokens": ["<z>"]}, None, None, None),
    ("older files", {"bos_token": None, "eos_token": "<q>"},
     {"bos_token": "<x>", "eos_token": token("<|im_end|>", lstrip=True)}, {"<y>": 900, "<z>": 20}, None),
    ("older files do not count", {"eos_token": "<|im_end|>", "added_tokens_decoder": {}}, {"bos_token": "<x>"}, {"<y>": 900},
     None),
    ("no tokens in tokenizer.json", {"eos_token": {"__type": "AddedToken", **token("<|im_end|>")},
                                     "extra_special_tokens": {"call": "<x>"}}, None, {"<y>": 5}, []),
    ("special tokens are text", {"split_special_tokens": True, "eos_token": "<|im_end|>", "added_tokens_decoder": {
        "7": token("<x>", special=True), "9": token("<y>")}}, None, None, None),
]


def main():
    lines = []
    for name, config, names, added, added_tokens in CASES:
        document = json.loads((HERE / "tokenizers" / "llama_style.json").read_text()) | {"post_processor": None}
        if added_tokens is not None:
            document["added_tokens"] = added_tokens
        files = {"tokenizer": document, "tokenizer_config": config, "special_tokens_map": names, "added_tokens": added}
        with tempfile.TemporaryDirectory() as folder:
            for file, content in files.items():
                if content is not None:
                    (Path(folder) / f"{file}.json").write_text(json.dumps(content))
            tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        ids = tokenizer(TEXT)["input_ids"]
        files["tokenizer"] = {"added_tokens": document["added_tokens"]}
        lines.append({"name": name, "files": files, "text": TEXT, "ids": ids, "decoded": tokenizer.decode(ids),
                      "decoded_skip_special": tokenizer.decode(ids, skip_special_tokens=True),
                      "eos_token_id": tokenizer.eos_token_id})
    (HERE / "folders.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    print(f"{len(lines)} folders")


if __name__ == "__main__":
    main()
