#!/usr/bin/env bash
# What configuring says of libraries that are missing or too old, and that the documents have the same table.
#   tests/launch/dependencies_test.sh BUILD_DIR      a configured build folder: its CMake, ninja, compiler and torch are used
set -euo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$source_dir/tests/launch/expect.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build_dir/CMakeCache.txt"; }
build_dir=$1
cmake=$(cached CMAKE_COMMAND)

configure() {  # ARGUMENT...: `code` and $work/out are the outcome
  code=0
  rm -rf "$work/build"
  "$cmake" -S "$source_dir" -B "$work/build" -G Ninja -DCMAKE_MAKE_PROGRAM="$(cached CMAKE_MAKE_PROGRAM)" \
    -DCMAKE_CXX_COMPILER="$(cached CMAKE_CXX_COMPILER)" -DSPECTHINK_TORCH="$(cached SPECTHINK_TORCH)" -DSPECTHINK_CUDA=OFF "$@" >"$work/out" 2>&1 || code=$?
}
# A package of CMake's that is there with this version.
package() {  # NAME VERSION
  mkdir -p "$work/$1"
  touch "$work/$1/$1-config.cmake"
  printf 'set(PACKAGE_VERSION %s)\nset(PACKAGE_VERSION_COMPATIBLE TRUE)\n' "$2" >"$work/$1/$1-config-version.cmake"
}
said() { grep -qF -- "$1" "$work/out"; }
failed() { [ "$code" != 0 ] && [ "$(grep -c 'CMake Error' "$work/out")" = 1 ]; }

configure
expect "what is here is new enough" [ "$code" = 0 ]
expect "what is here is listed for the program, and no test library" grep -q '{"fmt", "' "$work/build/generated/libraries.inc"
expect "what is here is listed for the program, and no test library" bash -c "! grep -q GoogleTest '$work/build/generated/libraries.inc'"

package fmt 8.1.1
package nlohmann_json 3.10.5
configure -Dfmt_DIR="$work/fmt" -Dnlohmann_json_DIR="$work/nlohmann_json" -DCMAKE_DISABLE_FIND_PACKAGE_yaml-cpp=ON \
  -DUTF8PROC_INCLUDE_DIR="$work" -DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON -DCMAKE_DISABLE_FIND_PACKAGE_MPI=ON
expect "all problems are one error" failed
expect "a version that is too old is named" said "fmt: expected 9.1 or newer, found 8.1.1 (libfmt-dev)"
expect "another one, too" said "nlohmann-json: expected 3.11 or newer, found 3.10.5 (nlohmann-json3-dev)"
expect "what is missing is named" said "yaml-cpp: expected 0.7 or newer, found none (libyaml-cpp-dev)"
expect "headers that are missing are named" said "utf8proc: expected 2.8 or newer, found none"
expect "GoogleTest is asked for by the tests" said "GoogleTest: expected 1.12 or newer, found none"
expect "MPI is named" said "Open MPI: expected 4.1 or newer, found none (libopenmpi-dev)"
expect "what to do is said" said "launch/setup.sh installs what is missing"
expect "what is there is not named" bash -c "! grep -q 'spdlog: expected' '$work/out'"

mkdir -p "$work/torch/include/ATen"
touch "$work/torch/include/ATen/ATen.h"
echo "__version__ = '2.6.0+cpu'" >"$work/torch/version.py"
configure -DSPECTHINK_TORCH="$work/torch" -DSPECTHINK_TESTS=OFF -DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON
expect "an old LibTorch is one error" failed
expect "an old LibTorch is named" said "LibTorch: expected 2.7 or newer, found 2.6.0"

expect "docs/operations.md has the table" python3 - "$source_dir" <<'PYTHON'
import pathlib, sys
root = pathlib.Path(sys.argv[1])
rows = [line.split(" | ") for line in (root / "src/dependencies.txt").read_text().splitlines() if line and line[0] != "#"]
document = (root / "docs/operations.md").read_text().splitlines()
missing = [row[0] for row in rows if not any(line.startswith(f"| {row[0]} | {row[1]} | {row[2]} |") for line in document)]
assert len(rows) >= 12 and not missing, missing
setup = (root / "launch/setup.sh").read_text()
packages = [row[4] for row in rows if row[4].startswith(("lib", "nlohmann", "g++"))]
assert len(packages) >= 10 and not [package for package in packages if package not in setup]
PYTHON

echo "$failures failed"
[ "$failures" = 0 ]
