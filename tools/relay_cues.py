#!/usr/bin/env python3
"""Finds cues for policy relay (docs/policies.md): texts behind which the target is sure of its sentence to the end.

    for f in texts/*.txt; do specthink score --config CONFIG --margins --format json --prompt-file "$f"; done > scores.jsonl
    tools/relay_cues.py scores.jsonl --tokenizer TARGET_FOLDER

Reads lines of `specthink score --margins --format json` of texts that the target has written. For each word that begins a
sentence or clause, and for each word with the comma behind it, it takes the mean margin (probability of the likeliest token
minus that of the second) from behind the word to the end of the sentence, and prints those whose sentences have a higher mean
than the text, best first: cue, occurrences, mean margin, and standard errors above the mean of all sentences.
"""

import argparse
import collections
import json
import math
import re
import sys

SENTENCE_END = re.compile(r"[.!?]|\n\n")
WORD = re.compile(r"[A-Za-z]+,?")


def sentences(texts, margins):
    """(words of the sentence with the token behind each, margins) of each sentence; `texts`: of the tokens."""
    begin = 0
    for i, text in enumerate(texts):
        if SENTENCE_END.search(text) or i + 1 == len(texts):
            yield texts[begin : i + 1], margins[begin : i + 1]
            begin = i + 1


def cues_of(texts):
    """(cue, index of the token that completes it) of a sentence, each cue once."""
    text = ""
    ends = []  # character behind each token
    for token in texts:
        text += token
        ends.append(len(text))
    seen = set()
    for match in WORD.finditer(text):
        for cue in {match.group(), match.group().rstrip(",")}:
            if cue in seen or len(cue) < 2:
                continue
            seen.add(cue)
            end = match.start() + len(cue)
            yield cue, next(i for i, character in enumerate(ends) if character >= end)


def collect(runs):
    """{cue: mean margins behind it, one a sentence}, and the mean margins of all sentences."""
    by_cue = collections.defaultdict(list)
    of_sentences = []
    for texts, margins in runs:
        for sentence, own in sentences(texts, margins):
            of_sentences.append(sum(own) / len(own))
            for cue, last in cues_of(sentence):
                behind = own[last + 1 :]
                if behind:
                    by_cue[cue].append(sum(behind) / len(behind))
    return by_cue, of_sentences


def rank(by_cue, of_sentences, least):
    """(cue, occurrences, mean, standard errors above the mean of all sentences), best first."""
    mean = sum(of_sentences) / len(of_sentences)
    variance = sum((value - mean) ** 2 for value in of_sentences) / max(1, len(of_sentences) - 1)
    rows = []
    for cue, values in by_cue.items():
        own = sum(values) / len(values)
        error = math.sqrt(variance / len(values)) or 1e-9
        if len(values) >= least and own > mean:
            rows.append((cue, len(values), own, (own - mean) / error))
    return sorted(rows, key=lambda row: -row[3]), mean


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores", help="JSONL of specthink score --margins --format json; - for stdin")
    parser.add_argument("--least", type=int, default=20, help="occurrences that a cue needs (20)")
    parser.add_argument("--most", type=int, default=30, help="cues that are printed (30)")
    parser.add_argument("--yaml", action="store_true", help="print the line of a configuration instead of the table")
    arguments = parser.parse_args()
    lines = sys.stdin if arguments.scores == "-" else open(arguments.scores, encoding="utf-8")
    runs = []
    for number, line in enumerate(lines, 1):
        run = json.loads(line)
        if "margins" not in run or "texts" not in run:
            sys.exit(f"{arguments.scores}:{number}: expected the keys margins and texts; score with --margins")
        # margins[i] is of the distribution that texts[i + 1] was drawn from.
        runs.append((run["texts"][1:], run["margins"]))
    if not runs:
        sys.exit(f"{arguments.scores}: no scored text in it")
    rows, mean = rank(*collect(runs), arguments.least)
    rows = rows[: arguments.most]
    if arguments.yaml:
        print("cues: " + json.dumps([row[0] for row in rows], ensure_ascii=False))
        return
    print(f"mean margin of all sentences: {mean:.4f}")
    for cue, count, own, above in rows:
        print(f"{cue!r:24} {count:6}  {own:.4f}  {above:+.1f}")


if __name__ == "__main__":
    main()
