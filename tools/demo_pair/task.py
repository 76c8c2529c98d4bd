"""The display task: problems, their solutions as chains of thoughts, and the split into train, validation and test.

A two-digit display goes through a list of labelled steps. Easy steps copy or change digits. Hard steps multiply by a
three-digit number at once, without working. They ask for two things that a small model lacks: finding three digits in
the list and knowing 50000 products. A hard thought opens with a reflective sentence, because a careful solver slows
down at a hard step; easy thoughts contain none of the schedule's words. Nothing here knows which model will write a
step.

Command: task.py PATH writes the test problems as JSONL.
"""

import functools
import hashlib
import json
import random
import sys
from dataclasses import dataclass

LABELS = "ABCDEFGHIJKLMNOP"
NUM_HARD_STEPS = 3
MULTIPLIERS = range(100, 600)
TEST_SIZE = 200

# What the schedule looks for by default.
VERIFY_WORDS = ["verify", "think again", "recap", "check"]
NEGATIVE_WORDS = ["wait", "alternatively", "hold on", "another"]
POSITIVE_WORDS = ["yeah", "yes", "final answer", "confident"]
RECAP_WORDS = "Let me check whether there are some wrong steps:"

# At most 7 tokens each, so that opener and product fit into 20 tokens (check_lengths in rows.py).
HARD_OPENERS = [
    "Wait, step {} needs care:",
    "Hold on, now step {}:",
    "Wait, check step {}:",
    "Let me check step {}:",
    "Let me verify step {}:",
    "Think again at step {}:",
    "Another product, step {}:",
]
FINAL_SENTENCES = ["Yes, the final answer is", "I am confident, the final answer is"]
# A solver looks back now and then. Rare, so that it hardly changes who writes what, but the models then know the
# sentence that the schedule injects before a recap.
RECAP_PROBABILITY = 0.01

INSTRUCTION = "Work through the list, one thought for each step."


@dataclass
class Problem:
    text: str               # what the user asks
    thoughts: list[str]     # the chain of thoughts, without the blank lines between them
    hard: list[bool]        # for each thought: does it hold a product?
    final: str              # the sentence after the thoughts
    answer: str             # two digits, the first is not 0
    pairs: list[tuple[int, int]]  # operands of the products

    def user_message(self):
        return f"{INSTRUCTION} {self.text}"

    def solution(self, thinking=True):
        thoughts = "\n\n".join(self.thoughts)
        return f"<think>\n{thoughts}\n</think>\n\n{self.final}" if thinking else f"{thoughts}\n\n{self.final}"


@functools.cache
def is_held_out(a, b):
    """True for about one pair of operands in 50: no training text holds their product."""
    return hashlib.sha256(f"pair {a} {b}".encode()).digest()[0] < 5


def product_question(a, b):
    return f"{a:02d}×{b}="


def product_of(a, b):
    return f"{a * b:05d}"


def operand_pairs(held_out):
    return [(a, b) for a in range(100) for b in MULTIPLIERS if is_held_out(a, b) == held_out]


def split_of(text):
    """train, validation or test: a function of the problem's text, so the three cannot overlap."""
    bucket = hashlib.sha256(text.encode()).digest()[0]
    return "test" if bucket < 4 else "validation" if bucket < 8 else "train"


class _Writer:
    """Collects the steps of one problem and the thoughts that solve them."""

    def __init__(self, rng):
        self.rng = rng
        self.display = f"{rng.randrange(100):02d}"
        self.start = self.display
        self.steps, self.pairs = [], []
        self.thoughts = [f"The display starts with {self.start} and we go through the whole list."]
        self.hard = [False]
        self.displays = [self.start]  # after each thought

    def label(self):
        return LABELS[len(self.steps)]

    def add(self, step, thought, hard=False):
        self.steps.append(step)
        self.thoughts.append(thought)
        self.hard.append(hard)
        self.displays.append(self.display)

    def easy(self, step, instruction, new_display, note=""):
        """`instruction` has {of} where the wording names the display's digits."""
        old, label = self.display, self.label()
        self.display = new_display
        if self.rng.random() < 0.5:
            opening = f"Step {label} says {instruction.format(of='')}.{note} From {old} we get {new_display}"
        else:
            opening = f"Now step {label}: {instruction.format(of=f' of {old}')}.{note} That makes {new_display}"
        self.add(step, f"{opening}, so the display shows {new_display}.")

    def change_digits(self):
        first, second = self.display
        kind = self.rng.randrange(4)
        if kind == 0:
            self.easy("swap the digits", "swap the digits{of}", second + first)
        elif kind == 1:
            digit = self.rng.randrange(10)
            self.easy(f"write {digit} first", f"write {digit} over the first digit{{of}}", f"{digit}{second}")
        elif kind == 2:
            digit = self.rng.randrange(10)
            self.easy(f"write {digit} second", f"write {digit} over the second digit{{of}}", f"{first}{digit}")
        else:
            turn = self.rng.randrange(1, 10)
            digit = (int(second) + turn) % 10
            self.easy(f"turn by {turn}", f"turn the second digit{{of}} up by {turn}", f"{first}{digit}",
                      f" {second} turned up by {turn} is {digit}.")

    def keep_digits(self):
        # From the middle: the outer digits of a product are easier to guess.
        which, digits = self.rng.choice([("two and three", self.display[1:3]), ("three and four", self.display[2:4])])
        self.easy(f"keep digits {which}", f"keep digits {which}{{of}}", digits)

    def multiply(self):
        a, b = int(self.display), self.rng.choice(MULTIPLIERS)
        opener = self.rng.choice(HARD_OPENERS).format(self.label())
        self.pairs.append((a, b))
        self.display = product_of(a, b)
        self.add(f"times {b}", f"{opener} {product_question(a, b)}{self.display}.", hard=True)


def _draw(rng):
    w = _Writer(rng)
    for block in range(NUM_HARD_STEPS):
        if block:
            w.keep_digits()
        for _ in range(1 if block else rng.choice([1, 2])):
            w.change_digits()
        w.multiply()
    w.keep_digits()
    if rng.random() < 0.5:
        w.change_digits()

    thoughts, hard = [], []
    for i, thought in enumerate(w.thoughts):
        next_step = f"Next is step {LABELS[i]}." if i < len(w.steps) else "Next is the end."
        thoughts.append(f"{thought} {next_step}")
        hard.append(w.hard[i])
        if i and rng.random() < RECAP_PROBABILITY:
            thoughts.append(f"{RECAP_WORDS} all is well so far, and the display shows {w.displays[i]}. {next_step}")
            hard.append(False)
    steps = "; ".join(f"{LABELS[i]}) {step}" for i, step in enumerate(w.steps))
    text = f"The display shows {w.start}. {steps}. What does it show in the end?"
    final = f"{rng.choice(FINAL_SENTENCES)} \\boxed{{{w.display}}}."
    return Problem(text, thoughts, hard, final, w.display, w.pairs)


def draw(rng, split):
    """A problem of the split. Training and validation never hold a held-out pair; test problems may."""
    while True:
        problem = _draw(rng)
        if problem.answer[0] == "0" or split_of(problem.text) != split:
            continue
        if split == "test" or not any(is_held_out(a, b) for a, b in problem.pairs):
            return problem


def draw_pair(rng):
    """Operands of a drill."""
    while True:
        a, b = rng.randrange(100), rng.choice(MULTIPLIERS)
        if not is_held_out(a, b):
            return a, b


def test_problems(count=TEST_SIZE):
    rng = random.Random("display test")
    return [draw(rng, "test") for _ in range(count)]


def test_lines():
    for i, problem in enumerate(test_problems()):
        yield json.dumps({"id": i, "problem": problem.text, "answer": problem.answer})


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write("".join(line + "\n" for line in test_lines()))
