#!/usr/bin/env bash
# launch/setup.sh, demo.sh and test.sh on machines where nothing, some and all of what they need is there. Every tool is a stand-in
# (fake_tool.sh) that writes down how it was called: nothing is downloaded or built.  tests/launch/setup_test.sh
set -euo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$source_dir/tests/launch/expect.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
real_python=$(python3 -c "import sys; print(sys.executable)")  # python3 may be a script that chooses one
fake_tool=$source_dir/tests/launch/fake_tool.sh

# A machine of its own for each case: a PATH with the basic commands and the named tools, no package missing, root.
machine() {  # NAME TOOL...
  fake=$work/$1
  shift
  build_dir="$fake/a build"  # a folder that is not there yet
  mkdir -p "$fake/bin/packages"
  local command
  for command in bash cat cp dirname env grep ln mkdir readlink rm sed sort tail touch; do
    ln -s "$(command -v "$command")" "$fake/bin/$command"
  done
  for command in dpkg-query apt-get id nproc ldd mpirun "$@"; do ln -s "$fake_tool" "$fake/bin/$command"; done
  echo 4.1.0 >"$fake/cmake_version"
  echo 0 >"$fake/user"
  : >"$fake/missing_packages"
}
torch_headers() { mkdir -p "$fake/bin/packages/torch/include/ATen" && touch "$fake/bin/packages/torch/include/ATen/ATen.h"; }
torch_python() {  # VERSION CUDA
  mkdir -p "$fake/bin/packages/torch" && touch "$fake/bin/packages/torch/__init__.py"
  printf "__version__ = '%s'\ncuda: Optional[str] = %s\n" "$1" "$2" >"$fake/bin/packages/torch/version.py"
}

# Runs a script of launch/ there: `code`, $fake/out (both streams) and $fake/calls (of this run alone) are the outcome.
launch() {  # SCRIPT ARGUMENT...
  local script=$1
  shift
  : >"$fake/calls"
  code=0
  env -i PATH="$fake/bin" HOME="$fake" CUDA_HOME="$fake/cuda" FAKE="$fake" FAKE_TOOL="$fake_tool" REAL_PYTHON="$real_python" \
    SPECTHINK_BUILD_DIR="$build_dir" "${environment[@]}" "$source_dir/launch/$script" "$@" >"$fake/out" 2>&1 || code=$?
}
environment=()

called() { grep -q -- "$1" "$fake/calls"; }
not_called() { ! called "$1"; }
pip_checks_files() { called "pip install" && ! grep "pip install" "$fake/calls" | grep -v -- "--require-hashes --only-binary :all:"; }
said() { grep -q -- "$1" "$fake/out"; }
succeeded() { [ "$code" = 0 ] || { cat "$fake/out"; return 1; }; }
failed_saying() { [ "$code" = 3 ] && said "$1"; }
configured_with() { grep -q -- "^cmake -S .*$1" "$fake/calls"; }

# --- Nothing is there: packages, then a virtual environment with LibTorch, CMake and ninja ---
machine nothing python3
printf '%s\n' g++ python3-venv libgtest-dev >"$fake/missing_packages"
launch setup.sh
expect "nothing there: it succeeds" succeeded
expect "nothing there: the missing packages alone are installed" called "^apt-get install .*--no-install-recommends g++ python3-venv libgtest-dev$"
expect "nothing there: torch comes without the libraries of a GPU" called "pip install .*--no-deps -r .*/requirements/torch_cpu.txt$"
expect "nothing there: what pip installs is checked against its checksums" pip_checks_files
expect "nothing there: cmake comes from the wheel" configured_with "-DCMAKE_MAKE_PROGRAM=$build_dir/venv/bin/ninja"
expect "nothing there: that torch is used" configured_with "-DSPECTHINK_TORCH=$build_dir/venv/bin/packages/torch -DSPECTHINK_CUDA=OFF"
expect "nothing there: everything is built" called "^cmake --build $build_dir$"
expect "nothing there: it says where the program is" said "built $build_dir/specthink"

launch setup.sh
expect "a second run succeeds" succeeded
expect "a second run installs no package" not_called "^apt-get"
expect "a second run makes no environment and installs nothing" not_called "^python3 -m \(venv\|pip install\)"
expect "a second run builds what has changed" called "^cmake --build"

# --- All is there: no virtual environment, a build folder that does not exist yet ---
machine all python3 cmake ninja
torch_headers
torch_python 2.11.0+cpu None
launch setup.sh
expect "all there: it succeeds" succeeded
expect "all there: nothing is installed" not_called "^apt-get\|^python3 -m"
expect "all there: the torch of python3 is used" configured_with "-DCMAKE_MAKE_PROGRAM=$fake/bin/ninja -DSPECTHINK_TORCH=$fake/bin/packages/torch"
expect "all there: the log is in the new build folder" grep -q configured "$build_dir/configure.log"

for script in demo.sh test.sh; do
  build_dir=$fake/build_of_$script
  ln -sf "$fake_tool" "$fake/bin/ctest"
  launch "$script"
  expect "all there: $script succeeds" succeeded
done
expect "test.sh builds everything" called "^cmake --build $build_dir$"
expect "test.sh runs the tests of the build folder" called "^ctest --test-dir $build_dir .*-j 2 "
expect "test.sh: the client of the OpenAI API gets an environment of its own" called "^python3 -m pip install .*--require-hashes .*/requirements/clients.txt$"
expect "test.sh: what pip installs is checked against its checksums" pip_checks_files
launch demo.sh --num-problems 3
expect "demo.sh builds the program alone" called "^cmake --build $build_dir --target specthink$"
expect "demo.sh compares on two ranks, with its arguments" called "^mpirun .*-np 2 $build_dir/specthink bench .*demo.yml .*--num-problems 3$"
launch demo.sh --real "$fake/models"
expect "demo.sh --real without its files names the one that is missing" said "expected the target in $fake/models/qwen2.5-coder-1.5b.gguf, which is not there"
expect "demo.sh --real without its files builds nothing" not_called "^cmake"
mkdir -p "$fake/models" "$build_dir"/real_pair/{target,draft}
touch "$fake/models/qwen2.5-coder-"{1.5b,0.5b}.gguf "$build_dir"/real_pair/{target,draft}/tokenizer_config.json  # imported before
launch demo.sh --real "$fake/models" --num-problems 1
expect "demo.sh --real succeeds" succeeded
expect "demo.sh --real compares the imported pair, with its arguments" called "^mpirun .*specthink bench .*real_pair.yml --target $build_dir/real_pair/target .*--num-problems 1$"
launch setup.sh program
expect "the program alone can be asked for" called "^cmake --build $build_dir --target specthink$"
launch setup.sh libraries
expect "libraries alone: nothing is built" not_called "^cmake -\(S\|-build\)"
launch setup.sh packages
expect "packages alone: torch is not looked for" not_called "^\(python3\|cmake\)"
launch setup.sh program tests
expect "an unknown step is refused" failed_saying "unknown step 'program tests'"

launch setup.sh eval
expect "evaluations: it succeeds" succeeded
expect "evaluations: math-verify and datasets get an environment of their own" called "^python3 -m pip install .*--require-hashes .*/requirements/eval.txt$"
expect "evaluations: what pip installs is checked against its checksums" pip_checks_files
expect "evaluations: what starts math-verify is beside them" test -f "$build_dir/eval/math_verify_helper.py"
expect "evaluations: nothing is built" not_called "^cmake"
launch setup.sh eval
expect "evaluations: a second run installs nothing" not_called "pip install"

launch setup.sh clients
expect "clients: it succeeds" succeeded
expect "clients: a second run installs nothing" not_called "pip install"
expect "clients: nothing is built" not_called "^cmake"
rm -rf "$build_dir/clients"
touch "$fake/no_network"
launch test.sh
rm "$fake/no_network"
expect "no network: test.sh runs without the client" succeeded
expect "no network: it says what is not tested" said "the official client of the OpenAI API is not there"

touch "$fake/cmake_fails"
launch setup.sh
expect "a failed configuration names its log" failed_saying "$build_dir/configure.log"
expect "a failed configuration builds nothing" not_called "^cmake --build"

# --- Some is there, or does not fit ---
machine old_cmake python3 cmake ninja
torch_headers
torch_python 2.11.0 "'13.0'"
echo 3.25.1 >"$fake/cmake_version"
launch setup.sh
expect "cmake before 4: the wheel is installed, and nothing else" called "pip install .*--require-hashes .*/requirements/tools.txt$"
expect "cmake before 4: the wheel is used" grep -q "CMAKE_COMMAND:INTERNAL=$build_dir/venv/bin/cmake" "$build_dir/CMakeCache.txt"
expect "cmake before 4: torch and ninja of the machine are used" configured_with "$fake/bin/ninja -DSPECTHINK_TORCH=$fake/bin/packages"

machine no_headers python3 cmake ninja
torch_python 2.11.0 "'13.0'"
launch setup.sh
expect "torch without headers: it says why that torch is not used" said "bin/packages/torch is not used: its C++ headers"
expect "torch without headers: the wheel is used" configured_with "-DSPECTHINK_TORCH=$build_dir/venv/bin/packages/torch"

machine old_torch python3 cmake ninja
torch_headers
torch_python 2.4.1 "'12.1'"
launch setup.sh
expect "an old torch: it says which is needed" said "is not used: 2.7 or newer"
expect "an old torch: the wheel is used" configured_with "-DSPECTHINK_TORCH=$build_dir/venv/bin/packages/torch"

machine gpu python3 cmake ninja nvcc
torch_headers
torch_python 2.11.0+cpu None
launch setup.sh
expect "nvcc and a torch without CUDA: it says so" said "is not used: it was built without CUDA"
expect "nvcc and a torch without CUDA: the wheel with its libraries is used" called "pip install .*--require-hashes .*/requirements/torch.txt$"
expect "nvcc: CUDA code is built" configured_with "-DSPECTHINK_CUDA=ON"
environment=(SPECTHINK_CUDA=OFF SPECTHINK_CUDA_ARCHITECTURES=80)
launch setup.sh
expect "SPECTHINK_CUDA=OFF: the torch without CUDA is used" configured_with "-DSPECTHINK_TORCH=$fake/bin/packages/torch -DSPECTHINK_CUDA=OFF"
expect "SPECTHINK_CUDA_ARCHITECTURES is passed on" configured_with "-DSPECTHINK_CUDA_ARCHITECTURES=80"

environment=(SPECTHINK_SANITIZE=address)
launch setup.sh
expect "an instrumented build has a folder of its own, and no CUDA code" \
  configured_with "-B $build_dir/sanitize_address .*-DSPECTHINK_CUDA=OFF -DSPECTHINK_SANITIZE=address"
environment=()
for sanitizer in "" thread; do
  ln -sf "$fake_tool" "$fake/bin/ctest"
  ln -sf "$(command -v setarch)" "$fake/bin/setarch"
  launch test.sh --sanitize $sanitizer
  expect "test.sh --sanitize $sanitizer succeeds" succeeded
  expect "test.sh --sanitize $sanitizer builds everything" called "^cmake --build $build_dir/sanitize_${sanitizer:-address}$"
  expect "test.sh --sanitize $sanitizer leaves scripts out" called "^ctest --test-dir $build_dir/sanitize_${sanitizer:-address} .*--\(exclude\|tests\)-regex"
done
launch test.sh --sanitize thread -R comm
expect "test.sh --sanitize thread: arguments go to ctest" called "^ctest .*sanitize_thread .* -R comm$"

machine no_nvcc python3 cmake ninja
environment=(SPECTHINK_CUDA=ON)
launch setup.sh
expect "CUDA asked for without nvcc: that is the message" failed_saying "SPECTHINK_CUDA=ON, but there is no nvcc"
environment=()

# --- What cannot be installed ---
machine no_root python3 cmake ninja
printf '%s\n' libpcre2-dev libutf8proc-dev >"$fake/missing_packages"
echo 1000 >"$fake/user"
launch setup.sh
expect "no root: the packages and the command are named" failed_saying "Ask an administrator for: apt-get install libpcre2-dev libutf8proc-dev"
expect "no root: nothing is tried" not_called "^apt-get\|^python3\|^cmake"
: >"$fake/missing_packages"
torch_headers
torch_python 2.11.0 "'13.0'"
launch setup.sh
expect "no root is needed where no package is missing" succeeded

machine no_network python3 cmake ninja
touch "$fake/no_network"
launch setup.sh
expect "no network: what pip could not install is named" failed_saying "pip could not install torch, nvidia-cuda-cupti, nvidia-cuda-runtime, .*launch/requirements/torch_cpu.txt (found: Python 3"
echo libfmt-dev >"$fake/missing_packages"
launch setup.sh
expect "no network: the missing packages are named" failed_saying "apt-get update failed.*libfmt-dev"

# --- The lists of what is downloaded ---
for source in "$source_dir"/launch/requirements/*.in; do
  expect "$(basename "$source" .in): everything has one version and the checksums of its files" "$real_python" - "$source" <<'PYTHON'
import pathlib, re, sys
source = pathlib.Path(sys.argv[1])
text = source.with_suffix(".txt").read_text()
entries = [entry for entry in re.sub(r"\\\n", " ", text).splitlines() if entry and not entry.startswith("#")]
names = set()
for entry in entries:
    match = re.fullmatch(r"([a-z0-9-]+)==\S+( ; [^\\]*?)?((?: +--hash=sha256:[0-9a-f]{64})+)", entry.rstrip())
    assert match, entry[:120]
    names.add(match.group(1))
asked = {re.split(r"[\[<>=]", line)[0].strip() for line in source.read_text().splitlines() if line and not line.startswith("#")}
assert asked and asked <= names, asked - names
exact = {line for line in source.read_text().splitlines() if "==" in line}
assert all(any(entry.startswith(line + " ") for entry in entries) for line in exact), exact
PYTHON
done

echo "$failures failed"
[ "$failures" = 0 ]
