#!/usr/bin/env bash
# launch/mpirun_2gpu.sh and what a signal to it does.  tests/launch/mpirun_test.sh [BUILD_DIR]
set -euo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$source_dir/tests/launch/expect.sh"
build_dir=$(cd "${1:-${SPECTHINK_BUILD_DIR:-$source_dir/build}}" && pwd)
export SPECTHINK=$build_dir/specthink
script=$source_dir/launch/mpirun_2gpu.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

task=(bench --config "$source_dir/configs/demo.yml" --device cpu --test-mode spec --num-problems 2 --num-runs 3 --max-tokens 120)
export OMPI_MCA_mpi_yield_when_idle=1  # other tests may want the cores

expect "the job succeeds" "$script" "${task[@]}" --output-dir whole 2>whole.err >whole.out
expect "two ranks share the models" grep -q "2 ranks, rank 0 on CPU" whole.err
expect "RANKS is the number of ranks" grep -q "3 ranks on 1 node" <(RANKS=3 "$script" doctor --device cpu)
answer=$(echo "What is 2+2?" | "$script" generate --config "$source_dir/configs/demo.yml" --device cpu --max-tokens 5 2>piped.err)
expect "a prompt on stdin reaches rank 0" test -n "$answer"
fails() { ! SPECTHINK=/no/program "$script" 2>missing.err && grep -q "run launch/setup.sh" missing.err; }
expect "a missing program is named" fails

for signal in USR1 TERM; do
  folder=stopped_by_$signal
  "$script" "${task[@]}" --output-dir "$folder" 2>"$folder.err" >"$folder.out" &
  job=$!
  await has_lines "$folder" 1
  kill -"$signal" "$job"
  code=0
  wait "$job" || code=$?
  expect "$signal: the exit code is 143" test "$code" = 143
  expect "$signal: it says how to go on" grep -q "go on with --resume" "$folder.err"
  expect "$signal: the job goes on" "$script" "${task[@]}" --output-dir "$folder" --resume 2>"$folder.err" >"$folder.out"
  expect "$signal: its runs are those of one piece" same_runs whole "$folder"
done

if command -v shellcheck >/dev/null; then
  cd "$source_dir"  # sourced files are found from here
  expect "shellcheck has nothing to say" shellcheck -x launch/*.sh launch/*.sbatch tests/launch/*.sh docker/*.sh
fi
echo "$failures failed"
[ "$failures" = 0 ]
