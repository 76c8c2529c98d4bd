#!/usr/bin/env bash
# Builds the fuzz targets of tests/fuzz into build/fuzz and runs each, one after the other. Needs clang (apt-get install
# clang) and what launch/setup.sh installs. Inputs that were found stay in build/fuzz, so that the next run goes on from them.
#
#   launch/fuzz.sh                    60 seconds a target
#   launch/fuzz.sh 600 yaml jinja     600 seconds each, these alone
#
# Exit code 1 when a target failed: the input is build/fuzz/findings/<target>/..., and running
# build/fuzz/fuzz_<target> on that file shows the failure again.
set -euo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=${SPECTHINK_BUILD_DIR:-$source_dir/build}
fuzz_dir=$build_dir/fuzz
seconds=${1:-60}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "fuzz: expected a number of seconds, found '$seconds'" >&2; exit 2; }
shift || true
targets=("$@")
[ $# -gt 0 ] || targets=(safetensors gguf tokenizer jinja yaml task answer request)
for target in "${targets[@]}"; do
  [ -f "$source_dir/tests/fuzz/$target.cpp" ] || { echo "fuzz: no target '$target' in tests/fuzz" >&2; exit 2; }
done

# The newest clang: early ones know less of C++20.
clang=
for name in clang++-{22,21,20,19,18,17,16,15,14} clang++; do
  ! command -v "$name" >/dev/null || { clang=$name; break; }
done
[ -n "$clang" ] || { echo "fuzz: no clang++ on PATH: apt-get install clang" >&2; exit 3; }

# CMake, ninja and torch as launch/setup.sh found them, where it ran.
export PATH=$PATH:$build_dir/venv/bin
torch=$(sed -n 's/^SPECTHINK_TORCH:PATH=//p' "$build_dir/CMakeCache.txt" 2>/dev/null || true)
mkdir -p "$fuzz_dir"
echo "== building with $clang in $fuzz_dir" >&2
{
  cmake -S "$source_dir" -B "$fuzz_dir" -G Ninja -DSPECTHINK_FUZZ=ON -DSPECTHINK_CUDA=OFF -DCMAKE_CXX_COMPILER="$clang" \
    ${torch:+"-DSPECTHINK_TORCH=$torch"} -DCMAKE_BUILD_TYPE=Fuzz -DCMAKE_CXX_FLAGS_FUZZ="-O1 -g1" &&
    cmake --build "$fuzz_dir" --target "${targets[@]/#/fuzz_}"
} >"$fuzz_dir/build.log" 2>&1 || {
  tail -n 40 "$fuzz_dir/build.log" >&2
  echo "fuzz: the build failed: see above, or $fuzz_dir/build.log" >&2
  exit 3
}

failed=()
for target in "${targets[@]}"; do
  corpus=$fuzz_dir/corpus/$target
  findings=$fuzz_dir/findings/$target
  log=$fuzz_dir/$target.log
  mkdir -p "$corpus" "$findings"
  dictionary=$source_dir/tests/fuzz/$target.dict
  code=0
  # An input that takes 10 s or 1 GiB is a finding too.
  "$fuzz_dir/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=1024 -max_len=16384 \
    -print_final_stats=1 -dict="$dictionary" -artifact_prefix="$findings/" "$corpus" "$source_dir/tests/fuzz/corpus/$target" >"$log" 2>&1 || code=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  coverage=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
  if [ "$code" = 0 ]; then
    echo "fuzz: $target: $runs inputs in $seconds s, $coverage edges covered, nothing found"
  else
    failed+=("$target")
    echo "fuzz: $target: FAILED after $runs inputs, see $log"
    grep -m 1 -E 'ERROR: |runtime error: |terminate called|what\(\)' "$log" || true
    sed -n 's/.*Test unit written to /  input: /p' "$log"
  fi
done
[ ${#failed[@]} = 0 ] || { echo "fuzz: failed: ${failed[*]}" >&2; exit 1; }
