#!/usr/bin/env bash
# How much longer demo problems take on a busy machine: runs each program on two ranks, alone and with a busy loop beside each
# core, in turns. On a quiet machine, from anywhere: tools/busy_machine.sh PROGRAM... (specthink of one or more builds).
# ROUNDS=3 and BENCH_FLAGS="--num-problems 3" may be set.
set -euo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$source_dir/launch/mpirun.sh"
export OMP_NUM_THREADS=1
[ $# -gt 0 ] || set -- "$source_dir/build/specthink"

loops=()
results=$(mktemp -d)
stop_loops() {
  [ ${#loops[@]} = 0 ] || kill "${loops[@]}"
  wait
  loops=()
}
trap 'stop_loops; rm -rf "$results"' EXIT
start_loops() {
  local core
  for ((core = 0; core < $(nproc); ++core)); do
    timeout 1800 bash -c 'while :; do :; done' &  # none outlives a script that is killed by long
    loops+=($!)
  done
}

# seconds PROGRAM: wall time of the benchmark, start and end of the job included
seconds() {
  local begin=$EPOCHREALTIME
  # shellcheck disable=SC2086  # flags are several words
  run_ranks 2 "$1" bench --config "$source_dir/configs/demo.yml" ${BENCH_FLAGS:---num-problems 3} --num-runs 1 \
    --output-dir "$results/$RANDOM" >"$results/out" 2>"$results/err" || { cat "$results/err" >&2 && return 1; }
  awk -v begin="$begin" -v end="$EPOCHREALTIME" 'BEGIN { printf "%.2f", end - begin }'
}

printf '%-8s %-8s %-8s %s\n' alone busy ratio program
for ((round = 1; round <= ${ROUNDS:-3}; ++round)); do
  for program in "$@"; do
    alone=$(seconds "$program")
    start_loops
    busy=$(seconds "$program")
    stop_loops
    awk -v alone="$alone" -v busy="$busy" -v program="$program" \
      'BEGIN { printf "%-8s %-8s %-8.1f %s\n", alone, busy, busy / alone, program }'
  done
done
