#!/usr/bin/env bash
# A server in the manner of the OpenAI API on this machine, one GPU a rank; on CPUs where there is no GPU.
#
#   launch/serve.sh --config configs/qwen3_1.7b_32b_2gpu.yml --port 8000
#   RANKS=1 launch/serve.sh --config configs/demo.yml
#
# The arguments are those of `specthink serve`; without any, the demo pair is served. RANKS (2) is the number of ranks,
# CUDA_VISIBLE_DEVICES chooses the GPUs, SPECTHINK the program (a container: docker/README.md). SIGTERM and SIGUSR1 end it in
# order: what was accepted is answered first (--drain-timeout).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/launch/job.sh"

[ $# -gt 0 ] || set -- --config "$root/configs/demo.yml"
code=0
run_forwarding_signals mpirun "${mpirun_flags[@]}" -np "${RANKS:-2}" "${program[@]}" serve "$@" || code=$?
exit "$code"
