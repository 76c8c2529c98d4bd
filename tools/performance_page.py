#!/usr/bin/env python3
"""Writes docs/performance.md from what `specthink replay --format json` and `specthink bench-kernels --format json` printed.

    tools/performance_page.py --build HASH [--kernels kernels.json] replay.json... > docs/performance.md

Only current figures stand there; history is in git.
"""
import argparse
import json


def number(value, digits=2):
    return "" if value is None else f"{value:.{digits}f}"


def share(limit, value):
    return "" if not limit or not value else f"{100 * limit / value:.0f} %"


def models_of(replay):
    names = {"target": replay["target_model"], "draft": replay["speculative_model"]}
    return {role: name.rstrip("/").split("/")[-1] for role, name in names.items() if name}


def step_table(replay, out):
    models = models_of(replay)
    head = " | ".join(f"{name}, ms a step | share of the limit" for name in models.values())
    out.append(f"| context | {head} |")
    out.append("| --- |" + " --- | --- |" * len(models))
    for context in replay["target_ms"]:
        cells = []
        for role in models:
            value = replay[f"{role}_ms"].get(context)
            cells += [number(value, 3), share(replay[f"{role}_limit_ms"].get(context), value)]
        if any(cells):
            out.append(f"| {context} | " + " | ".join(cells) + " |")
    out.append("")


def prefill_table(replay, out):
    rows = [row for row in replay["prefill"] if any(row.get(role, {}).get("first_token_ms") for role in models_of(replay))]
    if not rows:
        return
    models = models_of(replay)
    out.append("| new tokens, ms to the next one | " + " | ".join(models.values()) + " |")
    out.append("| --- |" + " --- |" * len(models))
    for row in rows:
        what = f"{row['new_tokens']} on {row['cached']} cached" if row["cached"] else f"prompt of {row['new_tokens']}"
        cells = [number(row[role]["first_token_ms"]) for role in models]
        out.append(f"| {what} | " + " | ".join(cells) + " |")
    out.append("")


def batch_table(replay, out):
    models = models_of(replay)
    rows = [row for row in replay.get("batch_steps", []) if any(row[f"{role}_ms"] for role in models)]
    if not rows:
        return
    out.append("| sequences, a row of each, ms a step | " + " | ".join(models.values()) + " |")
    out.append("| --- |" + " --- |" * len(models))
    for row in rows:
        cells = [number(row[f"{role}_ms"], 3) for role in models]
        out.append(f"| {row['sequences']} at {row['context']} | " + " | ".join(cells) + " |")
    out.append("")


def accepted_share(total, proposer):
    proposed, accepted = total["proposed"][proposer], total["accepted"][proposer]
    return f"{accepted} of {proposed} ({100 * accepted / proposed:.0f} %)" if proposed else "none"


def speculation(replay, loop):
    """What the runs of a loop with token-level speculation came to a step."""
    total = replay["speculative_policies"][loop]["total"]
    models = models_of(replay)
    steps = ", ".join(f"{models[role]} {value:.2f}" for role, value in total["tokens_per_step"].items() if role in models)
    shares = ", ".join(f"{name} {accepted_share(total, key)}" for key, name in (("ngram", "n-grams"), ("draft", "the draft's")))
    return f"tokens a step: {steps}; proposals accepted: {shares}"


def loop_name(key):
    return "original" if key == "seed" else key


def loop_lines(replay, out):
    count = len(replay["workloads"]) if isinstance(replay["workloads"], list) else replay["workloads"]
    for loop, seconds in replay["workload_s"].items():
        if seconds is not None:
            out.append(f"- {count} recorded runs, loop `{loop_name(loop)}`: {seconds:.2f} s a run ({replay['workload_s_source'][loop]})")
    for loop, seconds in replay.get("speculative_workload_s", {}).items():
        if seconds is not None:
            out.append(f"- with token-level speculation, loop `{loop_name(loop)}`: {seconds:.2f} s a run; {speculation(replay, loop)}")
    for batch in replay.get("batches", []):
        ratio = f", {batch['seconds'] / batch['one_by_one_s']:.2f} of one after the other" if batch["one_by_one_s"] else ""
        out.append(f"- {batch['runs']} recorded runs, {batch['batch']} at a time, loop `{loop_name(batch['policy'])}`: {batch['seconds']:.1f} s in all{ratio}")
    for rank in replay["memory"][:1]:
        if rank["planned_bytes"]:
            more = 100 * (rank["measured_bytes"] / rank["planned_bytes"] - 1)
            out.append(f"- memory in use: {more:+.1f} % against what `plan` says")
    out.append("")


def kernel_table(kernels, out):
    """A line for each kernel; with one row, and attention at each context. Shares are of overlapped launches."""
    for model in kernels["models"]:
        name = model["name"].split("/")[-1]
        out.append(f"| {name} | rows | context | alone, µs | overlapped, µs | share of the limit |")
        out.append("| --- | --- | --- | --- | --- | --- |")
        for case in model["kernels"]:
            share = case["overlapped_share"]
            out.append(
                f"| {case['kernel']} | {case['rows']} | {case['context'] or ''} | {number(case['alone_us'])} | "
                f"{number(case['overlapped_us'])} | {'' if share is None else f'{100 * share:.0f} %'} |"
            )
        out.append("")


def device_name(text):
    """Without the number of the one GPU that it was."""
    return text.split(",")[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", required=True, help="commit that the figures are of")
    parser.add_argument("--kernels", help="output of bench-kernels --format json")
    parser.add_argument("replays", nargs="+", help="outputs of replay --format json")
    arguments = parser.parse_args()
    out = [
        "# Performance",
        "",
        f"Written by `tools/performance_page.py` from `replay` and `bench-kernels` of build {arguments.build}; random weights, bfloat16,",
        "temperature 0.6, top-p 0.95, top-k 20; head, sampling and host included. The limit is the time in which a rank's weights and cache",
        "can be read once at the bandwidth measured in the same run. Each figure is a median within one run.",
        "",
        "```sh",
        "mpirun -np RANKS build/specthink replay --target configs/models/Qwen3-32B --draft configs/models/Qwen3-1.7B --dummy-weights \\",
        "    --gpu-memory-utilization 0.7,0.2 --workload-file runs.jsonl --workloads 6,7,13,17,24 --loop original --format json",
        "build/specthink bench-kernels --target configs/models/Qwen3-32B --draft configs/models/Qwen3-1.7B --format json",
        "```",
        "",
    ]
    for path in arguments.replays:
        with open(path) as file:
            replay = json.load(file)
        ranks = replay["ranks"]
        out.append(f"## {ranks} × {device_name(replay['device'])}, {replay['read_tb_s']:.2f} TB/s read by each rank ({replay['timestamp']})")
        out.append("")
        if replay["target_ms"]:
            step_table(replay, out)
        prefill_table(replay, out)
        batch_table(replay, out)
        loop_lines(replay, out)
    if arguments.kernels:
        with open(arguments.kernels) as file:
            kernels = json.load(file)
        out += [f"## Each kernel alone, one rank of {kernels['ranks']}, {device_name(kernels['device'])} ({kernels['read_tb_s']:.2f} TB/s)", ""]
        kernel_table(kernels, out)
    print("\n".join(out).rstrip())


if __name__ == "__main__":
    main()
