#!/usr/bin/env python3
"""Writes steps.jsonl: single steps of a tokenizer.json, as the reference library applies them.

pip install tokenizers==0.23.*
A line is a step with its kind (normalizer, pre_tokenizer, decoder) and pairs of an input and its result.
"""

import json
import random
from pathlib import Path

from tokenizers import Tokenizer

HERE = Path(__file__).parent
TEXTS = [
    "", " ", "   ", "abc", "  a б  я", "Hello, world! 123", "a\u0301b e\u0301\u0327", "カーかん ー漢字テスト", "\u0130\u03a3 \u03c3\u03c2 \u00c0\u00c7",
    "a\x00b\x07c\td\ne\rf\x0bg\x7fh\x8fi\x9fj", "x\u200by\u200cz\u200d\ufeff\u2060.", "\ufffd\u2581a\u2581b", "\u4e2d\u6587 text\u6587",
    "\U0001f642\U0001f970a\U0001f469\u200d\U0001f4bb", "e\u0378f\u0378", "\ue000\uf8ff", "\u0e33\u0e49\u0d4d", "\u05d0\u05b0\u0627\u064b",
    "\u2003a\u00a0b\u3000c\u1680d\u2028e\u2029f", "1\u0378 a", "\uac00\uac01\u1100\u1161 \ud55c", "\u1e9b\u0323\u1f80", "A1B2\u0391\u0392\u0410", "\ud7fb\u9fff\u3400\uf900",
]
NORMALIZERS = [{"type": "Nmt"}, {"type": "ByteLevel"}, {"type": "StripAccents"}] + [
    {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": han, "strip_accents": accents, "lowercase": lower}
    for clean, han, accents, lower in [(True, True, None, True), (True, True, None, False), (True, False, True, False),
                                       (False, True, False, True), (False, False, None, True), (False, False, False, False)]]
PRE_TOKENIZERS = [{"type": "UnicodeScripts"}] + [{"type": "FixedLength", "length": length} for length in (1, 2, 3, 5, 1000)]
DECODERS = [{"type": "WordPiece", "prefix": prefix, "cleanup": cleanup} for prefix, cleanup in [("##", True), ("##", False), ("@@", True)]]
DECODERS += [{"type": "Sequence", "decoders": [DECODERS[0], {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
             {"type": "Sequence", "decoders": [DECODERS[1], {"type": "Fuse"}, {"type": "Replace", "pattern": {"String": "b"}, "content": "<>"}]}]
TOKENS = [[], ["a"], ["a", "##b", "c"], ["##a", "##", "##.", "@@x"], [".", "?", "!", ",", "' ", "n't", "'m", "'s", "'ve", "'re"],
          ["I", "do not", "do", "not", "##n't", "##'s", "x.", "x .", "##x ?"], ["@@a", "@@b", " c", "@@ d", "'", "e"]]


def random_text(rng):
    """Characters that the reference's tables and later ones agree about: of blocks from before Unicode 9."""
    blocks = [(0, 0x250), (0x300, 0x370), (0x370, 0x400), (0x400, 0x480), (0x900, 0x980), (0x2000, 0x2070), (0x2190, 0x2300), (0x3040, 0x3100),
              (0x4e00, 0x9000), (0xac00, 0xd7a0), (0xfe00, 0x10000), (0x1f300, 0x1f500), (0x1d400, 0x1d500), (0x20000, 0x20100)]
    return "".join(chr(rng.randrange(*rng.choice(blocks))) for _ in range(rng.randrange(1, 40)))


def load(section, step):
    document = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
                "post_processor": None, "decoder": None, "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}
    document[section] = step
    return getattr(Tokenizer.from_str(json.dumps(document)), section)


def main():
    rng = random.Random(7)
    texts = TEXTS + [random_text(rng) for _ in range(20)]
    lines = []
    for step in NORMALIZERS:
        lines.append({"kind": "normalizer", "step": step, "cases": [[text, load("normalizer", step).normalize_str(text)] for text in texts]})
    for step in PRE_TOKENIZERS:
        split = load("pre_tokenizer", step).pre_tokenize_str
        lines.append({"kind": "pre_tokenizer", "step": step, "cases": [[text, [piece for piece, _ in split(text)]] for text in texts]})
    for step in DECODERS:
        lines.append({"kind": "decoder", "step": step, "cases": [[tokens, load("decoder", step).decode(tokens)] for tokens in TOKENS]})
    (HERE / "steps.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    print(f"{len(lines)} lines")


if __name__ == "__main__":
    main()
