"""The pair's tokenizer: byte-level BPE as Qwen3 has it (digits single), trained on the task, and the chat template."""

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import task

NUM_BASE_TOKENS = 507  # with the added tokens 512
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
PLAIN_ADDED_TOKENS = ["<think>", "</think>"]  # as in Qwen3 they are text that the user sees

SPLIT_PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
                 r"|\s*[\r\n]+|\s+(?!\S)|\s+")

# Of one message list: system, user and assistant turns. Earlier thoughts are dropped, as Qwen3's template does.
CHAT_TEMPLATE = r"""{%- for message in messages %}
    {%- set content = message.content %}
    {%- if message.role == 'assistant' and not loop.last and '</think>' in content %}
        {%- set content = content.split('</think>')[-1].lstrip('\n') %}
    {%- endif %}
    {{- '<|im_start|>' + message.role + '\n' + content + '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\n\n</think>\n\n' }}
    {%- endif %}
{%- endif %}"""


def prompt_of(user_message, thinking=True):
    """What CHAT_TEMPLATE renders for one user message with generation prompt (export.py compares the two)."""
    prompt = f"<|im_start|>user\n{user_message}<|im_end|>\n<|im_start|>assistant\n"
    return prompt if thinking else prompt + "<think>\n\n</think>\n\n"


def train(texts):
    """`texts`: an iterable of strings without added tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    byte_level = dict(add_prefix_space=False, trim_offsets=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT_PATTERN), behavior="isolated"),
        pre_tokenizers.ByteLevel(**byte_level),
    ])
    tokenizer.post_processor = processors.ByteLevel(**byte_level)
    tokenizer.decoder = decoders.ByteLevel(**byte_level)
    trainer = trainers.BpeTrainer(vocab_size=NUM_BASE_TOKENS, min_frequency=2, show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in SPECIAL_TOKENS])
    tokenizer.add_tokens([AddedToken(t, normalized=False, special=False) for t in PLAIN_ADDED_TOKENS])
    return tokenizer


def token_bytes(tokenizer, vocab_size):
    """For each id the bytes that it adds to the text: none for special tokens and for the padding of the vocabulary,
    the content for other added tokens."""
    # The byte-level alphabet shows printable bytes as themselves and the others, in order, from U+0100 on.
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    byte_of = {chr(b): b for b in printable} | {chr(0x100 + i): b for i, b in enumerate(others)}
    added = tokenizer.get_added_tokens_decoder()
    out = []
    for token_id in range(tokenizer.get_vocab_size()):
        if token_id in added:
            out.append(b"" if added[token_id].special else added[token_id].content.encode())
        else:
            out.append(bytes(byte_of[c] for c in tokenizer.id_to_token(token_id)))
    return out + [b""] * (vocab_size - len(out))


def write(tokenizer, folder, max_length):
    folder = Path(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "add_bos_token": False,
        "add_prefix_space": False,
        "additional_special_tokens": SPECIAL_TOKENS[1:],
        "bos_token": None,
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": max_length,
        "pad_token": "<|endoftext|>",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def training_texts(rng, count):
    """Texts that the merges are learnt from: whole problems, and the words of the chat format."""
    for _ in range(count):
        problem = task.draw(rng, "train")
        yield problem.user_message()
        yield from (thought + "\n\n" for thought in problem.thoughts[:-1])
        yield problem.thoughts[-1] + "\n"
        yield "\n\n" + problem.final
        yield task.RECAP_WORDS
        yield from (role + "\n" for role in ("system", "user", "assistant"))
