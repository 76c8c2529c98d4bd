#!/usr/bin/env bash
# Installs what is missing, builds the program, and runs the main job on two ranks: a try-out of every kind of decision with random models,
# then the comparison on the trained pair that ships in models/demo, then one of its answers with the origin of each word.
# Arguments go to the comparison (for example --num-problems 10).
set -euo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=${SPECTHINK_BUILD_DIR:-$source_dir/build}
results=$build_dir/demo_results

say() { printf '\n== %s\n' "$*"; }

"$source_dir/launch/setup.sh" program
. "$source_dir/launch/mpirun.sh"
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}  # two ranks share a small machine
specthink=$build_dir/specthink

say "random models, a schedule that makes every kind of decision"
run_ranks 2 "$specthink" bench --config "$source_dir/configs/random_pair.yml" --target "$build_dir/random_pair/target" \
  --draft "$build_dir/random_pair/draft" --output-dir "$results"

say "the trained pair: the target alone, speculative thinking, the draft alone"
run_ranks 2 "$specthink" bench --config "$source_dir/configs/demo.yml" --output-dir "$results" "$@"

say "one answer: green words are the target's, the others the draft's"
problem=$(python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["problem"])' <"$source_dir/configs/tasks/demo.jsonl")
run_ranks 2 "$specthink" generate --config "$source_dir/configs/demo.yml" \
  "Work through the list, one thought for each step. $problem"

say "the result files are in $results"
