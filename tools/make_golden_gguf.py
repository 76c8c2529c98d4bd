#!/usr/bin/env python3
"""Makes tests/model/golden/ggml_types.json: blocks of random bytes in each type of ggml that is imported, and the numbers
that the gguf package reads from them.

    python3 tools/make_golden_gguf.py        (needs gguf, numpy)
"""
import json
import pathlib

import gguf
import numpy as np

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "model" / "golden" / "ggml_types.json"
# Where the halves with scales stand in a block; their values are made to be finite and of ordinary size.
SCALES = {"F16": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2],
          "Q6_K": [208]}

random = np.random.default_rng(20)
cases = []
for name in ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]:
    kind = gguf.GGMLQuantizationType[name]
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (1 if elements == 256 else 2 if elements > 1 else 8, size), dtype=np.uint8)
    for offset in SCALES.get(name, []):
        halves = random.normal(0, 0.1, len(blocks)).astype(np.float16)
        blocks[:, offset:offset + 2] = halves.view(np.uint8).reshape(-1, 2)
    if name in ("F32", "BF16"):
        values = random.normal(0, 1, len(blocks)).astype(np.float32)
        bits = values.view(np.uint32)
        blocks = (bits if name == "F32" else (bits >> 16).astype(np.uint16)).view(np.uint8).reshape(len(blocks), size)
    values = gguf.dequantize(blocks.reshape(-1), kind).reshape(-1).astype(np.float32)
    cases.append({"type": name, "id": int(kind), "bytes": blocks.tobytes().hex(), "values": [float(f"{x:.9g}") for x in values]})
OUT.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
