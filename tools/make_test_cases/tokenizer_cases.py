#!/usr/bin/env python3
"""Writes tests/data/small-tokenizer and tests/data/tokenizer_cases from the reference libraries.

pip install tokenizers==0.23.* transformers==5.* jinja2
"""

import json
import random
from pathlib import Path

from phrases import MESSAGES, REFLECTIONS, SENTENCES, training_text
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

DATA = Path(__file__).resolve().parents[2] / "tests" / "data"
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
           r"|\s+(?!\S)|\s+")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
NOT_SPECIAL = ["<tool_call>", "</tool_call>", "<think>", "</think>"]
CHAT_TEMPLATE = """{#- A system text comes first, with the tools where there are some. -#}
{%- if tools or messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + (messages[0].content ~ '\\n' if messages[0].role == 'system' else '') }}
    {%- for tool in tools or [] %}
        {{- 'tool: ' ~ (tool | tojson) ~ '\\n' }}
    {%- endfor %}
    {{- '<|im_end|>\\n' }}
{%- endif %}
{%- set turns = messages[1:] if messages[0].role == 'system' else messages %}
{%- set state = namespace(last_question=-1, text='') %}
{%- for turn in turns[::-1] %}
    {%- set index = turns | length - 1 - loop.index0 %}
    {%- if state.last_question < 0 and turn.role == 'user' and turn.content is string %}
        {%- if not turn.content.startswith('<tool_response>') %}{% set state.last_question = index %}{% endif %}
    {%- endif %}
{%- endfor %}
{%- for message in turns %}
    {%- if message.role not in ['user', 'assistant', 'system', 'tool'] %}
        {{- raise_exception('unknown role: ' ~ message.role) }}
    {%- endif %}
    {%- set state.text = message.content if message.content is string else '' %}
    {%- if message.content is defined and message.content is not string %}
        {%- for part in message.content %}
            {%- if part.type == 'text' %}{% set state.text = state.text ~ part.text %}{% endif %}
        {%- endfor %}
    {%- endif %}
    {%- set content = state.text %}
    {%- if message.role == 'assistant' %}
        {%- set thought = '' %}
        {%- if message.reasoning_content is defined and message.reasoning_content is not none %}
            {%- set thought = message.reasoning_content | trim %}
        {%- elif '</think>' in content %}
            {%- set thought = content.split('</think>')[0].split('<think>')[-1].strip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {{- '<|im_start|>assistant\\n' }}
        {%- if thought and loop.index0 >= state.last_question %}
            {{- '<think>\\n' ~ thought ~ '\\n</think>\\n\\n' }}
        {%- endif %}
        {{- content }}
        {%- for call in message.tool_calls or [] %}
            {%- set call = call.function if call.function is defined else call %}
            {{- '\\n' if content or not loop.first else '' }}
            {{- '<tool_call>\\n{"name": "' ~ call.name ~ '", "arguments": ' ~ (call.arguments | tojson) ~ '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == 'tool' %}
        {{- '<|im_start|>user\\n' if loop.first or turns[loop.index0 - 1].role != 'tool' else '' }}
        {{- '<tool_response>\\n' ~ content ~ '\\n</tool_response>\\n' }}
        {{- '<|im_end|>\\n' if loop.last or turns[loop.index0 + 1].role != 'tool' else '' }}
    {%- else %}
        {{- '<|im_start|>' ~ message.role ~ '\\n' ~ content ~ '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""
PIECES = [
    "hello", "Wait", " the", "'s", "'LL", " don't", "x=1234567", "42", "\n", "\n\n", "\r\n", " ", "   ", "\t", "\u00a0", "\u3000", ".",
    "...", "!?", "\\boxed{", "}", "é", "e\u0301", "ﬁ", "ß", "İ", "中文", "한국", "\u1112\u1161\u11ab", "\u093f", "🙂",
    "👩\u200d👩\u200d👧", "\x00", "\u0085", "\U00011f04", "\U0010ffff", *SPECIAL, *NOT_SPECIAL, "<|im_", "<", "|>", "think>",
]
CONVERSATIONS = MESSAGES + [
    [{"role": "user", "content": "  spaces \n and 'quotes' \"both\" <b>&amp;</b>  "}],
    [{"role": "user", "content": ""}],
    [{"role": "system", "content": "Grüße 🙂"}, {"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}],
    [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b", "reasoning_content": "\n why \n"},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d", "reasoning_content": "\n because \n"},
    ],
    [
        {"role": "user", "content": "What is 2 + 3?"},
        {"role": "assistant", "content": "", "tool_calls": [
            {"type": "function", "function": {"name": "add", "arguments": {"b": 2, "a": [3.0, None, True, "ü\n"]}}},
            {"name": "stop", "arguments": {}}]},
        {"role": "tool", "content": "5"},
        {"role": "tool", "content": "done"},
        {"role": "user", "content": "<tool_response>not a question</tool_response>"},
    ],
    [{"role": "user", "content": [{"type": "text", "text": "one "}, {"type": "image"}, {"type": "text", "text": "two"}]}],
    [{"role": "user", "content": None}, {"role": "assistant", "content": "<think>unfinished"}],
    [{"role": "assistant", "content": "</think></think>\n\nx"}, {"role": "system", "content": "later"}],
]


def make_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(PATTERN), "isolated"),
         pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=640, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(training_text(), trainer)
    tokenizer.add_tokens([AddedToken(content, normalized=False, special=True) for content in SPECIAL] +
                         [AddedToken(content, normalized=False) for content in NOT_SPECIAL])
    return tokenizer


def text_cases(tokenizer):
    choose = random.Random(7)
    texts = ["", "a", *SENTENCES, *REFLECTIONS]
    for _ in range(80):
        texts.append("".join(choose.choice(PIECES) * choose.choice([1, 1, 1, 2, 5]) for _ in range(choose.randrange(1, 10))))
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        yield {"text": text, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False),
               "decoded_skip_special": tokenizer.decode(ids, skip_special_tokens=True)}


def template_cases(folder):
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    for messages in CONVERSATIONS:
        for thinking, generation in [(True, True), (False, True), (True, False)]:
            prompt = tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=generation, enable_thinking=thinking)
            yield {"messages": messages, "enable_thinking": thinking, "add_generation_prompt": generation, "prompt": prompt}


def main():
    folder = DATA / "small-tokenizer"
    cases = DATA / "tokenizer_cases"
    folder.mkdir(parents=True, exist_ok=True)
    cases.mkdir(exist_ok=True)
    document = json.loads(make_tokenizer().to_str())
    (folder / "tokenizer.json").write_text(json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n")
    config = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "bos_token": None, "unk_token": None,
              "chat_template": CHAT_TEMPLATE, "clean_up_tokenization_spaces": False, "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    lines = [*text_cases(tokenizer), *template_cases(folder)]
    (cases / "small.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    print(f"{tokenizer.get_vocab_size()} tokens, {len(lines)} cases")


if __name__ == "__main__":
    main()
