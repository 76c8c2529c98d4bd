"""Training rows: token ids of solved problems and of drills, with a mark on the tokens that the loss counts."""

import multiprocessing
import random
import re

import numpy as np

import task
import tokenizer as tok

ROW_TOKENS = 576
LOSS_BIT = 1 << 15          # set on ids that the loss counts; ids stay far below
DRILL_ROW_PROBABILITY = 0.4
NO_THINKING_PROBABILITY = 0.06  # problems asked with enable_thinking=false
_NUM_PARTS = 64             # each with its own seed: the rows do not depend on the number of processes


class CachedEncoder:
    """tokenizer.encode, ten times as fast: it remembers the ids of each word with the blank before it.

    Exact for texts without runs of blanks, because then no pre-token reaches over a blank.
    """

    _WORD = re.compile(r"\n+| ?[^ \n]+\n*")

    def __init__(self, tokenizer):
        self._tokenizer = tokenizer
        self._ids = {}

    def encode(self, text):
        out = []
        for word in self._WORD.findall(text):
            ids = self._ids.get(word)
            if ids is None:
                ids = self._ids[word] = self._tokenizer.encode(word).ids
            out += ids
        return out


class RowMaker:
    def __init__(self, tokenizer):
        self._encoder = CachedEncoder(tokenizer)
        self._end_of_text = tokenizer.token_to_id("<|endoftext|>")
        sample = task.draw(random.Random(0), "train")
        text = tok.prompt_of(sample.user_message()) + sample.solution() + "<|im_end|>"
        assert self._encoder.encode(text) == tokenizer.encode(text).ids
        # Each character of a product is one token, so drills need no encoder.
        self._id_of = {c: tokenizer.encode(c).ids[0] for c in " 0123456789×=."}
        drill = [i & ~LOSS_BIT for i in self._drill(12, 345)]
        assert drill == tokenizer.encode(f" {task.product_question(12, 345)}{task.product_of(12, 345)}.").ids

    def make(self, rng):
        """One row: a solved problem (or, in some rows, none), then drills up to its end."""
        row = [] if rng.random() < DRILL_ROW_PROBABILITY else self._solved_problem(rng)
        row.append(self._end_of_text)
        while len(row) < ROW_TOKENS:
            row += self._drill(*task.draw_pair(rng))
        return row[:ROW_TOKENS]

    def _drill(self, a, b):
        question = [self._id_of[c] for c in " " + task.product_question(a, b)]
        return question + [self._id_of[c] | LOSS_BIT for c in task.product_of(a, b) + "."]

    def _solved_problem(self, rng):
        while True:
            problem = task.draw(rng, "train")
            thinking = rng.random() >= NO_THINKING_PROBABILITY
            row = self._encoder.encode(tok.prompt_of(problem.user_message(), thinking))
            solution = self._encoder.encode(problem.solution(thinking) + "<|im_end|>")
            row += [i | LOSS_BIT for i in solution]
            if len(row) < ROW_TOKENS:  # longer ones (several recaps) are too rare to matter
                return row


def _make_part(arguments):
    tokenizer_json, seed, count = arguments
    from tokenizers import Tokenizer
    maker = RowMaker(Tokenizer.from_str(tokenizer_json))
    rng = random.Random(f"display rows {seed}")
    return np.array([maker.make(rng) for _ in range(count)], dtype=np.uint16)


def make_rows(tokenizer, count, processes):
    """[count, ROW_TOKENS] uint16, the same for every number of processes."""
    per_part = -(-count // _NUM_PARTS)
    parts = [(tokenizer.to_str(), seed, per_part) for seed in range(_NUM_PARTS)]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        return np.concatenate(pool.map(_make_part, parts, chunksize=1))[:count]


def check_lengths(tokenizer, count=2000):
    """The two lengths that max_target_tokens must lie between (README.md), over training problems.

    Returns (tokens from a hard thought's first to the last digit of its product, tokens of the shortest easy thought
    that can be probed).
    """
    rng = random.Random("display lengths")
    product_end, shortest_easy = 0, ROW_TOKENS
    for _ in range(count):
        problem = task.draw(rng, "train")
        for i, (thought, hard) in enumerate(zip(problem.thoughts, problem.hard)):
            if hard:
                upto_product = thought[:thought.index(". Next")]
                product_end = max(product_end, len(tokenizer.encode(upto_product).ids))
            elif i and not thought.startswith(task.RECAP_WORDS):  # no trigger, so no probe, stands before the first
                ending = "\n</think>\n\n" if i + 1 == len(problem.thoughts) else "\n\n"
                shortest_easy = min(shortest_easy, len(tokenizer.encode(thought + ending).ids))
            words = task.VERIFY_WORDS + task.NEGATIVE_WORDS + task.POSITIVE_WORDS
            reflective = any(word in thought.lower() for word in words)
            assert reflective == (hard or thought.startswith(task.RECAP_WORDS)), thought
    return product_end, shortest_easy
