#!/usr/bin/env bash
# Writes launch/requirements/*.txt anew from *.in: every package with its version and the checksums of all its files, for Python 3.10
# and newer on every platform. Needs uv (pip install uv).  launch/requirements/pin.sh [NAME...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
command -v uv >/dev/null || { echo "pin: no uv on PATH: pip install uv" >&2; exit 3; }
names=("$@")
[ $# -gt 0 ] || names=(torch torch_cpu tools eval clients)
for name in "${names[@]}"; do
  flags=()
  [ "$name" != torch_cpu ] || flags=(--no-deps)
  # What is there already stays as it is where it still fits; --upgrade in FLAGS takes the newest.
  uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
    --custom-compile-command launch/requirements/pin.sh ${FLAGS:-} "${flags[@]}" "$name.in" -o "$name.txt"
done
