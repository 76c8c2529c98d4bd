#!/usr/bin/env python3
"""Reads the files of an evaluation as the original's scripts do, and holds them to its format. Exit code 1 and one line a fault.

    check_eval_files.py RESULTS.json N TEMPERATURE...   (metrics/RESULTS.json beside it is read, too)
"""

import json
import sys
from pathlib import Path


def check_sample(where, response, usage, speculative, judged):
    faults = []
    if not isinstance(response.get("content"), str) or response["content"] != response["content"].strip():
        faults.append(f"{where}: content is no stripped text")
    kind, reason = (bool, str) if judged else (type(None), type(None))
    if not isinstance(response.get("correctness", 0), kind) or not isinstance(response.get("reason", 0), reason):
        faults.append(f"{where}: correctness or reason has another type: {response.get('correctness')!r}")
    for key in ["completion_tokens", "prompt_tokens"] + (["try_correct"] if speculative else []):
        if type(usage.get(key)) is not int:
            faults.append(f"{where}: {key} is no integer")
    if speculative:
        if type(usage.get("time_spend")) is not float:
            faults.append(f"{where}: time_spend is no number")
        for entry in usage.get("correct_tokens", [None]):
            if not {"pos", "token_num", "traget"} <= set(entry or {}):
                faults.append(f"{where}: correct_tokens has an entry without its keys")
    return faults


def check(path, n, temperatures):
    results = json.loads(path.read_text(encoding="utf-8"))
    metrics = json.loads((path.parent / "metrics" / path.name).read_text(encoding="utf-8"))
    speculative = any("try_correct" in usage for p in results.values() for samples in p["token_usages"].values() for usage in samples)
    judged = all(r["correctness"] is not None for p in results.values() for samples in p["responses"].values() for r in samples)
    faults, tokens, prompt_tokens = [], 0, 0
    right = {t: [] for t in temperatures}
    for text, problem in results.items():
        for key in ["responses", "token_usages", "prompt", "input_conversation"]:
            if key not in problem:
                faults.append(f"{text!r}: no {key}")
        if problem["input_conversation"][-1] != {"role": "user", "content": problem["prompt"]}:
            faults.append(f"{text!r}: the conversation does not end in the prompt")
        if list(problem["responses"]) != temperatures or list(problem["token_usages"]) != temperatures:
            faults.append(f"{text!r}: temperatures {list(problem['responses'])}")
        for t in temperatures:
            responses, usages = problem["responses"][t], problem["token_usages"][t]
            if len(responses) != n or len(usages) != n:
                faults.append(f"{text!r}: {len(responses)} responses, {len(usages)} token_usages at {t}")
            for i, (response, usage) in enumerate(zip(responses, usages)):
                faults += check_sample(f"{text!r} {t}[{i}]", response, usage, speculative, judged)
                tokens += usage["completion_tokens"]
                prompt_tokens += usage["prompt_tokens"]
            right[t].append(sum(bool(r["correctness"]) for r in responses))
    count = len(results) * n * len(temperatures)
    expected = {
        "completion_tokens": tokens,
        "prompt_tokens": prompt_tokens,
        "avg_completion_tokens": round(tokens / count, 3),
        "avg_prompt_tokens": round(prompt_tokens / count, 3),
    }
    if judged:
        expected["accuracy"] = {f"temp={t}": round(sum(right[t]) / (len(results) * n), 4) for t in temperatures}
        if n == 1:
            expected["pass_at_k"] = None
        else:
            for t in temperatures:
                share = metrics["pass_at_k"][f"temp={t}"]
                if abs(share[f"k={n}"] - 100 * sum(c > 0 for c in right[t]) / len(results)) > 1e-3:
                    faults.append(f"pass_at_k at {t}: {share}")
    for key, value in expected.items():
        if metrics.get(key) != value:
            faults.append(f"metrics: {key} is {metrics.get(key)!r}, expected {value!r}")
    return faults


def main():
    faults = check(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
    print("\n".join(faults) or "ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
