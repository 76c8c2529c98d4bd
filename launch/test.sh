#!/usr/bin/env bash
# Installs what is missing, builds, and runs all tests. Arguments go to ctest (for example -R text for the tests
# of src/text; GTEST_FILTER chooses among them).
set -euo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=${SPECTHINK_BUILD_DIR:-$source_dir/build}

"$source_dir/launch/setup.sh"

ctest=$(dirname "$(sed -n 's/^CMAKE_COMMAND:INTERNAL=//p' "$build_dir/CMakeCache.txt")")/ctest
# GPU tests run with launch/test_gpu.sh on a machine that has GPUs.
results=$build_dir/test_results.xml
rm -f "$results"
status=0
"$ctest" --test-dir "$build_dir" --output-on-failure --label-exclude gpu -j "$(nproc)" \
  --output-junit "$results" --test-output-size-passed 10000000 --test-output-size-failed 10000000 "$@" || status=$?
# A test that was skipped and is not in tests/allowed_skips.txt has failed.
python3 "$source_dir/tests/check_skips.py" "$results" || status=1
exit "$status"
