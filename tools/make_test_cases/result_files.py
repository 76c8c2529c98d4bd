#!/usr/bin/env python3
"""Writes tests/data/result_files: a result file of each kind in the format of the original program, with made-up runs, and the
statistics as Python's own module computes them. With --check FILE it recomputes those of a recorded file.
"""

import json
import random
import statistics
import sys
from pathlib import Path

import phrases

DATA = Path(__file__).resolve().parents[2] / "tests" / "data"
ANSWERS = ["17", "\\frac{3}{2}", "42"]


def figures(values):
    return {"mean": statistics.fmean(values), "std": statistics.pstdev(values), "min": min(values), "max": max(values),
            "median": float(statistics.median(values))}


def statistics_of(document):
    runs = [run for problem in document["results"]["problems"] for run in problem["runs"]]
    keys = {"latency": "latency", "throughput": "throughput", "tokens": "num_tokens", "large_model_ratio": "large_model_ratio"}
    return {section: figures([run[key] for run in runs]) for section, key in keys.items()}


def make_run(choose, index, speculative, answer):
    tokens = choose.randrange(150, 900)
    latency = tokens / choose.uniform(40, 60) * (1 if speculative else 2)
    text = " ".join(choose.sample(phrases.SENTENCES, 3)) + f"\n\nThe answer is \\boxed{{{answer}}}."
    run = {"run": index, "latency": latency, "num_tokens": tokens, "throughput": tokens / latency}
    if speculative:
        of_target = choose.randrange(20, tokens // 2)
        run |= {"large_model_tokens": of_target, "large_model_ratio": of_target / tokens,
                "num_validations": choose.randrange(1, 20), "generated_text": "user\nA problem.\nassistant\n" + text}
    else:
        run |= {"large_model_ratio": 1.0, "generated_text": text}
    return run


def make_document(choose, speculative):
    problems = []
    for index, answer in enumerate(ANSWERS):
        runs = [make_run(choose, run, speculative, answer if run != 1 or index else "0") for run in range(3)]
        problems.append({"id": index, "problem": f"Problem {index} of our own making.", "runs": runs})
    document = {
        "timestamp": "20300102_030405",
        "model_type": "speculative_thinking" if speculative else "large_model",
        "config": {"num_problems": 3, "num_runs": 3, "config_path": "configs/x.yml", "target_model": "Org/Big-7B",
                   "speculative_model": "Org/Small-1B", "temperature": 0.6, "top_p": 0.95, "top_k": 20,
                   "max_tokens": 4096},
        "results": {"model": "Speculative Thinking (Small-1B + Big-7B)" if speculative else "Big-7B (Large Only)",
                    "problems": problems},
    }
    return document | {"statistics": statistics_of(document)}


def check(path):
    document = json.loads(Path(path).read_text())
    for section, expected in statistics_of(document).items():
        for name, value in expected.items():
            found = document["statistics"][section][name]
            assert abs(found - value) <= 1e-12 * abs(value), f"{section} {name}: expected {value}, found {found}"
    print(f"{path}: the statistics agree")


def write():
    (DATA / "result_files").mkdir(parents=True, exist_ok=True)
    choose = random.Random(5)
    for speculative in [False, True]:
        name = "speculative_thinking.json" if speculative else "large_model.json"
        document = json.dumps(make_document(choose, speculative), indent=1, ensure_ascii=False)
        (DATA / "result_files" / name).write_text(document + "\n")


if __name__ == "__main__":
    check(sys.argv[2]) if sys.argv[1:2] == ["--check"] else write()
