#!/usr/bin/env bash
# Installs what is missing, builds the program, and runs the main job on two ranks: a try-out of every kind of decision with random models,
# then the comparison on the trained pair that ships in models/demo, then one of its answers with the origin of each word.
# Arguments go to the comparison (for example --num-problems 10).
#
#   launch/demo.sh --real DIR [ARGUMENTS]   compares a real pair instead: qwen2.5-coder-1.5b.gguf and
#                                           qwen2.5-coder-0.5b.gguf (Q4_K_M of the instruct models) in DIR
set -euo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=${SPECTHINK_BUILD_DIR:-$source_dir/build}
results=$build_dir/demo_results

# What a real pair is made of, as DIR/NAME.gguf.
declare -A real_models=([target]=qwen2.5-coder-1.5b [draft]=qwen2.5-coder-0.5b)
real_dir=
if [ "${1:-}" = --real ]; then
  real_dir=${2:-}
  for model in target draft; do
    file=$real_dir/${real_models[$model]}.gguf
    [ -n "$real_dir" ] && [ -f "$file" ] && continue
    echo "demo: --real '$real_dir': expected the $model in $file, which is not there; give the folder that holds" \
      "${real_models[target]}.gguf and ${real_models[draft]}.gguf" >&2
    exit 2
  done
  shift 2
fi

say() { printf '\n== %s\n' "$*"; }

"$source_dir/launch/setup.sh" program
. "$source_dir/launch/mpirun.sh"
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}  # two ranks share a small machine
specthink=$build_dir/specthink

if [ -n "$real_dir" ]; then
  for model in target draft; do
    folder=$build_dir/real_pair/$model
    [ -f "$folder/tokenizer_config.json" ] && continue
    say "importing $real_dir/${real_models[$model]}.gguf"
    rm -rf "$folder"  # of an import that was interrupted
    mkdir -p "$build_dir/real_pair"
    "$specthink" import "$real_dir/${real_models[$model]}.gguf" "$folder"
  done
  say "the real pair: the target alone, speculative thinking, the draft alone"
  pair=(--config "$source_dir/configs/real_pair.yml" --target "$build_dir/real_pair/target" --draft "$build_dir/real_pair/draft")
  run_ranks 2 "$specthink" bench "${pair[@]}" --output-dir "$results" "$@"
  say "one answer: green words are the target's, the others the draft's"
  run_ranks 2 "$specthink" generate "${pair[@]}" "A baker sells 17 trays of 24 rolls each. How many rolls are that?"
  say "the result files are in $results"
  exit 0
fi

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
