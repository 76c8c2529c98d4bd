#!/usr/bin/env bash
# The batch scripts in a real Slurm on this machine, on CPUs with two tasks a job. Exit code 77: Slurm is not installed.
#   tests/launch/slurm_test.sh [BUILD_DIR]
set -euo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$source_dir/tests/launch/local_slurm.sh"
. "$source_dir/tests/launch/expect.sh"
build_dir=$(cd "${1:-${SPECTHINK_BUILD_DIR:-$source_dir/build}}" && pwd)
work=$(mktemp -d)
export SPECTHINK=$build_dir/specthink SPECTHINK_ROOT=$source_dir
[ -x "$SPECTHINK" ] || { echo "no $SPECTHINK: run launch/setup.sh first" >&2; exit 2; }

finish() {
  local code=$?
  stop_slurm
  if [ "$code" = 77 ] || [ "$code$failures" = 00 ]; then rm -rf "$work"; else echo "kept for a look: $work" >&2; fi
}
trap finish EXIT
start_slurm "$work/slurm"
cd "$work"

log_of() { cat "$work"/slurm-"$1"*.out; }
says() { log_of "$1" | grep -qF -- "$2"; }  # JOB TEXT
state_of() { scontrol --oneliner show job "$1" | grep -o 'JobState=[A-Z]*' | sort -u; }

has_state() { [ "$(state_of "$1")" = "JobState=$2" ]; }

on_cpus=(--parsable --gpus-per-node=0 --cpus-per-task=1 --time=20)
export OMPI_MCA_mpi_yield_when_idle=1  # ranks share cores with each other and with other tests
task=(--config "$source_dir/configs/demo.yml" --test-mode spec --num-problems 5 --num-runs 1 --max-tokens 120)
long_task=(--config "$source_dir/configs/demo.yml" --test-mode spec --num-problems 3 --num-runs 4 --max-tokens 200)

echo "== slurm_2gpu.sbatch, with srun and with mpirun"
expect "srun: the job succeeds" env SPECTHINK_OUTPUT_DIR=srun sbatch "${on_cpus[@]}" --wait --output=slurm-srun.out \
  "$source_dir/launch/slurm_2gpu.sbatch" "${task[@]}"
expect "srun: two ranks share the models" says srun "2 ranks, rank 0 on CPU"
expect "srun: all runs are in the result" count_runs srun 5
expect "mpirun: the job succeeds" env LAUNCHER=mpirun SPECTHINK_OUTPUT_DIR=mpirun sbatch "${on_cpus[@]}" --wait \
  --output=slurm-mpirun.out "$source_dir/launch/slurm_2gpu.sbatch" "${task[@]}"
expect "mpirun: two ranks share the models" says mpirun "2 ranks, rank 0 on CPU"
expect "mpirun: the same runs as with srun" same_runs srun mpirun
expect "another command: doctor" sbatch "${on_cpus[@]}" --wait --output=slurm-doctor.out \
  "$source_dir/launch/slurm_2gpu.sbatch" doctor "${task[@]:0:2}"
expect "doctor: knows who started it" says doctor "2 ranks on 1 node"
expect "doctor: times the ranks' all-reduce" says doctor "10 KB in"
if sbatch "${on_cpus[@]}" --wait --output=slurm-wrong.out "$source_dir/launch/slurm_2gpu.sbatch" --target /no/model; then
  expect "an error of the program fails the job" false
else
  expect "an error of the program fails the job" says wrong "/no/model"
fi

echo "== slurm_multinode.sbatch, two nodes"
expect "the job succeeds" env SPECTHINK_OUTPUT_DIR=nodes sbatch "${on_cpus[@]}" --ntasks-per-node=1 --wait \
  --output=slurm-nodes.out "$source_dir/launch/slurm_multinode.sbatch" "${task[@]}"
expect "one rank on each" says nodes ", 1 ranks each"
expect "two ranks share the models" says nodes "2 ranks, rank 0 on CPU"
expect "the same runs as on one node" same_runs srun nodes
expect "mpirun: the job succeeds" env LAUNCHER=mpirun SPECTHINK_OUTPUT_DIR=nodes_mpirun sbatch "${on_cpus[@]}" \
  --ntasks-per-node=1 --wait --output=slurm-nodes_mpirun.out "$source_dir/launch/slurm_multinode.sbatch" "${task[@]}"
expect "mpirun: the same runs as on one node" same_runs srun nodes_mpirun

echo "== slurm_array.sbatch, three parts"
expect "the array succeeds" env SPECTHINK_OUTPUT_DIR=array sbatch "${on_cpus[@]}" --array=0-2 --wait \
  "$source_dir/launch/slurm_array.sbatch" "${task[@]}"
expect "the parts are merged" has_result array
expect "the merged runs are those of one job" same_runs srun array
array_fails() { ! sbatch "${on_cpus[@]}" --array=1-2 --wait --output=slurm-numbered.out "$source_dir/launch/slurm_array.sbatch"; }
expect "an array that is not numbered from 0 fails" array_fails
expect "and says what to do" says numbered "set PARTS"

for launcher in srun mpirun; do
  echo "== stopping, with $launcher"
  folder=stop_$launcher
  export LAUNCHER=$launcher SPECTHINK_OUTPUT_DIR=$folder
  job=$(sbatch "${on_cpus[@]}" "$source_dir/launch/slurm_2gpu.sbatch" "${long_task[@]}")
  await has_lines "$folder" 1
  scancel "$job"
  expect "scancel: the job ends" await has_state "$job" CANCELLED
  # Ranks that Slurm itself stops end in order; mpirun kills its ranks two seconds after Slurm's SIGTERM.
  [ "$launcher" = mpirun ] ||
    expect "scancel: it says where the finished runs are" await says "$job" "go on with --resume"
  expect "scancel: there is no result yet" test -z "$(find "$folder" -name '*.json')"

  # What --signal=B:USR1@60 does before the time limit; then the job goes back into the queue by itself.
  job=$(REQUEUE=1 sbatch "${on_cpus[@]}" "$source_dir/launch/slurm_2gpu.sbatch" "${long_task[@]}")
  await says "$job" "resuming"
  await has_lines "$folder" 3
  scancel --batch --signal=USR1 "$job"
  expect "USR1: it stops in order and is requeued" await says "$job" "back into the queue"
  expect "the requeued job finishes" await has_state "$job" COMPLETED
  expect "all runs are in the result" count_runs "$folder" 12
done
expect "both ways end with the same runs" same_runs stop_srun stop_mpirun

echo "$failures failed"
[ "$failures" = 0 ]
