#!/usr/bin/env python3
"""Holds every #include of src/, include/ and tests/ against the list of modules. Exit code 1 with one line a violation.

The rules:
- a module includes only itself and modules that stand after it in MODULES;
- a private header (src/<module>/...) is included by its own module and that module's tests alone, and by no public header;
- headers of torch, MPI, CUDA and NCCL stay where FOREIGN says;
- every folder of src/ and include/specthink/ is a module.
"""

import re
import sys
from pathlib import Path

MODULES = [  # the order is that of the design: each may include those after it
    "app", "server", "evaluation", "replay", "report", "engine", "model", "kernels", "comm", "schedule", "text", "jinja",
    "config", "base",
]
LOOSE_FILES = {"src/precompiled.cpp", "src/precompiled.h"}  # of no module

# What a foreign header's name begins with, and the modules that may include it.
FOREIGN = [
    (r"torch/torch\.h$", [], "takes half a minute to compile: include what is needed from ATen"),
    (r"(ATen|c10|torch)/", ["app", "engine", "model", "kernels", "comm"], "torch"),
    (r"mpi\.h$", ["comm"], "MPI"),
    (r"nccl", ["comm"], "NCCL"),
    (r"(cuda|cublas|cub/|cooperative_groups|nvml|nvtx|(c10|ATen)/cuda/)", ["kernels", "comm"], "CUDA"),
]

# Violations that are known: a pattern of "file -> header", and the reason. One that matches nothing any more fails too.
KNOWN = {
    r"tests/engine/decode_\w+(_cuda_ranks_test\.cpp|_fixture\.h) -> kernels/.*": "kernels compared with the operators, which stand above them",
    r"tests/fuzz/request\.cpp -> server/api/.*": "bodies of requests alone: what is public needs an engine",
    r"tests/fuzz/gguf\.cpp -> model/gguf/.*": "the parser alone: what is public writes a folder and needs torch",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
SOURCES = {".cpp", ".h", ".cu", ".cuh"}


def place(name):
    """A module's place in the list, or None."""
    return MODULES.index(name) if name in MODULES else None


def owner(path):
    """(module, kind) of a file by its path; kind is src, include or tests."""
    parts = path.split("/")
    if parts[0] == "include":
        return parts[2], "include"
    return (parts[1] if len(parts) > 2 else None), parts[0]


def resolve(header, path, files):
    """The file that a quoted header names, as the compiler would look for it."""
    beside = "/".join([*path.split("/")[:-1], header])
    roots = ["tests/", "src/", "include/"] if path.startswith("tests/") else ["src/", "include/"]
    return next((name for name in [beside, *(root + header for root in roots)] if name in files), None)


def check_quoted(path, header, files):
    module, kind = owner(path)
    target = resolve(header, path, files)
    if target is None:
        return "there is no such file in src/ or include/"
    target_module, target_kind = owner(target)
    if target_kind == "tests" or module is None:  # shared by tests; of no module
        return None
    if target_kind == "src" and (module != target_module or kind == "include"):
        return f"a private header of {target_module}"
    if kind != "tests" and module != target_module and place(target_module) <= place(module):
        return f"{module} may include only modules after it, and {target_module} stands before it or in its place"
    return None


def check_foreign(path, header):
    module, kind = owner(path)
    if kind == "tests" or module is None:
        return None
    for pattern, allowed, subject in FOREIGN:
        if re.match(pattern, header) and module not in allowed:
            return f"{subject}; {f'allowed in {chr(44).join(allowed)}' if allowed else 'allowed nowhere'}"
    return None


def violations(files):
    """{path: text} -> {"file -> header": what is wrong}."""
    found = {}
    for path, text in sorted(files.items()):
        module, kind = owner(path)
        if kind != "tests" and place(module) is None and path not in LOOSE_FILES:
            found[f"{path} -> {module}"] = "no module of the list"
            continue
        for bracket, header in INCLUDE.findall(text):
            wrong = check_quoted(path, header, files) if bracket == '"' else check_foreign(path, header)
            if wrong:
                found[f"{path} -> {header}"] = wrong
    return found


def self_test():
    """The rules find what they are for, in a made-up tree."""
    headers = ["src/text/own.h", "include/specthink/text/all.h", "include/specthink/engine/all.h", "src/engine/own.h"]
    good = {
        "src/engine/a.cpp": '#include "engine/own.h"\n#include "specthink/text/all.h"\n#include <ATen/ATen.h>\n#include <vector>\n',
        "tests/text/a_test.cpp": '#include "text/own.h"\n#include "specthink/engine/all.h"\n',
        "src/comm/a.cpp": "#include <mpi.h>\n#include <nccl.h>\n#include <cuda_runtime.h>\n",
    }
    bad = {
        "src/text/b.cpp": '#include "specthink/engine/all.h"\n',
        "src/engine/b.cpp": '#include "text/own.h"\n',
        "include/specthink/text/b.h": '#include "text/own.h"\n',
        "tests/engine/b_test.cpp": '#include "text/own.h"\n',
        "src/text/c.cpp": "# include <c10/core/Device.h>\n",
        "src/engine/c.cpp": "#include <cuda_runtime.h>\n",
        "src/kernels/c.cu": "#include <mpi.h>\n",
        "src/model/c.cpp": "#include <torch/torch.h>\n",
        "src/model/d.cpp": '#include "specthink/nothing.h"\n',
        "src/helpers/d.cpp": "",
    }
    found = violations(dict.fromkeys(headers, "") | good | bad)
    assert {key.split(" -> ")[0] for key in found} == set(bad), found


def main():
    self_test()
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1])
    files = {}
    for folder in ["src", "include/specthink", "tests"]:
        for path in (root / folder).rglob("*"):
            if path.suffix in SOURCES:
                files[path.relative_to(root).as_posix()] = path.read_text(encoding="utf-8")
    found = violations(files)
    lines = [f"{key}: {wrong}" for key, wrong in found.items() if not any(re.fullmatch(known, key) for known in KNOWN)]
    lines += [f"KNOWN: nothing matches {known!r} any more, remove it" for known in KNOWN
              if not any(re.fullmatch(known, key) for key in found)]
    print("\n".join(lines) or f"{len(files)} files, {len(KNOWN)} known violations, no other")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
