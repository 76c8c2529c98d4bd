# What mpirun_2gpu.sh and the Slurm scripts share; sourced with `root` set to the checkout.
# shellcheck shell=bash disable=SC2154
. "$root/launch/mpirun.sh"

say() { printf 'launch: %s\n' "$*" >&2; }
die() {
  local code=$1
  shift
  say "$*"
  exit "$code"
}

# The program and what stands before it: SPECTHINK="apptainer exec --nv specthink.sif specthink" runs it in a container.
read -ra program <<<"${SPECTHINK:-$root/build/specthink}"
command -v "${program[0]}" >/dev/null || die 2 "${program[0]} is not there: run launch/setup.sh, or set SPECTHINK to the program"

# Runs a command (a program: a shell function would be a shell of its own that the signal ends) and returns its exit code. SIGUSR1 and SIGTERM to this script (Slurm's --signal, scancel, docker stop)
# become SIGUSR1 to the command, which mpirun and srun hand on to the ranks: they end at the next segment with the runs
# so far on disk. A SIGTERM to mpirun itself would kill them within two seconds. A second SIGTERM does that.
run_forwarding_signals() {
  local child code signalled=0 terminated=0
  "$@" <&0 &
  child=$!
  trap 'signalled=1; kill -USR1 "$child" 2>/dev/null' USR1
  trap 'signalled=1; if [ "$terminated" = 0 ]; then kill -USR1 "$child"; else kill -TERM "$child"; fi 2>/dev/null; terminated=1' TERM
  trap 'signalled=1; kill -INT "$child" 2>/dev/null' INT
  while :; do
    code=0
    wait "$child" || code=$?
    [ "$signalled" = 1 ] || break
    signalled=0  # `wait` ended because of the signal, not because the command did: wait again
  done
  trap - USR1 TERM INT
  return "$code"
}

# srun starts the ranks itself where Slurm speaks PMIx; otherwise mpirun does, inside the allocation. LAUNCHER decides.
choose_launcher() {
  if [ -n "${LAUNCHER:-}" ]; then
    echo "$LAUNCHER"
  elif srun --mpi=list 2>&1 | grep -qw pmix; then
    echo srun
  else
    echo mpirun
  fi
}

# Starts the program with these arguments on every task of the Slurm allocation; returns its exit code.
run_tasks() {
  # A rank is bound to its own cores here, so the number of its threads is not to be divided by the ranks of the node.
  export OMP_NUM_THREADS=${OMP_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-1}}
  # Nothing of NCCL or UCX is set: they find NVLink and InfiniBand themselves. Where they choose a wrong network, set
  # NCCL_SOCKET_IFNAME, NCCL_IB_HCA or UCX_NET_DEVICES before sbatch, which passes the environment on.
  case $(choose_launcher) in
    srun)
      local flags=(--mpi=pmix --kill-on-bad-exit=1)  # one failed rank ends the step at once
      # srun does not take this over from sbatch (Slurm 22.05 and later).
      [ -z "${SLURM_CPUS_PER_TASK:-}" ] || flags+=(--cpus-per-task="$SLURM_CPUS_PER_TASK")
      # Every rank sees all GPUs of its node and takes the one of its local rank: NCCL's peer-to-peer copies need the
      # other GPUs to be visible.
      [ "${SLURM_GPUS_ON_NODE:-0}" = 0 ] || flags+=(--gpu-bind=none)
      run_forwarding_signals srun "${flags[@]}" "${program[@]}" "$@"
      ;;
    mpirun) run_forwarding_signals mpirun "${mpirun_flags[@]}" -np "$SLURM_NTASKS" "${program[@]}" "$@" ;;
    *) die 2 "LAUNCHER is '$LAUNCHER', expected srun or mpirun" ;;
  esac
}

# Runs the job of a batch script: its arguments are those of specthink, beginning with the command; flags alone are those
# of bench, and nothing is the demo. A benchmark writes into SPECTHINK_OUTPUT_DIR (default benchmark_results/NAME) and goes
# on where an earlier job in that folder stopped. `job_flags` come before the user's, which win.
run_job() {
  local name=$1
  shift
  [ $# -gt 0 ] || set -- bench --config "$root/configs/demo.yml"
  [[ $1 != -* ]] || set -- bench "$@"
  results=${SPECTHINK_OUTPUT_DIR:-benchmark_results/$name}
  local command=$1
  shift
  [ "$command" != bench ] || set -- --output-dir "$results" --resume "${job_flags[@]}" "$@"
  local code=0
  run_tasks "$command" "$@" || code=$?
  if [ "$code" = 143 ]; then
    say "stopped early; the finished runs are in $results"
    if [ "${REQUEUE:-0}" = 1 ]; then
      say "back into the queue (REQUEUE=1)"
      scontrol requeue "$SLURM_JOB_ID"
    else
      say "to go on: SPECTHINK_OUTPUT_DIR=$results sbatch ... with the same arguments; REQUEUE=1 does it at the time limit"
    fi
  fi
  return "$code"
}
job_flags=()
