#!/usr/bin/env python3
"""Reads the files of an evaluation as the original's scripts do, and holds them to its format. Exit code 1 and one line a fault.

    check_eval_files.py RESULTS.json N TEMPERATURE...   (metrics/RESULTS.json beside it is read, too)

Every key of the original's files must be there with its type; keys of our own may stand beside them.
"""

import json
import re
import sys
from pathlib import Path

# SYSTEM_TASK_SPLIT_subset_SUBSET_filter_FILTER_sSTART_eEND_tTEMPERATURES_nN, behind it an upper bound and filters of our own
NAME = re.compile(r"(?P<system>.+)_(?P<task>[^_].*)_(?P<split>\w+)_subset_(?P<subset>.+)_filter_(True|False)_s(\d+)_e(-1|\d+)_t(?P<t>[\d.,e-]+)_n(?P<n>\d+)(_(None|-?\d+))?(_(difficulty|source|lower|upper)_[^_/]+)*\.json")

PROBLEM = {"responses": dict, "token_usages": dict, "prompt": str, "input_conversation": list}
RESPONSE = {"content": str, "correctness": bool, "reason": str}
UNJUDGED = {"content": str, "correctness": type(None), "reason": type(None)}
USAGE = {"completion_tokens": int, "prompt_tokens": int}
SPECULATIVE_USAGE = {**USAGE, "correct_tokens": list, "time_spend": float, "try_correct": int}
CORRECTION = {"pos": int, "token_num": int, "traget": str}
METRICS = {"completion_tokens": int, "prompt_tokens": int, "avg_completion_tokens": float, "avg_prompt_tokens": float}


def check_keys(where, value, keys):
    if not isinstance(value, dict):
        return [f"{where}: no object"]
    faults = [f"{where}: no {key}" for key in keys if key not in value]
    return faults + [f"{where}: {key} is {value[key]!r}, no {kind.__name__}" for key, kind in keys.items()
                     if key in value and type(value[key]) is not kind]


def check_sample(where, response, usage, speculative, judged):
    faults = check_keys(where, response, RESPONSE if judged else UNJUDGED)
    faults += check_keys(where, usage, SPECULATIVE_USAGE if speculative else USAGE)
    if faults:
        return faults
    if response["content"] != response["content"].strip():
        faults.append(f"{where}: content is not stripped")
    for i, entry in enumerate(usage.get("correct_tokens", [])):
        faults += check_keys(f"{where} correct_tokens[{i}]", entry, CORRECTION)
        if not isinstance(entry.get("speculative", ""), str):
            faults.append(f"{where} correct_tokens[{i}]: speculative is no text")
    if judged and (response["reason"] == "") != response["correctness"]:
        faults.append(f"{where}: a reason belongs to wrong answers alone")
    return faults


def check_problem(where, problem, n, temperatures, speculative, judged):
    faults = check_keys(where, problem, PROBLEM)
    if faults:
        return faults
    for i, message in enumerate(problem["input_conversation"]):
        faults += check_keys(f"{where} input_conversation[{i}]", message, {"role": str, "content": str})
    if problem["input_conversation"][-1:] != [{"role": "user", "content": problem["prompt"]}]:
        faults.append(f"{where}: the conversation does not end in the prompt")
    for key in ["responses", "token_usages"]:
        if list(problem[key]) != temperatures:
            faults.append(f"{where}: {key} of the temperatures {list(problem[key])}")
        faults += [f"{where}: {len(samples)} {key} at {t}" for t, samples in problem[key].items() if len(samples) != n]
    if faults:
        return faults
    for t in temperatures:
        for i, (response, usage) in enumerate(zip(problem["responses"][t], problem["token_usages"][t])):
            faults += check_sample(f"{where} {t}[{i}]", response, usage, speculative, judged)
    return faults


def check_metrics(results, metrics, n, temperatures, judged):
    faults = check_keys("metrics", metrics, METRICS)
    usages = [usage for problem in results.values() for samples in problem["token_usages"].values() for usage in samples]
    expected = {}
    for key in ["completion_tokens", "prompt_tokens"]:
        expected[key] = sum(usage[key] for usage in usages)
        expected[f"avg_{key}"] = round(expected[key] / len(usages), 3)
    if judged:
        right = {t: [sum(r["correctness"] for r in problem["responses"][t]) for problem in results.values()] for t in temperatures}
        expected["accuracy"] = {f"temp={t}": round(sum(right[t]) / (len(results) * n), 4) for t in temperatures}
        if n == 1:
            expected["pass_at_k"] = None
        elif list(metrics.get("pass_at_k") or {}) != list(expected["accuracy"]):
            faults.append(f"metrics: pass_at_k of {metrics.get('pass_at_k')!r}")
        else:
            for t in temperatures:
                share = metrics["pass_at_k"][f"temp={t}"]
                if abs(share.get(f"k={n}", -1) - 100 * sum(c > 0 for c in right[t]) / len(results)) > 1e-3:
                    faults.append(f"metrics: pass_at_k at {t}: {share}")
    return faults + [f"metrics: {key} is {metrics.get(key)!r}, expected {value!r}" for key, value in expected.items() if metrics.get(key) != value]


def check_documents(name, results, metrics, n, temperatures):
    match = NAME.fullmatch(name)
    if not match or match["t"] != ",".join(temperatures) or match["n"] != str(n):
        return [f"{name}: the name is not that of n = {n} at {temperatures}"]
    try:
        samples = [r for p in results.values() for rs in p["responses"].values() for r in rs]
        usages = [u for p in results.values() for us in p["token_usages"].values() for u in us]
    except (KeyError, AttributeError) as error:
        return [f"{name}: not the keys of an evaluation: {error!r}"]
    if not samples:
        return [f"{name}: no samples"]
    speculative = any("try_correct" in usage for usage in usages)
    judged = any(response.get("correctness") is not None for response in samples)
    faults = [fault for text, problem in results.items() for fault in check_problem(repr(text[:40]), problem, n, temperatures, speculative, judged)]
    return faults or check_metrics(results, metrics, n, temperatures, judged)


def check(path, n, temperatures):
    results = json.loads(path.read_text(encoding="utf-8"))
    metrics = json.loads((path.parent / "metrics" / path.name).read_text(encoding="utf-8"))
    return check_documents(path.name, results, metrics, n, temperatures)


def main():
    faults = check(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
    print("\n".join(faults) or "ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
