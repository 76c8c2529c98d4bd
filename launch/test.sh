#!/usr/bin/env bash
# Installs what is missing, builds, and runs all tests. Arguments go to ctest (for example -R tokenizer).
set -euo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=${SPECTHINK_BUILD_DIR:-$source_dir/build}

"$source_dir/launch/setup.sh"

ctest=$(dirname "$(sed -n 's/^CMAKE_COMMAND:INTERNAL=//p' "$build_dir/CMakeCache.txt")")/ctest
# GPU tests run with launch/test_gpu.sh on a machine that has GPUs.
exec "$ctest" --test-dir "$build_dir" --output-on-failure --label-exclude gpu -j "$(nproc)" "$@"
