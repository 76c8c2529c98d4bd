#!/usr/bin/env bash
# Installs what is missing, builds, and runs all tests. Arguments go to ctest (for example -R text for the tests
# of src/text; GTEST_FILTER chooses among them).
#
#   launch/test.sh --sanitize [thread] [ARGUMENT...]    the same on an instrumented CPU build in a folder of its own:
#       AddressSanitizer and UndefinedBehaviorSanitizer, or ThreadSanitizer for what has threads. A finding ends the process
#       and fails its test; what is left out, and why, is in tests/sanitize.
set -euo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=${SPECTHINK_BUILD_DIR:-$source_dir/build}

run=()
if [ "${1:-}" = --sanitize ]; then
  shift
  export SPECTHINK_SANITIZE=address
  if [ "${1:-}" = thread ]; then
    SPECTHINK_SANITIZE=thread
    shift
    run=(setarch -R)  # it wants addresses where it expects them
  fi
fi
"$source_dir/launch/setup.sh"
# In a process of its own: without it one test is skipped, and says so.
"$source_dir/launch/setup.sh" clients || echo "test: the official client of the OpenAI API is not there, and not tested" >&2
if [ -n "${SPECTHINK_SANITIZE:-}" ]; then
  build_dir=$build_dir/sanitize_$SPECTHINK_SANITIZE
  . "$source_dir/tests/sanitize/options.sh"
  # Scripts and rules of the tree have nothing to instrument. Threads are those of the watchdog, the server and the judge.
  if [ $# = 0 ]; then
    case $SPECTHINK_SANITIZE in
      address) set -- --exclude-regex '^(launch|tree)\.' ;;
      thread) set -- --tests-regex '^(base$|comm|evaluation|server|app\.(failures|groups|judge|batch)$)' ;;
    esac
  fi
fi

ctest=$(dirname "$(sed -n 's/^CMAKE_COMMAND:INTERNAL=//p' "$build_dir/CMakeCache.txt")")/ctest
# GPU tests run with launch/test_gpu.sh on a machine that has GPUs.
results=$build_dir/test_results.xml
rm -f "$results"
status=0
"${run[@]}" "$ctest" --test-dir "$build_dir" --output-on-failure --label-exclude gpu -j "$(nproc)" \
  --output-junit "$results" --test-output-size-passed 10000000 --test-output-size-failed 10000000 "$@" || status=$?
# A test that was skipped and is not in tests/allowed_skips.txt has failed.
python3 "$source_dir/tests/check_skips.py" "$results" || status=1
exit "$status"
