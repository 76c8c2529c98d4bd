#!/usr/bin/env python3
"""Writes the fixtures beside it from the reference library (pip install tokenizers==0.23.*).

tokenizers/*.json  small tokenizers of the kinds that are supported
encodings.jsonl    texts with their ids and what these decode to
splits.jsonl       patterns with the lengths (bytes) of the pieces they cut texts into
nfc.jsonl          texts and their normal form
lowercase.jsonl    texts and str.lower() of them
"""

import json
import random
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = Path(__file__).parent
RANDOM = random.Random(20250101)
ALPHABET = pre_tokenizers.ByteLevel.alphabet()
LLAMA = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")
CORPUS = [
    "Let me check whether there are some wrong steps. Wait, the answer is not 12, it's 345.\n\n",
    "So we have x = 1234567 and y = x^2 + 3x, hence \\boxed{42}.\n\nAlternatively, let's verify:\n\n\n",
    "def f(x):\n    return x * 2  # doubled\r\n\r\n\tprint('don\\'t')\n",
    "Die Straße führt über die Brücke; l'été à la plage, mañana será otro día.",
    "中文的句子没有空格。日本語の文章。한국어 문장입니다. Привет, мир! Καλημέρα κόσμε",
] * 4
PIECES = [
    "hello", "Wait", " the", "The answer", "'s", "'LL", "'ſ", " don't", "x=1234567", "½", "٣٤", "42", "\n", "\n\n", "\r\n",
    " ", "   ", "\t", "\u00a0", "\u3000", "\u2028", "\u180e", "\u200b", "\ufeff", ".", "...", "!?", "\\boxed{", "}", "#", "_",
    "é", "e\u0301", "\u1e9b\u0323", "ﬁ", "ß", "İ", "ı", "Σας", "中文", "日本語", "한국", "\u1112\u1161\u11ab", "\u1100\u1161\u11a7",
    "ह", "\u093f", "\u0301", "\u0334\u0345", "🙂", "👩\u200d👩\u200d👧", "🇩🇪", "\U0001d49c", "\x00", "\x01", "\x7f", "\u0085", "\ufffd",
    "\u1c8a", "\U00011f04", "\U0001e030", "\U0001e4f1", "\U0001face", "\U00031350", "\u0378", "\U0010ffff", "\ue000",
    "<|im_start|>", "<|im_end|>", "<|im_", "<", "|>", "<think>", "think", "</think>", "abc", "ab", " ab ", "naïve", "na\u0131",
]


def text(longest=12):
    parts = [RANDOM.choice(PIECES) * RANDOM.choice([1, 1, 1, 1, 2, 7]) for _ in range(RANDOM.randrange(1, longest))]
    return "".join(parts)


def train(model, pre_tokenizer, normalizer=None, special_tokens=(), alphabet=(), size=400):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(special_tokens), initial_alphabet=list(alphabet), show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def gpt2_style():
    """A prefix space, GPT-2's pattern, bytes that are missing from the vocabulary, an unknown token."""
    return train(
        models.BPE(unk_token="<unk>"), pre_tokenizers.ByteLevel(add_prefix_space=True), special_tokens=["<unk>", "</s>"])


def llama_style():
    """Groups of three digits, words that only ignore_merges finds, merges written as strings."""
    split = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(LLAMA), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)])
    document = json.loads(train(models.BPE(), split, alphabet=ALPHABET).to_str())
    model = document["model"]
    for word in ["Ġdon't", "hello", "ĠtheĠ", "123"]:
        model["vocab"].setdefault(word, len(model["vocab"]))
    model["ignore_merges"] = True
    model["merges"] = [" ".join(pair) for pair in model["merges"]]
    tokenizer = Tokenizer.from_str(json.dumps(document))
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|im_start|> $A", special_tokens=[("<|im_start|>", tokenizer.token_to_id("<|im_start|>"))])
    document = json.loads(tokenizer.to_str())
    document["model"]["merges"] = model["merges"]
    return document


def added_tokens():
    """NFC, and added tokens with every flag; some are in the vocabulary, some are part of others."""
    split = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA), "isolated"),
                                     pre_tokenizers.ByteLevel(False, use_regex=False)])
    tokenizer = train(models.BPE(), split, normalizer=normalizers.NFC(), alphabet=ALPHABET)
    for token in [
            AddedToken("<|im_start|>", special=True), AddedToken("<|im_end|>", special=True, lstrip=True, rstrip=True),
            AddedToken("<|im_", normalized=False), AddedToken("<think>", normalized=False),
            AddedToken("e\u0301", normalized=True), AddedToken("ß", normalized=False), AddedToken("ab", single_word=True),
            AddedToken("42", single_word=True, special=True, normalized=True), AddedToken("中", lstrip=True),
            AddedToken("...", rstrip=True, normalized=False), AddedToken("\n\n", normalized=True), AddedToken("h"),
    ]:
        tokenizer.add_tokens([token])
    return tokenizer


def write_lines(name, items):
    lines = "".join(json.dumps(item) + "\n" for item in items)
    (HERE / name).write_text(lines)


def write_encodings():
    cases = []
    (HERE / "tokenizers").mkdir(exist_ok=True)
    for make in [gpt2_style, llama_style, added_tokens]:
        made = make()
        document = made if isinstance(made, dict) else json.loads(made.to_str())
        (HERE / "tokenizers" / f"{make.__name__}.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")
        tokenizer = Tokenizer.from_str(json.dumps(document))
        for sample in ["", "a", "\n", *[text() for _ in range(100)]]:
            ids = tokenizer.encode(sample, add_special_tokens=False).ids
            cases.append({
                "tokenizer": make.__name__,
                "text": sample,
                "ids": ids,
                "decoded": tokenizer.decode(ids, skip_special_tokens=False),
                "decoded_skip_special": tokenizer.decode(ids, skip_special_tokens=True),
            })
    write_lines("encodings.jsonl", cases)


PATTERNS = [
    LLAMA,
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*",
    r"[一-龥぀-ゟ゠-ヿ]+", r"\w+", r"\W+", r"[\w\-']+", r"\b", r"\B", r"\h+", r"[\h]", r"\H", r"\s", r"\S+", r"\v", r"\d{2}?",
    r"\d{,3}", r"\d*", r"\d{1,2}+", r"(?:a|b){1}+", r"^.", r".$", r"(?m:.+)", r".+", r"(?i)s|k", r"(?i-m:S)", r"\p{Han}+",
    r"\p{Greek}", r"\P{L}+", r"\p{^L}+", r"\u0041|\x{e9}|\x41", r"x{", r"x{2,y", r"(\s)+", r"(?=\p{N})",
    r"(?<=\p{N})(?=\p{L})", r"(?<!\s)\p{Lu}", r"[]a]+", r"(?>a+)b", r"\A.", r".\Z", r".\z", r"[\é]", r"a|", r"\p{Cn}+",
]


def write_splits():
    cases = []
    for index, pattern in enumerate(PATTERNS):
        behaviors = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
        for behavior in behaviors if index in (0, 5, 13, 17) else behaviors[index % 5:][:1]:
            for invert in [False, True]:
                steps = [pre_tokenizers.Split(Regex(pattern), behavior, invert),
                         pre_tokenizers.ByteLevel(False, use_regex=False)]
                splitter = pre_tokenizers.Sequence(steps)
                texts = [text(8) for _ in range(12)]
                pieces = [[len(piece) for piece, _ in splitter.pre_tokenize_str(sample)] for sample in texts]
                name = "".join(word.capitalize() for word in behavior.split("_"))
                cases.append({"pattern": pattern, "behavior": name, "invert": invert, "texts": texts, "pieces": pieces})
    write_lines("splits.jsonl", cases)


def write_nfc():
    marks = ["\u0301", "\u0334", "\u0345", "\u0327", "\u0323", "\u1df6", "\u08d3", "\U0001e130", "\U00011930", "\u0308"]
    bases = ["e", "é", "\u1e9b", "A", "\u212b", "\u1100", "\u1161", "\u11a7", "\u11a8", "가", "각", "\u0958", "\U00011935",
             "\U000105d2", "\u0307", "q", "\ufb1d", "\uf900", "\U0002f800", " ", "中"]
    normalizer = normalizers.NFC()
    samples = ["".join(RANDOM.choice(RANDOM.choice([bases, marks])) for _ in range(RANDOM.randrange(1, 9)))
               for _ in range(300)]
    write_lines("nfc.jsonl", [{"text": sample, "nfc": normalizer.normalize_str(sample)} for sample in samples])


def write_lowercase():
    characters = list("ΣσςAbCα.'’: İIı1中ẞÅК𐐀\u0301\u00ad\u0345ʰ\u212a\u01c5")
    samples = ["".join(RANDOM.choices(characters, k=RANDOM.randrange(1, 10))) for _ in range(300)]
    samples += ["ΟΔΥΣΣΕΥΣ ΟΔΟΣ", "Wait, LET ME Check", ""]
    write_lines("lowercase.jsonl", [{"text": sample, "lower": sample.lower()} for sample in samples])


if __name__ == "__main__":
    write_encodings()
    write_splits()
    write_nfc()
    write_lowercase()
