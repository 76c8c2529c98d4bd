#!/usr/bin/env python3
"""Holds files and folders to sizes at which they can be read. Exit code 1 with one line a violation.

No source file has more than 400 lines; a folder of src/, include/ or tests/ holds at most about 20 files.
"""

import sys
from pathlib import Path

MAX_LINES = 400
MAX_FILES = 24
SOURCES = {".cpp", ".h", ".cu", ".cuh", ".py", ".sh"}
FOLDERS = ["src", "include", "tests", "tools", "launch"]

# What is larger, with the reason. An entry that is no longer needed fails too.
KNOWN = {}


def violations(lines_of):
    """{path: number of lines} -> {path of a file or folder: what is wrong}."""
    found = {}
    count = {}
    for path, lines in lines_of.items():
        if lines > MAX_LINES:
            found[path] = f"{lines} lines, at most {MAX_LINES}: split it by subject"
        folder = path.rpartition("/")[0]
        count[folder] = count.get(folder, 0) + 1
    for folder, files in count.items():
        if files > MAX_FILES:
            found[folder] = f"{files} files, at most about 20: make folders of what belongs together"
    return found


def self_test():
    tree = {f"src/a/{n}.cpp": 400 for n in range(MAX_FILES)} | {f"src/b/{n}.cpp": 1 for n in range(MAX_FILES + 1)}
    assert set(violations(tree | {"tests/long.py": 401})) == {"src/b", "tests/long.py"}


def main():
    self_test()
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1])
    lines_of = {}
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SOURCES:
                lines_of[path.relative_to(root).as_posix()] = path.read_text(encoding="utf-8").count("\n")
    found = violations(lines_of)
    lines = [f"{path}: {wrong}" for path, wrong in found.items() if path not in KNOWN]
    lines += [f"{path}: no longer too large, remove it from KNOWN in tests/tree_sizes_test.py" for path in KNOWN if path not in found]
    print("\n".join(lines) or f"{len(lines_of)} files, {len(KNOWN)} known to be too large, no other")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
