#!/usr/bin/env python3
"""Sources of a folder may be compiled as one file (a unity build): what stands in their unnamed namespaces has names of its own.

A compiler says so as well, but only of the files that a build has: those of CUDA tests are left out on machines without nvcc.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VALUE = re.compile(r"^(?:inline |static |constexpr |const )+[\w:<>,* ]*?\b(k[A-Z]\w*)\b")
TYPE = re.compile(r"^(?:struct|class|enum class) (\w+)\b(?!::)[^;]*$")


def names_of(path):
    for line in path.read_text().splitlines():
        if match := VALUE.match(line) or TYPE.match(line):
            yield match.group(1)


def clashes(folder):
    files_of = defaultdict(set)
    for path in sorted(folder.glob("*.cpp")):
        for name in names_of(path):
            files_of[name].add(path.name)
    return [f"{folder}: {name} stands in {', '.join(sorted(files))}" for name, files in files_of.items() if len(files) > 1]


def check_itself():
    assert VALUE.match("constexpr std::int64_t kTail = 64;").group(1) == "kTail"
    assert VALUE.match("const std::vector<std::string> kOpen{1};").group(1) == "kOpen"
    assert TYPE.match("class Pool final : public Source {").group(1) == "Pool"
    assert not TYPE.match("struct Forward;")
    assert not TYPE.match("struct Tokenizer::Impl {")
    assert not VALUE.match("  constexpr int kInside = 1;")


check_itself()
found = []
for top in ("src", "tests"):
    for folder in [ROOT / top, *(path for path in (ROOT / top).rglob("*") if path.is_dir())]:
        if (ROOT / "tests/fuzz") not in [folder, *folder.parents]:
            found += clashes(folder)
print("\n".join(found) or "no name stands in two sources of a folder")
sys.exit(bool(found))
