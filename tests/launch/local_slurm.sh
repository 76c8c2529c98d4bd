# A real Slurm on this machine, for tests; sourced. Two nodes (slurmd runs twice), its own munge, ports and
# folder; touches nothing of a Slurm that is installed here.
#   start_slurm FOLDER    starts it, sets SLURM_CONF; exit code 77 with a message where it is not installed
#   stop_slurm            ends what was started
# shellcheck shell=bash

skip() {
  echo "skipped: $*" >&2
  exit 77
}

start_slurm() {
  slurm=$1
  local program
  PATH=$PATH:/usr/sbin:/sbin
  for program in slurmctld slurmd munged sbatch srun scancel scontrol; do
    command -v "$program" >/dev/null ||
      skip "no $program here: apt-get install slurmctld slurmd slurm-client munge"
  done
  [ "$(id -u)" = 0 ] || skip "slurmd starts jobs as root only"
  mkdir -p "$slurm"/{state,munge}
  chmod 700 "$slurm/munge"

  head -c 1024 /dev/urandom >"$slurm/munge/key"
  chmod 400 "$slurm/munge/key"
  munged --force --socket="$slurm/munge/socket" --key-file="$slurm/munge/key" --pid-file="$slurm/munge/pid" \
    --log-file="$slurm/munge/log" --seed-file="$slurm/munge/seed"

  local host ports
  host=$(hostname -s)
  ports=$((20000 + $$ % 10000 * 3))
  # The first node has the host's name, so that mpirun there starts ranks itself; the second makes it go through Slurm.
  mkdir -p "$slurm/tmp_$host" "$slurm/tmp_two"
  cat >"$slurm/slurm.conf" <<CONF
ClusterName=specthink_test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$ports
SlurmdParameters=config_overrides
AuthType=auth/munge
AuthInfo=socket=$slurm/munge/socket,cred_expire=5
SlurmUser=root
SlurmdUser=root
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
KillWait=10
MinJobAge=600
StateSaveLocation=$slurm/state
TmpFS=$slurm/tmp_%n
SlurmdSpoolDir=$slurm/spool_%n
SlurmctldPidFile=$slurm/slurmctld.pid
SlurmdPidFile=$slurm/slurmd_%n.pid
SlurmctldLogFile=$slurm/slurmctld.log
SlurmdLogFile=$slurm/slurmd_%n.log
NodeName=$host NodeHostname=$host NodeAddr=127.0.0.1 Port=$((ports + 1)) CPUs=4 State=UNKNOWN
NodeName=two Weight=2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((ports + 2)) CPUs=4 State=UNKNOWN
PartitionName=test Nodes=$host,two Default=YES MaxTime=60 OverSubscribe=FORCE:4 State=UP
CONF
  export SLURM_CONF=$slurm/slurm.conf
  slurmctld
  slurmd -N "$host"
  slurmd -N two
  local try
  for try in $(seq 60); do
    sinfo --noheader -o '%T' 2>/dev/null | grep -q '^idle$' && return
    [ "$try" != 60 ] || { tail -n 20 "$slurm"/*.log >&2; echo "the local Slurm does not come up" >&2; return 1; }
    sleep 0.5
  done
}

stop_slurm() {
  local pid process processes=()
  if [ "${SLURM_CONF:-}" = "$slurm/slurm.conf" ]; then  # otherwise commands would go to another Slurm
    scancel --quiet --user="$(id -un)" 2>/dev/null || true
    for _ in $(seq 60); do  # a job whose end nobody hears of stays
      [ -n "$(squeue --noheader 2>/dev/null)" ] || break
      sleep 0.5
    done
  fi
  for pid in "$slurm"/slurmd_*.pid "$slurm/slurmctld.pid" "$slurm/munge/pid"; do
    [ -s "$pid" ] || continue
    process=$(cat "$pid")
    kill "$process" 2>/dev/null && processes+=("$process")
  done
  for process in "${processes[@]}"; do  # until the last state is saved: the caller may remove the folder
    for _ in $(seq 40); do
      kill -0 "$process" 2>/dev/null || break
      sleep 0.25
    done
  done
}
