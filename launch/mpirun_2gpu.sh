#!/usr/bin/env bash
# Two ranks on this machine, one GPU each; on CPUs where there is no GPU.
#
#   launch/mpirun_2gpu.sh generate --config configs/qwen3_1.7b_32b_2gpu.yml "How many primes are below 100?"
#   RANKS=4 launch/mpirun_2gpu.sh bench --config configs/qwen3_1.7b_32b.yml
#
# The arguments are those of specthink; without any, the demo runs. RANKS (2) is the number of ranks, CUDA_VISIBLE_DEVICES
# chooses the GPUs, SPECTHINK the program (a container: docker/README.md). SIGUSR1 or SIGTERM end it in order.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/launch/job.sh"

[ $# -gt 0 ] || set -- bench --config "$root/configs/demo.yml"
code=0
run_forwarding_signals mpirun "${mpirun_flags[@]}" -np "${RANKS:-2}" "${program[@]}" "$@" || code=$?
exit "$code"
