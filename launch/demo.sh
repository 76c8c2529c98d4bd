#!/usr/bin/env bash
# Installs what is missing, builds, and runs the main job: a benchmark of two ranks over a small pair of models.
# Arguments go to `specthink bench` (for example --num-problems 5).
set -euo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=${SPECTHINK_BUILD_DIR:-$source_dir/build}

"$source_dir/launch/setup.sh"
. "$source_dir/launch/mpirun.sh"

printf '== target alone against speculative thinking, two ranks\n' >&2
run_ranks 2 "$build_dir/specthink" bench --config "$source_dir/configs/demo.yml" --output-dir "$build_dir/demo_results" "$@"
printf '== the result files are in %s\n' "$build_dir/demo_results" >&2
