#!/usr/bin/env python3
"""Compares the tests that were skipped with tests/allowed_skips.txt.

  check_skips.py RESULTS.xml      what ctest wrote with --output-junit and --test-output-size-passed 10000000

Exit code 1, with one line a test, when a test was skipped that must not be. Skips are those of ctest's own tests, and those
that GoogleTest prints: ctest sees one test for all of a process.
"""

import fnmatch
import os
import re
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONDITIONS = ["no-data", "no-gpu", "no-tool"]
STARTED_LINE = re.compile(r"^\[ RUN      \] (\S+)", re.MULTILINE)
SKIPPED_LINE = re.compile(r"^\[  SKIPPED \] ([^\s,]+\.[^\s,]+)", re.MULTILINE)


def read_allowed(path):
    """[(pattern, condition)]"""
    allowed = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != 3 or not all(fields) or fields[1] not in CONDITIONS:
            sys.exit(f"{path}:{number}: expected pattern | {' or '.join(CONDITIONS)} | reason, found {line!r}")
        allowed.append((fields[0], fields[1]))
    return allowed


def read_results(path):
    """({names of tests that ran or were skipped}, {(name, on a GPU) of those skipped})"""
    text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "?", path.read_text(encoding="utf-8", errors="replace"))
    ran, skipped = set(), set()
    for case in xml.fromstring(text).iter("testcase"):
        name = case.get("name")
        ran.add(name)
        on_gpu = ".gpu_ranks_" in name
        output = case.findtext("system-out") or ""
        if case.get("status") == "notrun":
            skipped.add((name, on_gpu))
        else:
            ran.update(STARTED_LINE.findall(output))
            skipped.update((inner, on_gpu) for inner in SKIPPED_LINE.findall(output))
    return ran, skipped


def problems(allowed, ran, skipped, have_data):
    lines = []
    for name, on_gpu in sorted(skipped):
        holds = {"no-data": not have_data, "no-gpu": not on_gpu, "no-tool": True}
        matching = [condition for pattern, condition in allowed if fnmatch.fnmatchcase(name, pattern)]
        if not matching:
            lines.append(f"{name} was skipped and is not in tests/allowed_skips.txt")
        elif not any(holds[condition] for condition in matching):
            lines.append(f"{name} was skipped, which is allowed for '{matching[0]}' alone, and that is not so here")
    skipped_names = {name for name, _ in skipped}
    for pattern, condition in allowed:
        if condition != "no-data" or have_data:
            continue
        lines += [f"{name} needs no recorded data: take it from tests/allowed_skips.txt"
                  for name in sorted(ran - skipped_names) if fnmatch.fnmatchcase(name, pattern)]
    return lines


def self_test():
    allowed = [("a.*", "no-data"), ("b.gpu", "no-gpu")]
    assert problems(allowed, {"a.x", "c.y"}, {("a.x", False)}, have_data=False) == []
    for skipped, have_data in [({("a.x", False)}, True), ({("c.y", False)}, False), ({("b.gpu", True)}, True), (set(), False)]:
        assert len(problems(allowed, {"a.x"}, skipped, have_data)) >= 1, (skipped, have_data)


def main():
    self_test()
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if not Path(sys.argv[1]).exists():
        sys.exit(f"{sys.argv[1]} is not there: ctest ran no test")
    allowed = read_allowed(ROOT / "tests" / "allowed_skips.txt")
    ran, skipped = read_results(Path(sys.argv[1]))
    have_data = (Path(os.environ.get("SPECTHINK_DATA") or ROOT.parent / "shared" / "data") / "qwen3-tokenizer").is_dir()
    lines = problems(allowed, ran, skipped, have_data)
    print("\n".join(lines) or f"skips: {len({name for name, _ in skipped})} of {len(ran)} tests and of those under mpirun, all allowed"
          f" ({'with' if have_data else 'without'} recorded data)")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
