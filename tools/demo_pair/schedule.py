"""The thinking schedule for the evaluation: `compat: fixed` and a random one to compare with.

A policy is a generator. It yields a Request for each token that it needs and is sent the token's id, so that many runs
can advance together, one token a step, in one batch (decode.py). The C++ program is the reference for users; this
version exists to judge a trained pair where it was trained. `time_out` is not here.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import task

SEGMENT_TOKENS = 1024


class Request(NamedTuple):
    model: str              # draft, target, or inject
    token: int | None = None  # the token to append, where nothing is sampled


@dataclass
class Settings:
    triggers: list[str] = field(default_factory=lambda: ["\n\n"])
    verify: list[str] = field(default_factory=lambda: task.VERIFY_WORDS)
    negative: list[str] = field(default_factory=lambda: task.NEGATIVE_WORDS)
    positive: list[str] = field(default_factory=lambda: task.POSITIVE_WORDS)
    help_think_word: str | None = None
    help_recap_words: str = task.RECAP_WORDS
    not_reasoning: bool = False
    choose_large: bool = True
    max_target_tokens: int = 20
    begin: bool = False
    begin_token_num: int = 100
    original_recap_token_num: int = 125
    recap_after_negative_num: int = 15
    add_each_recap: int = 25
    add_each_neg: int = 5
    max_recap_token_num: int = 200
    max_negative_num: int = 30


class Text:
    """What policies need of the tokenizer."""

    def __init__(self, tokenizer, token_bytes, eos_ids):
        self._tokenizer = tokenizer
        self.token_bytes = token_bytes
        self.eos_ids = frozenset(eos_ids)

    def encode(self, text):
        return self._tokenizer.encode(text).ids

    def lower(self, ids):
        return self._tokenizer.decode(ids, skip_special_tokens=True).lower()

    def has_eos(self, ids):
        return not self.eos_ids.isdisjoint(ids)


class Run:
    """One answer: generated ids with the origin of each, and the counts of the ledger."""

    def __init__(self, text, prompt_ids, limit, settings=None):
        self.text, self.prompt_ids, self.limit = text, prompt_ids, limit
        self.settings = settings or Settings()
        self.ids, self.origins = [], []
        self.draft_wasted = self.target_wasted = self.validations = self.decisions = 0
        self._triggers = [t.encode() for t in self.settings.triggers]
        self._tail = b""  # bytes since the last match, no more than a trigger can need

    def left(self):
        return self.limit - len(self.ids)

    def count(self, origin):
        return self.origins.count(origin)

    def append(self, token, origin):
        self.ids.append(token)
        self.origins.append(origin)

    def cut(self, length):
        """Removes and returns the ids from `length` on."""
        removed = self.ids[length:]
        del self.ids[length:], self.origins[length:]
        return removed

    def match(self, ids):
        """Feeds kept tokens to the stop matcher; true for those that complete a trigger."""
        return [self._match_token(i) for i in ids]

    def _match_token(self, token):
        matched = False
        for byte in self.text.token_bytes[token]:
            self._tail += bytes([byte])
            if any(self._tail.endswith(t) for t in self._triggers):
                matched, self._tail = True, b""
        self._tail = self._tail[-64:]
        return matched

    def generate(self, model, count, until_trigger=False):
        """At most `count` tokens of a model are appended; the matcher sees them only if it is to end the request.
        Returns true when a trigger ended it."""
        for _ in range(min(count, self.left())):
            token = yield Request(model)
            self.append(token, model)
            if token in self.text.eos_ids:
                break
            if until_trigger and self._match_token(token):
                return True
        return False

    def inject(self, text):
        for token in self.text.encode(text)[:self.left()]:
            yield Request("inject", token)
            self.append(token, "injected")
        self._tail = b""

    def restore(self, tokens, origin):
        """Appends tokens again that were cut; step by step, because the models' caches were overwritten."""
        for token in tokens:
            yield Request("inject", token)
            self.append(token, origin)

    def sentiment(self, text):
        """1 positive, -1 negative, 0 neutral (`text` in lower case)."""
        s = self.settings
        positive = sum(text.count(w) for w in s.positive)
        negative = sum(text.count(w) for w in s.negative + s.verify)
        return 1 if positive > negative else -1 if negative else 0

    def segment(self):
        """The draft writes a thought. Returns true when it ended with a trigger, false when the run is over."""
        while self.left() > 0:
            if (yield from self.generate("draft", SEGMENT_TOKENS, until_trigger=True)):
                return True
            if self.ids[-1] in self.text.eos_ids:
                return False
        return False

    def takeover(self, count):
        """The target writes. Returns what completes a trigger, per token."""
        start = len(self.ids)
        if min(count, self.left()) > 0:
            self.validations += 1
        yield from self.generate("target", count)
        return self.match(self.ids[start:])


def alone(run, model):
    yield from run.generate(model, run.left())


def random_takeovers(run, rng, probability, length):
    """At each trigger the target writes `length` tokens with the given probability."""
    while (yield from run.segment()):
        at_trigger = True
        while at_trigger:
            run.decisions += 1
            if rng.random() >= probability:
                break
            start = len(run.ids)
            matches = yield from run.takeover(length)
            if run.text.has_eos(run.ids[start:]):
                return
            at_trigger = bool(matches) and matches[-1]


def speculative(run):
    """The loop of `compat: fixed` (src/schedule/fixed_loop.cpp)."""
    s, text = run.settings, run.text
    negatives, recap_len, recap_after = 0, s.original_recap_token_num, s.recap_after_negative_num
    rest = []              # what the draft wrote behind a trigger in its last probe, not yet judged
    at_trigger = False
    if s.begin:
        matches = yield from run.takeover(s.begin_token_num)
        if text.has_eos(run.ids):
            return
        at_trigger = bool(matches) and matches[-1]

    while run.left() > 0:
        if not at_trigger and not (yield from run.segment()):
            return
        if run.left() == 0:
            break
        run.decisions += 1
        start = len(run.ids)
        if negatives >= recap_after:
            run.draft_wasted += len(rest)
            rest = []
            yield from run.inject(s.help_recap_words)
            matches = yield from run.takeover(recap_len)
            negatives = 0
            recap_len = min(recap_len + s.add_each_recap, s.max_recap_token_num)
            recap_after = min(recap_after + s.add_each_neg, s.max_negative_num)
        else:
            matcher_before_word = run._tail
            if s.help_think_word:
                yield from run.inject(s.help_think_word)
            probe_start = len(run.ids)
            for token in rest[:run.left()]:  # the caches still hold these
                run.append(token, "draft")
            rest = []
            if not text.has_eos(run.ids[probe_start:]):
                yield from run.generate("draft", s.max_target_tokens - (len(run.ids) - probe_start))
            probe = run.cut(probe_start)
            draft_text = text.lower(probe)
            draft_sentiment = run.sentiment(draft_text)
            if not s.not_reasoning and draft_sentiment == 0:
                if s.help_think_word:
                    run.cut(start)
                    run._tail = matcher_before_word
                    run.draft_wasted += len(probe)
                    at_trigger = False
                    continue
                for token in probe:
                    run.append(token, "draft")
                    at_trigger = run._match_token(token)
                    if at_trigger or token in text.eos_ids:
                        break
                if text.has_eos(run.ids[probe_start:]):
                    run.draft_wasted += probe_start + len(probe) - len(run.ids)
                    return
                rest = probe[len(run.ids) - probe_start:]
                continue
            if run.left() > 0:
                run.validations += 1
            yield from run.generate("target", s.max_target_tokens)
            target_text = text.lower(run.ids[probe_start:])
            target_sentiment = run.sentiment(target_text)
            if s.choose_large or draft_sentiment < 0 <= target_sentiment or target_sentiment < 0 < draft_sentiment:
                run.draft_wasted += len(probe)
                kept_text, kept_sentiment = target_text, target_sentiment
            else:
                run.target_wasted += len(run.cut(probe_start))
                yield from run.restore(probe, "draft")
                kept_text, kept_sentiment = draft_text, draft_sentiment
            matches = run.match(run.ids[probe_start:])
            negatives += kept_sentiment < 0
            if text.has_eos(run.ids[probe_start:]):
                return
            if any(word in kept_text for word in s.verify) and run.left() > 0:
                matches += yield from run.takeover(s.original_recap_token_num)
        if text.has_eos(run.ids[start:]):
            return
        at_trigger = bool(matches) and matches[-1]
    run.draft_wasted += len(rest)
