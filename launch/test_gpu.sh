#!/usr/bin/env bash
# Runs every test that needs GPUs (ctest label gpu), with 1 rank and, where there are as many GPUs, with 2 and 4.
# Needs a build; works on one that was made elsewhere and copied: launch/test_gpu.sh [BUILD_DIR]
#
#   SPECTHINK_SOAK_STEPS=200000   a long soak of decode steps (default 2000)
#   SPECTHINK_SANITIZER=memcheck  the tests of single kernels under compute-sanitizer instead (memcheck, racecheck, ...):
#                                 this program's kernels alone, with fewer sizes
set -euo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=${1:-${SPECTHINK_BUILD_DIR:-$source_dir/build}}
. "$source_dir/launch/mpirun.sh"
cd "$source_dir"

gpus=$(nvidia-smi --list-gpus 2>/dev/null | wc -l)
[ "$gpus" -gt 0 ] || { echo "test_gpu: no GPU here (nvidia-smi lists none)" >&2; exit 3; }
shopt -s nullglob
programs=("$build_dir"/*_ranks_tests)
[ ${#programs[@]} -gt 0 ] || { echo "test_gpu: no tests in $build_dir: run launch/setup.sh first" >&2; exit 2; }

export SPECTHINK_TEST_DEVICE=cuda SPECTHINK_CHECK_INTERVAL=1
if [ -n "${SPECTHINK_SANITIZER:-}" ]; then
  exec compute-sanitizer --tool "$SPECTHINK_SANITIZER" --kernel-name kns=specthink --error-exitcode 1 \
    "$build_dir/kernels_ranks_tests" --gtest_brief=1
fi
failed=0
for program in "${programs[@]}"; do
  for ranks in 1 2 4; do
    [ "$ranks" -le "$gpus" ] || continue
    printf '== %s on %s GPU(s)\n' "$(basename "$program")" "$ranks"
    run_ranks "$ranks" "$program" --gtest_brief=1 || { failed=1; printf 'FAILED: %s on %s GPU(s)\n' "$(basename "$program")" "$ranks"; }
    # The tests of decode steps once more with the kernels for any GPU.
    [ "$(basename "$program")" = engine_ranks_tests ] || continue
    SPECTHINK_TEST_KERNELS=portable run_ranks "$ranks" "$program" --gtest_brief=1 --gtest_filter='Shapes/*' ||
      { failed=1; printf 'FAILED: portable kernels on %s GPU(s)\n' "$ranks"; }
  done
done
exit $failed
