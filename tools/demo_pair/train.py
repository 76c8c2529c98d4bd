"""Trains the demo pair and writes it as two Hugging Face folders.

Command: python3 tools/demo_pair/train.py --out DIR [--device cuda]. Everything is seeded and the numbers of steps are
fixed; on another kind of GPU, and from run to run in the last bits of sums, the weights can differ a little.
"""

import argparse
import math
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

import evaluate
import export
import model as m
import rows as r
import task
import tokenizer as tok

NUM_TOKENIZER_PROBLEMS = 4000
NUM_ROWS = 300_000
BATCH_ROWS = 128
WARM_UP_STEPS = 200
FINAL_RATE = 0.02  # of the peak


@dataclass(frozen=True)
class Recipe:
    steps: int
    learning_rate: float


RECIPES = {"target": Recipe(4000, 1.2e-3), "draft": Recipe(2500, 3e-3)}


def learning_rate(recipe, step, steps):
    return recipe.learning_rate * min(1, (step + 1) / WARM_UP_STEPS) * (1 - (1 - FINAL_RATE) * step / steps)


def train_model(name, rows, steps, tokenizer, device, compiled):
    """`rows` [count, ROW_TOKENS] on the device."""
    pairs = {"held-out": task.operand_pairs(True), "seen": task.operand_pairs(False)[::40]}
    torch.manual_seed(1)
    model = m.LanguageModel(m.SHAPES[name]).to(device)
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.02}, {"params": vectors, "weight_decay": 0}],
                                  betas=(0.9, 0.98), fused=device == "cuda")

    def loss_of(batch):
        ids = (batch & ~r.LOSS_BIT).long()
        counted = (batch[:, 1:] & r.LOSS_BIT) != 0
        logits = model(ids[:, :-1]).float()
        losses = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
        return (losses * counted.flatten()).sum() / counted.sum()

    step_loss = torch.compile(loss_of) if compiled else loss_of
    order = torch.cat([torch.randperm(len(rows)) for _ in range(math.ceil(steps * BATCH_ROWS / len(rows)))]).to(device)
    start = time.time()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(RECIPES[name], step, steps)
        batch = rows[order[step * BATCH_ROWS:(step + 1) * BATCH_ROWS]]
        with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
            loss = step_loss(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if (step + 1) % 250 == 0 or step + 1 == steps:
            products = ", ".join(f"{kind} products {evaluate.product_accuracy(model, tokenizer, p):.3f}"
                                 for kind, p in pairs.items())
            progress = f"step {step + 1} of {steps}, {time.time() - start:.0f} s"
            print(f"{name}: {progress}, loss {loss.item():.4f}, {products}", flush=True)
    return model.eval()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--scale", type=float, default=1.0, help="share of rows and steps, for a trial on a CPU")
    args = parser.parse_args()
    start = time.time()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # each process encodes its own part
    torch.backends.cuda.matmul.allow_tf32 = True

    tokenizer = tok.train(tok.training_texts(random.Random("display tokenizer"), NUM_TOKENIZER_PROBLEMS))
    assert tokenizer.get_vocab_size() <= m.VOCAB_SIZE
    product_end, shortest_easy = r.check_lengths(tokenizer)
    print(f"{tokenizer.get_vocab_size()} tokens; max_target_tokens may be {product_end} to {shortest_easy}")
    steps = {name: max(2, round(RECIPES[name].steps * args.scale)) for name in RECIPES}
    rows = r.make_rows(tokenizer, max(BATCH_ROWS, round(NUM_ROWS * args.scale)), os.cpu_count())
    print(f"{rows.shape} rows in {time.time() - start:.0f} s", flush=True)

    rows = torch.from_numpy(rows.astype("int32")).to(args.device)
    for name in steps:
        model = train_model(name, rows, steps[name], tokenizer, args.device, args.compile)
        folder = args.out / name
        export.write_folder(folder, model, tokenizer)
        example = task.test_problems(1)[0].user_message()
        difference = export.check_folder(folder, example)
        print(f"{name}: {model.num_parameters()} parameters, logits differ from transformers' by {difference:.1e}")
    (args.out / "demo.jsonl").write_text("".join(line + "\n" for line in task.test_lines()))

    pair = evaluate.Pair(args.out, args.device)
    policies = {f"{name} alone": evaluate.alone(name) for name in ("target", "draft")}
    results = pair.solve(policies, task.test_problems(), 3 if args.scale == 1 else 1)
    print(f"done in {time.time() - start:.0f} s")
    for name, summary in results.items():
        print(f"{name}: accuracy {summary['accuracy']:.3f} ({summary['low']:.3f} to {summary['high']:.3f}), "
              f"{summary['n']} answers to {task.TEST_SIZE} test problems")


if __name__ == "__main__":
    main()
