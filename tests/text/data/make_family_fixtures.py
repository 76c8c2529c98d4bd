#!/usr/bin/env python3
"""Writes families.jsonl and tokenizers/*_style.json of the model families from the reference library.

pip install tokenizers==0.23.*; the tokenizers are trained here, in the formats of
  phi3_style       Llama 2 and Phi-3: SentencePiece's BPE with byte fallback, spaces by the normalizer, BOS by a template
  metaspace_style  the newer spelling of the same: spaces by the pre-tokenizer, in front of the first word alone
  smollm_style     digits one by one, then GPT-2's pattern
  falcon_style     punctuation, bytes, and patterns over what the bytes are written as
  word_style       words and what is between them, an end of each word in its last token, unknown characters
A line is a text with its ids (without and with the post-processor's tokens) and what they decode to.
"""

import json
from pathlib import Path

from make_fixtures import ALPHABET, CORPUS, text
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = Path(__file__).parent
LINES = 60  # of each
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
SPACE = "\u2581"


def train(model, special_tokens=(), size=500, alphabet=(), normalizer=None, pre_tokenizer=None, **more):
    tokenizer = Tokenizer(model)
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(special_tokens), initial_alphabet=list(alphabet),
                                  show_progress=False, **more)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def sentencepiece(pre_tokenizer, normalizer, strip):
    """A vocabulary with bytes; merges go over spaces, which the trainer only makes between pieces."""
    special = ["<unk>", "<s>", "</s>"]
    tokenizer = train(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True), special + BYTES, size=600,
                      pre_tokenizer=pre_tokenizers.Metaspace(SPACE, "always"))
    document = json.loads(tokenizer.to_str())
    document["added_tokens"] = []
    tokenizer = Tokenizer.from_str(json.dumps(document))
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in special])
    tokenizer.add_tokens([AddedToken("<|user|>", rstrip=True, normalized=False, special=True),
                          AddedToken("<|end|>", rstrip=True, normalized=False, special=True),
                          AddedToken("new word", normalized=True)])
    tokenizer.pre_tokenizer, tokenizer.normalizer = pre_tokenizer, normalizer
    steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence(steps + [decoders.Strip(" ", 1, 0)] * strip)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    return tokenizer


def phi3_style():
    return sentencepiece(None, normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)]), True)


def metaspace_style():
    return sentencepiece(pre_tokenizers.Metaspace(SPACE, "first", split=False), None, True)


def smollm_style():
    split = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)])
    tokenizer = train(models.BPE(), ["<|endoftext|>"], alphabet=ALPHABET, pre_tokenizer=split)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(("<|endoftext|>", 0), ("<|endoftext|>", 0))
    return tokenizer


def falcon_style():
    split = pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(False), pre_tokenizers.Digits(False),
        pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")])
    tokenizer = train(models.BPE(), ["<|endoftext|>"], alphabet=ALPHABET, pre_tokenizer=split)
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Fuse()])
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="$A <|endoftext|>", pair="$A $B:1", special_tokens=[("<|endoftext|>", 0)])])
    return tokenizer


def word_style():
    tokenizer = train(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"), ["<unk>"], end_of_word_suffix="</w>",
                      normalizer=normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]),
                      pre_tokenizer=pre_tokenizers.Whitespace(), limit_alphabet=60)
    tokenizer.decoder = decoders.BPEDecoder("</w>")
    return tokenizer


def main():
    lines = []
    for make in [phi3_style, metaspace_style, smollm_style, falcon_style, word_style]:
        name, tokenizer = make.__name__, make()
        document = json.loads(tokenizer.to_str())
        (HERE / "tokenizers" / f"{name}.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")
        fixed = ["", " ", "a", " a b", "<|user|>\nhi<|end|>\n", "a<s> b", "new word new word", "Wait, 1234567 + 89 = ?", "\u4e2d\U0001f642"]
        for sample in fixed + [text() for _ in range(LINES - len(fixed))]:
            ids = tokenizer.encode(sample, add_special_tokens=False).ids
            lines.append({"tokenizer": name, "text": sample, "ids": ids, "framed": tokenizer.encode(sample).ids,
                          "decoded": tokenizer.decode(ids, skip_special_tokens=False),
                          "decoded_skip_special": tokenizer.decode(ids, skip_special_tokens=True)})
    (HERE / "families.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    print(f"{len(lines)} lines")


if __name__ == "__main__":
    main()
