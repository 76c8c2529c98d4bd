#!/usr/bin/env python3
"""Writes cases of the thinking schedule, or checks that recorded ones come out of loops.py.

  schedule_cases.py                                   writes tests/data/schedule_cases, schedule_cases_fixed, _text
  schedule_cases.py --check DATA                      compares with DATA/schedule_cases*/*.jsonl (DATA/qwen3-tokenizer)

A case is one JSON line: config, messages, prompt_ids, max_tokens, every request with its answer (calls), then the result.
pip install tokenizers==0.23.* transformers==5.* jinja2
"""

import json
import random
import sys
from pathlib import Path

import phrases
from loops import DEFAULTS, FixedLoop, Matcher, Vocabulary, original_loop, text_loop
from tokenizers import Tokenizer

DATA = Path(__file__).resolve().parents[2] / "tests" / "data"
CASES = 18  # of each loop
TEXT_CASES = 8  # of each of the other modes
TAIL = 80  # characters of a prompt that a case of mode vllm_p shows


class ScriptedModels:
    """Draft and target: sentences and reflections of ours in random order, cut as a real model's text would be."""

    def __init__(self, vocabulary, triggers, choose, reflections, eos):
        self.vocabulary, self.triggers, self.choose = vocabulary, triggers, choose
        self.reflections, self.eos = reflections, eos  # shares of all pieces
        self.calls = []
        self.text_matcher = None  # of the whole text for compat fixed

    def piece(self):
        chance = self.choose.random()
        if chance < self.eos:
            return [self.choose.choice(sorted(self.vocabulary.all_eos))]
        sentences = phrases.REFLECTIONS if chance < self.eos + self.reflections else phrases.SENTENCES
        return self.vocabulary.encode(self.choose.choice(sentences) + self.choose.choice(phrases.ENDS))

    def write(self, max_tokens, matcher):
        output = []
        while True:
            for token in self.piece():
                output.append(token)
                matched = matcher is not None and matcher.feed(self.vocabulary.token_bytes(token))
                if matched or token in self.vocabulary.all_eos or len(output) == max_tokens:
                    return output

    def answer(self, model, prefix_len, max_tokens, stop, matcher):
        output = self.write(max_tokens, matcher if stop else None)
        self.calls.append(
            {"model": model, "prefix_len": prefix_len, "max_tokens": max_tokens, "stop": stop, "output": output})
        return output


class Recorded:
    """Answers as a case has them; the requests must be those of the case."""

    def __init__(self, calls):
        self.calls = iter(calls)

    def ask(self, model, prefix_len, max_tokens, stop, prefix):
        call = next(self.calls, None)
        found = {"model": model, "prefix_len": prefix_len, "max_tokens": max_tokens, "stop": stop}
        if call is None or any(call[key] != value for key, value in found.items()):
            raise AssertionError(f"request {found}, expected {call}")
        return call["output"]


    def ask_text(self, model, text, max_tokens, stop):
        call = next(self.calls, None)
        found = {"model": model, "prompt_chars": len(text), "prompt_tail": text[-TAIL:], "max_tokens": max_tokens, "stop": stop}
        if call is None or any(call[key] != value for key, value in found.items()):
            raise AssertionError(f"request {found}, expected {call}")
        return call["output"], call["output_text"]


def check(data):
    vocabulary = Vocabulary(Tokenizer.from_file(str(data / "qwen3-tokenizer" / "tokenizer.json")))
    for folder in ["schedule_cases", "schedule_cases_fixed", "schedule_cases_text"]:
        checked = 0
        for path in sorted((data / folder).glob("*.jsonl")):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                case = json.loads(line)
                models = Recorded(case["calls"])
                if folder == "schedule_cases_text":
                    result = text_loop(case["config"], case["prompt_text"], case["prompt_ids"], case["max_tokens"],
                                       vocabulary, models.ask_text)
                elif folder == "schedule_cases":
                    result = original_loop(
                        case["config"], case["prompt_ids"], case["max_tokens"], vocabulary, models.ask)
                else:
                    result = FixedLoop(case["config"], case["prompt_ids"], case["max_tokens"],
                                       case.get("max_model_len", 32768), vocabulary, models.ask).run()
                assert next(models.calls, None) is None, f"{path}:{number}: requests are missing"
                for key, value in result.items():
                    assert case[key] == value, f"{path}:{number}: {key}: expected {case[key]}, found {value}"
                checked += 1
        print(f"{folder}: {checked} cases agree")


def random_config(choose):
    config = {
        "mode": "vllm",
        "target_model_name": "T",
        "speculative_model_name": "D",
        "TRIGGER_TOKENS": choose.choice([["\n\n"]] * 5 + [["\n"], ["?", ".\n"], ["Wait"], ["\n\n", "."]]),
        "TARGET_VALIDATION_KEYWORDS": choose.choice([DEFAULTS["TARGET_VALIDATION_KEYWORDS"]] * 4 + [
            {"verify": ["verify"], "negative": ["wait"], "positive": ["confident"]}]),
        "help_think_word": choose.choice([None, None, None, "Hmm,", "\n", "Let me think about this step:"]),
        "help_recap_words": DEFAULTS["help_recap_words"],
        "not_reasoning": choose.random() < 0.2,
        "choose_large": choose.random() < 0.5,
        "max_target_tokens": choose.choice([5, 20, 33]),
        "begin": choose.random() < 0.3,
        "begin_token_num": choose.choice([10, 40]),
        "original_recap_token_num": choose.choice([15, 30, 60]),
        "recap_after_negative_num": choose.choice([1, 2, 3]),
        "add_each_recap": choose.choice([0, 25]),
        "add_each_neg": choose.choice([0, 1, 5]),
        "max_recap_token_num": choose.choice([60, 200]),
        "max_negative_num": choose.choice([2, 3, 30]),
        "time_out": -1,
    }
    return config


def write_case(loop, choose, tokenizer, vocabulary):
    config = random_config(choose)
    messages = choose.choice(phrases.MESSAGES)
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, enable_thinking=True)
    prompt_ids = vocabulary.encode(prompt)
    max_tokens = choose.choice([60, 200, 500, 900])
    models = ScriptedModels(
        vocabulary, config["TRIGGER_TOKENS"], choose, choose.choice([0.15, 0.4]), choose.choice([0.001, 0.01]))
    case = {"config": config, "messages": messages, "prompt_ids": prompt_ids, "max_tokens": max_tokens}
    if loop == "original":  # a request knows nothing of the text before it
        def ask(model, prefix_len, length, stop, prefix):
            return models.answer(model, prefix_len, length, stop, Matcher(config["TRIGGER_TOKENS"]))
        result = original_loop(config, prompt_ids, max_tokens, vocabulary, ask)
    else:
        max_model_len = choose.choice([32768, 32768, len(prompt_ids) + 150])
        run = None

        def ask(model, prefix_len, length, stop, prefix):
            matcher = Matcher(config["TRIGGER_TOKENS"])
            matcher.tail = run.matcher.tail
            return models.answer(model, prefix_len, length, stop, matcher)
        run = FixedLoop(config, prompt_ids, max_tokens, max_model_len, vocabulary, ask)
        result = run.run()
        case["config"] = config | {"compat": "fixed"}
        case["max_model_len"] = max_model_len
    return case | {"calls": models.calls} | result


def write_text_case(mode, choose, tokenizer, vocabulary):
    config = random_config(choose) | {"mode": mode}
    prompt = tokenizer.apply_chat_template(choose.choice(phrases.MESSAGES), tokenize=False)
    if mode == "hf":  # an EOS near the end of the prompt ends the original's loop at once
        prompt = choose.choice(phrases.SENTENCES)
    prompt_ids = vocabulary.encode(prompt)
    max_tokens = choose.choice([60, 200] if mode == "hf" else [200, 500])
    models = ScriptedModels(vocabulary, config["TRIGGER_TOKENS"], choose, 0.4, 0.01)
    case = {"config": config, "prompt_ids": prompt_ids, "max_tokens": max_tokens}
    if mode == "hf":
        def ask(model, prefix_len, length, stop, prefix):
            return models.answer(model, prefix_len, length, stop, None)
        result = original_loop(config, prompt_ids, max_tokens, vocabulary, ask)
    else:
        def ask_text(model, text, length, stop):
            output = models.write(length, Matcher(stop) if stop else None)
            written = vocabulary.tokenizer.decode(output, skip_special_tokens=False)
            cut = written[:min([written.find(trigger) for trigger in stop if trigger in written], default=len(written))]
            models.calls.append({"model": model, "prompt_chars": len(text), "prompt_tail": text[-TAIL:],
                                 "max_tokens": length, "stop": stop, "output": output, "output_text": cut})
            return output, cut
        result = text_loop(config, prompt, prompt_ids, max_tokens, vocabulary, ask_text)
        case["prompt_text"] = prompt
    return case | {"calls": models.calls} | result


def write_file(folder, name, cases):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(case, separators=(",", ":")) + "\n" for case in cases))
    requests = sum(len(case["calls"]) for case in cases)
    print(f"{path.name}: {len(cases)} cases, {requests} requests, {path.stat().st_size} bytes")


def write():
    from transformers import PreTrainedTokenizerFast
    folder = DATA / "small-tokenizer"
    vocabulary = Vocabulary(Tokenizer.from_file(str(folder / "tokenizer.json")))
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    for loop, name in [("original", "schedule_cases"), ("fixed", "schedule_cases_fixed")]:
        choose = random.Random(f"cases of the {loop} loop")
        cases = [write_case(loop, choose, tokenizer, vocabulary) for _ in range(CASES)]
        write_file(DATA / name, loop, cases)
    for mode in ["vllm_p", "hf"]:
        choose = random.Random(f"cases of mode {mode}")
        cases = [write_text_case(mode, choose, tokenizer, vocabulary) for _ in range(TEXT_CASES)]
        write_file(DATA / "schedule_cases_text", mode, cases)


if __name__ == "__main__":
    check(Path(sys.argv[2])) if sys.argv[1:2] == ["--check"] else write()
