# How sanitizers report in tests: sourced by launch/test.sh, which has set source_dir.
# shellcheck shell=bash
here=$source_dir/tests/sanitize
# Leaks are looked for where no MPI and no torch is linked (tests/CMakeLists.txt): what those keep until the end is theirs.
export ASAN_OPTIONS="suppressions=$here/address.txt:detect_leaks=0:strict_string_checks=1:detect_stack_use_after_return=1"
export UBSAN_OPTIONS="suppressions=$here/undefined.txt:print_stacktrace=1:halt_on_error=1"
export LSAN_OPTIONS="suppressions=$here/leak.txt:print_suppressions=0"
export TSAN_OPTIONS="suppressions=$here/thread.txt:ignore_noninstrumented_modules=1:halt_on_error=1:second_deadlock_stack=1"
