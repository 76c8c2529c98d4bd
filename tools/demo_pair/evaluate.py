"""Measures a trained pair: each model alone, the schedule in variants, and a random schedule with the same share.

Command: evaluate.py DIR [--runs 3] [--num-problems 200] [--device cuda], DIR holding target/ and draft/.
Writes DIR/evaluation.json and prints a Markdown table. The figures that count are those of `specthink bench`.
"""

import argparse
import json
import math
import random
import re
import time
from dataclasses import replace
from pathlib import Path

import torch

import decode
import export
import schedule
import task
import tokenizer as tok
from model import MAX_POSITION_EMBEDDINGS, VOCAB_SIZE

CONFIG = schedule.Settings(original_recap_token_num=4)  # as configs/demo.yml
PRODUCT = re.compile(r"(\d\d)×(\d{3})=(\d{5})\.")


def wilson(successes, n, z=1.96):
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return centre - half, centre + half


class Pair:
    def __init__(self, folder, device):
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        self.models, tokenizers = {}, {}
        for name in ("target", "draft"):
            self.models[name], tokenizers[name] = export.read_folder(Path(folder) / name, device, dtype)
        self.tokenizer = tokenizers["target"]
        token_bytes = tok.token_bytes(self.tokenizer, VOCAB_SIZE)
        self.text = schedule.Text(self.tokenizer, token_bytes, export.eos_ids(self.tokenizer))
        self.device = device

    def runs(self, problems, num_runs, settings=CONFIG):
        for problem in problems:
            ids = self.tokenizer.encode(tok.prompt_of(problem.user_message())).ids
            for _ in range(num_runs):
                yield schedule.Run(self.text, ids, MAX_POSITION_EMBEDDINGS - len(ids), settings)

    def solve(self, policies, problems, num_runs, seed=0):
        """`policies`: {name: (settings, run -> generator)}. Returns {name: summary}."""
        runs = {name: list(self.runs(problems, num_runs, settings)) for name, (settings, _) in policies.items()}
        jobs = [(run, policies[name][1](run)) for name in policies for run in runs[name]]
        decode.decode(self.models, jobs, decode.Sampler(self.device, seed))
        return {name: self.summarise(runs[name], problems, num_runs) for name in policies}

    def summarise(self, runs, problems, num_runs):
        expected = [p.answer for p in problems for _ in range(num_runs)]
        texts = [self.tokenizer.decode(r.ids) for r in runs]
        right = sum(is_right(text, answer) for text, answer in zip(texts, expected))
        low, high = wilson(right, len(runs))
        mean = lambda values: sum(values) / len(runs)
        tokens, target = mean(len(r.ids) for r in runs), mean(r.count("target") for r in runs)
        written = [_products(text) for text in texts]
        products = [product for found in written for product in found]
        asked = [[b for _, b in p.pairs] for p in problems for _ in range(num_runs)]
        looked_up = [b == wanted for found, pairs in zip(written, asked) for (_, b, _), wanted in zip(found, pairs)]
        held_out = [a * b == c for a, b, c in products if b in task.MULTIPLIERS and task.is_held_out(a, b)]
        return {
            "accuracy": right / len(runs), "low": low, "high": high, "n": len(runs),
            "target_share": target / tokens, "tokens": tokens, "target_tokens": target,
            "target_steps": target + mean(r.target_wasted for r in runs),
            "draft_wasted": mean(r.draft_wasted for r in runs),
            "passages": mean(_passages(r) for r in runs), "decisions": mean(r.decisions for r in runs),
            "multipliers_right": _share(looked_up), "products_right": _share([a * b == c for a, b, c in products]),
            "held_out_right": _share(held_out), "held_out_n": len(held_out),
        }


def _products(text):
    """(display, multiplier, result) of every product that the text states."""
    return [tuple(map(int, match)) for match in PRODUCT.findall(text)]


def _passages(run):
    """Times that the target wrote, however many requests made up a passage."""
    return sum(here == "target" and before != "target" for before, here in zip([None, *run.origins], run.origins))


def _share(flags):
    return sum(flags) / max(len(flags), 1)


def product_accuracy(model, tokenizer, pairs):
    """Share of bare products that a model writes correctly, greedily."""
    device = model.cos.device
    start = [tokenizer.token_to_id("<|endoftext|>")]
    ids = [start + tokenizer.encode(" " + task.product_question(a, b)).ids for a, b in pairs]
    ids = torch.tensor(ids, device=device)
    prompt_length = ids.shape[1]
    with torch.no_grad():
        for _ in range(len(task.product_of(0, 0))):
            ids = torch.cat([ids, model(ids)[:, -1:].argmax(-1)], 1)
    answers = [tokenizer.decode(row) for row in ids[:, prompt_length:].tolist()]
    return sum(answer == task.product_of(a, b) for answer, (a, b) in zip(answers, pairs)) / len(pairs)


def is_right(text, answer):
    """The last \\boxed{} holds the answer, as a number."""
    boxed = re.findall(r"\\boxed\{(\d+)\}", text)
    return bool(boxed) and int(boxed[-1]) == int(answer)


def alone(name):
    return CONFIG, lambda run: schedule.alone(run, name)


def schedule_variants():
    variants = {
        "schedule": {},
        "choose_large: false": {"choose_large": False},
        "takeover 0": {"original_recap_token_num": 0},
        "takeover 8": {"original_recap_token_num": 8},
        "takeover 125": {"original_recap_token_num": 125},
        "max_target_tokens 12": {"max_target_tokens": 12},
        "max_target_tokens 30": {"max_target_tokens": 30},
        "recap after 3": {"recap_after_negative_num": 3, "original_recap_token_num": 32},
    }
    return {name: (replace(CONFIG, **changes), schedule.speculative) for name, changes in variants.items()}


def random_like(summary):
    """Takeovers at random triggers, as long and as frequent as the schedule's passages are on average."""
    length = round(summary["target_tokens"] / (summary["passages"] or 1))
    probability = min(1.0, summary["passages"] / summary["decisions"])
    rng = random.Random(0)
    return CONFIG, lambda run: schedule.random_takeovers(run, rng, probability, length)


def table(results):
    lines = ["| | accuracy | 95 % interval | target share | target steps | tokens | draft steps wasted | passages | "
             "multipliers right | products right |", "| --- " * 10 + "|"]
    for name, r in results.items():
        lines.append(f"| {name} | {r['accuracy']:.3f} | {r['low']:.3f} to {r['high']:.3f} | {r['target_share']:.3f} | "
                     f"{r['target_steps']:.1f} | {r['tokens']:.1f} | {r['draft_wasted']:.1f} | {r['passages']:.2f} | "
                     f"{r['multipliers_right']:.3f} | {r['products_right']:.3f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--num-problems", type=int, default=task.TEST_SIZE)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    start = time.time()
    pair = Pair(args.folder, args.device)
    problems = task.test_problems()[:args.num_problems]

    policies = {"target alone": alone("target"), "draft alone": alone("draft"), **schedule_variants()}
    results = pair.solve(policies, problems, args.runs)
    results |= pair.solve({"random": random_like(results["schedule"])}, problems, args.runs, seed=1)
    print(table(results))

    for name in ("target alone", "draft alone", "schedule"):
        print(f"{name}: {results[name]['held_out_right']:.3f} of {results[name]['held_out_n']} held-out products right")
    products = {}
    for held_out in (True, False):
        pairs = task.operand_pairs(held_out)[::1 if held_out else 20]
        for name, model in pair.models.items():
            label = f"{name}, {'held out' if held_out else 'seen in training'}"
            products[label] = {"accuracy": product_accuracy(model, pair.tokenizer, pairs), "n": len(pairs)}
    print("\n".join(f"bare products, {k}: {v['accuracy']:.3f} of {v['n']}" for k, v in products.items()))
    (args.folder / "evaluation.json").write_text(json.dumps({"task": results, "products": products}, indent=1) + "\n")
    print(f"evaluated in {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
