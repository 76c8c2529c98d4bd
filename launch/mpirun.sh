# shellcheck shell=bash
# How the scripts here start ranks; sourced. `run_ranks N PROGRAM ...`
#
# --quiet: a failing rank says itself what is wrong. Root (containers) and more ranks than cores are fine here.
run_ranks() {
  local ranks=$1
  shift
  local flags=(--quiet --oversubscribe --bind-to none)  # unbound: a rank may use several cores
  [ "$(id -u)" != 0 ] || flags+=(--allow-run-as-root)
  mpirun "${flags[@]}" -np "$ranks" "$@"
}
