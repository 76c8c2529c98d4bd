#!/usr/bin/env bash
# Compiles the CUDA code for several generations of GPUs, to see that it compiles: no GPU is needed, and nothing is run. Needs nvcc
# and what launch/setup.sh installs. The folder is build/gpus.
#
#   launch/compile_gpus.sh           for 80 86 89 90a 100 120: Ampere, Ada, Hopper, Blackwell
#   launch/compile_gpus.sh 86 120    for these alone
set -euo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=${SPECTHINK_BUILD_DIR:-$source_dir/build}
gpus_dir=$build_dir/gpus
generations=("$@")
[ $# -gt 0 ] || generations=(80 86 89 90a 100 120)
for generation in "${generations[@]}"; do
  [[ $generation =~ ^[0-9]+a?$ ]] || { echo "compile_gpus: expected numbers such as 80 or 90a, found '$generation'" >&2; exit 2; }
done

SPECTHINK_CUDA=ON "$source_dir/launch/setup.sh" libraries
# CMake, ninja and torch as launch/setup.sh found them.
export PATH=$build_dir/venv/bin:$PATH:${CUDA_HOME:-/usr/local/cuda}/bin
torch=$(sed -n 's/^SPECTHINK_TORCH:PATH=//p' "$build_dir/CMakeCache.txt" 2>/dev/null || true)
mkdir -p "$gpus_dir"
failed=()
for generation in "${generations[@]}"; do
  log=$gpus_dir/$generation.log
  if cmake -S "$source_dir" -B "$gpus_dir/$generation" -G Ninja -DSPECTHINK_CUDA=ON -DSPECTHINK_TESTS=OFF \
      ${torch:+"-DSPECTHINK_TORCH=$torch"} -DSPECTHINK_CUDA_ARCHITECTURES="$generation" >"$log" 2>&1 &&
    cmake --build "$gpus_dir/$generation" --target specthink_kernels >>"$log" 2>&1; then
    echo "compile_gpus: $generation: compiles"
  else
    failed+=("$generation")
    tail -n 20 "$log" >&2
    echo "compile_gpus: $generation: FAILED, see $log"
  fi
done
[ ${#failed[@]} = 0 ] || { echo "compile_gpus: failed: ${failed[*]}" >&2; exit 1; }
