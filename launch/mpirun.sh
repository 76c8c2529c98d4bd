# shellcheck shell=bash
# How the scripts here start ranks; sourced. `run_ranks N PROGRAM ...`, or mpirun "${mpirun_flags[@]}" -np N PROGRAM ...
#
# --quiet: a failing rank says itself what is wrong. Root (containers) and more ranks than cores are fine here.
mpirun_flags=(--quiet --oversubscribe --bind-to none)  # unbound: a rank may use several cores
[ "$(id -u)" != 0 ] || mpirun_flags+=(--allow-run-as-root)

run_ranks() {
  local ranks=$1
  shift
  mpirun "${mpirun_flags[@]}" -np "$ranks" "$@"
}
