#!/usr/bin/env bash
# Installs what is missing and builds specthink into build/. Safe to run twice; says what it does.
#
#   launch/setup.sh              everything, tests included
#   launch/setup.sh program      without the tests
#   launch/setup.sh packages     only the distribution's packages  \ steps of their own, so that an image
#   launch/setup.sh libraries    only LibTorch, CMake and ninja    / (docker/) need not repeat them for each change
#   launch/setup.sh eval         only the Python packages of evaluations: math-verify and datasets
#   launch/setup.sh clients      only the Python packages of tests: the official client of the OpenAI API
#   launch/setup.sh runtime      only the packages that a built program needs to run, as the build found them
#
#   SPECTHINK_CUDA=ON|OFF|AUTO   build the CUDA code (default AUTO: when nvcc is found)
#   SPECTHINK_CUDA_ARCHITECTURES=80   for other GPUs than Hopper
#   SPECTHINK_BUILD_DIR=DIR      build folder (default build/ in the checkout)
#   SPECTHINK_SANITIZE=address|thread   an instrumented CPU build in build/sanitize_address or _thread (launch/test.sh --sanitize)
#
# Packages come from the distribution (Debian 12, Ubuntu 24.04 or newer; needs root only when one is missing). LibTorch and
# NCCL come from an installed torch (python3 -c "import torch"), else from the PyPI wheel in a virtual environment inside
# the build folder, CMake and ninja as well. What pip installs is named with its checksums in launch/requirements: nothing
# that differs from them, and nothing that they do not name, is installed.
set -euo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=${SPECTHINK_BUILD_DIR:-$source_dir/build}
want_cuda=${SPECTHINK_CUDA:-AUTO}
sanitize=${SPECTHINK_SANITIZE:-}
requirements=$source_dir/launch/requirements
step=${1:-all}
[ $# -le 1 ] || step="$*"

say() { printf '== %s\n' "$*" >&2; }
die() {
  printf 'setup: %s\n' "$*" >&2
  exit 3
}

# --- Packages of the distribution ---------------------------------------------------------------------------------------
packages=(g++ make pkg-config python3 python3-venv openmpi-bin libopenmpi-dev libyaml-cpp-dev libboost-program-options-dev
  libgtest-dev nlohmann-json3-dev libpcre2-dev libutf8proc-dev libspdlog-dev libfmt-dev)

# What a built program runs on: mpirun, python3 for the demo, and the packages of the shared libraries it was linked with,
# which are called differently in each release of a distribution.
runtime_packages=(openmpi-bin python3)
runtime_list=$build_dir/runtime_packages  # written by the build

list_runtime_packages() {
  command -v dpkg-query >/dev/null || return 0
  local library
  ldd "$build_dir/specthink" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | while read -r library; do
    # Under either name where /lib is a link; libraries of the virtual environment belong to no package.
    { dpkg-query -S "$(readlink -f "$library")" "$library" 2>/dev/null || true; } | sed -n '1s/:.*//p'
  done | sort -u
}

missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || echo "$package"
  done
}

install_packages() {
  command -v dpkg-query >/dev/null || {
    say "this is no Debian or Ubuntu: expecting these packages to be there: $*"
    return
  }
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || die "these packages are missing: ${missing[*]}. Ask an administrator for: apt-get install ${missing[*]}"
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || die "apt-get update failed: check the network and the package sources (missing: ${missing[*]})"
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    die "apt-get could not install: ${missing[*]}"
}

# --- LibTorch, CMake, ninja -----------------------------------------------------------------------------------------------
find_nvcc() {
  command -v nvcc || { [ -x "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" ] && echo "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc"; }
}

# The folder of a torch package that fits: any with headers, and one built for CUDA when CUDA code is to be built. Says why
# another one is not used, since gigabytes are loaded then.
installed_torch() {
  local python=$1
  command -v "$python" >/dev/null || return 1
  "$python" - "$with_cuda" <<'PYTHON'
import importlib.util, pathlib, re, sys
spec = importlib.util.find_spec("torch")
if not spec or not spec.submodule_search_locations:
    sys.exit(1)
folder = pathlib.Path(spec.submodule_search_locations[0])
def refuse(why):
    sys.exit(f"== torch in {folder} is not used: {why}")
if not (folder / "include/ATen/ATen.h").exists() or not (folder / "version.py").exists():
    refuse("its C++ headers are not there")
version = (folder / "version.py").read_text()
release = re.search(r"__version__ = '(\d+)\.(\d+)", version)
if not release or tuple(map(int, release.groups())) < (2, 7):
    refuse("2.7 or newer is needed")
if sys.argv[1] == "yes" and not re.search(r"cuda[^\n]*= '[0-9.]+'", version):
    refuse("it was built without CUDA")
print(folder)
PYTHON
}

venv_python=$build_dir/venv/bin/python3

make_venv() {
  [ -x "$venv_python" ] && "$venv_python" -m pip --version >/dev/null 2>&1 && return
  say "making a virtual environment in $build_dir/venv"
  mkdir -p "$build_dir"
  python3 -m venv "$build_dir/venv" || die "python3 -m venv failed: install python3-venv"
}

# pip_install PYTHON LIST [FLAG...]: what requirements/LIST.txt names. Wheels alone: what a package is built with would be loaded
# without a checksum.
pip_install() {
  local python=$1 list=$2
  shift 2
  say "installing $(packages_of "$list") with pip"
  "$python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: "$@" -r "$requirements/$list.txt" ||
    die "pip could not install $(packages_of "$list"), whose files must be those of launch/requirements/$list.txt (found: $(
      "$python" -c 'import platform; print("Python", platform.python_version(), "on", platform.machine())' || true)); see its message above"
}

packages_of() {  # LIST: as its source names them, without their versions
  local names list
  mapfile -t names < <(sed -E '/^#/d; s/[[<>=].*//' "$requirements/$1.in")
  printf -v list '%s, ' "${names[@]}"
  echo "${list%, }"
}

find_torch() {
  torch_dir=$(installed_torch python3) || torch_dir=$(installed_torch "$venv_python") || torch_dir=
  [ -z "$torch_dir" ] || return 0
  make_venv
  if [ "$with_cuda" = yes ]; then
    pip_install "$venv_python" torch  # 4.6 GB with its CUDA libraries
  else
    pip_install "$venv_python" torch_cpu --no-deps  # 1.25 GB
  fi
  torch_dir=$(installed_torch "$venv_python") || die "torch is installed in $build_dir/venv, but its headers are not there"
}

install_tools() {
  make_venv
  pip_install "$venv_python" tools
}

# A build tool that is new enough, or the wheel.
find_tools() {
  cmake=$(command -v cmake || true)
  if [ -z "$cmake" ] || ! "$cmake" --version | grep -qE 'version ([4-9]|[1-9][0-9])\.'; then
    cmake=$build_dir/venv/bin/cmake
    [ -x "$cmake" ] || install_tools
  fi
  ninja=$(command -v ninja || true)
  if [ -z "$ninja" ]; then
    ninja=$build_dir/venv/bin/ninja
    [ -x "$ninja" ] || install_tools
  fi
}

# --- Evaluations ----------------------------------------------------------------------------------------------------------
# math-verify, which the judge asks for what its own arithmetic leaves open, and datasets, with which get_task.py reads the
# hub, in a virtual environment of their own beside the program.
install_evaluation() {
  install_beside eval "math_verify, datasets, yaml"
  cp "$source_dir/launch/math_verify_helper.py" "$build_dir/eval/"
  say "evaluations are ready: $build_dir/eval"
}

# install_beside LIST MODULES: what requirements/LIST.txt names, in build/LIST, unless the modules are there.
install_beside() {
  local list=$1 modules=$2
  local folder=$build_dir/$list
  ! "$folder/bin/python3" -c "import $modules" 2>/dev/null || return 0
  say "making a virtual environment in $folder"
  mkdir -p "$build_dir"
  python3 -m venv "$folder" || die "python3 -m venv failed: install python3-venv"
  pip_install "$folder/bin/python3" "$list"
}

# --- Build ----------------------------------------------------------------------------------------------------------------
case $step in
  all | program | packages) install_packages "${packages[@]}" ;;
  runtime)
    [ -s "$runtime_list" ] || die "$runtime_list is not there: it is written when specthink is built"
    mapfile -t linked <"$runtime_list"
    install_packages "${runtime_packages[@]}" "${linked[@]}"
    ;;
  eval)
    install_evaluation
    exit 0
    ;;
  clients)
    python3 -c 'import openai' 2>/dev/null || install_beside clients openai
    exit 0
    ;;
  libraries) ;;
  *) die "unknown step '$step', expected program, packages, libraries, eval, clients, runtime or nothing" ;;
esac
[[ $step != packages && $step != runtime ]] || exit 0

with_cuda=no
[ -z "$sanitize" ] || want_cuda=OFF
case $want_cuda in
  AUTO) [ -n "$(find_nvcc)" ] && with_cuda=yes ;;
  ON)
    [ -n "$(find_nvcc)" ] || die "SPECTHINK_CUDA=ON, but there is no nvcc on PATH or in /usr/local/cuda/bin"
    with_cuda=yes
    ;;
  OFF) ;;
  *) die "SPECTHINK_CUDA is '$want_cuda', expected ON, OFF or AUTO" ;;
esac
find_torch
find_tools
[ "$step" != libraries ] || exit 0

options=(-DSPECTHINK_CUDA="$([ "$with_cuda" = yes ] && echo ON || echo OFF)")
if [ -n "$sanitize" ]; then
  build_dir=$build_dir/sanitize_$sanitize
  options=(-DSPECTHINK_CUDA=OFF -DSPECTHINK_SANITIZE="$sanitize" -DCMAKE_BUILD_TYPE=Sanitize -DCMAKE_CXX_FLAGS_SANITIZE="-O1 -g1")
fi
mkdir -p "$build_dir"  # nothing made it where every prerequisite was found
say "configuring in $build_dir (torch: $torch_dir, CUDA code: $with_cuda)"
"$cmake" -S "$source_dir" -B "$build_dir" -G Ninja -DCMAKE_UNITY_BUILD=ON -DCMAKE_MAKE_PROGRAM="$ninja" -DSPECTHINK_TORCH="$torch_dir" \
  "${options[@]}" ${SPECTHINK_CUDA_ARCHITECTURES:+"-DSPECTHINK_CUDA_ARCHITECTURES=$SPECTHINK_CUDA_ARCHITECTURES"} >"$build_dir/configure.log" 2>&1 || {
  cat "$build_dir/configure.log" >&2
  die "cmake failed: see above, or $build_dir/configure.log"
}
# The configuration is the same for both, so that the tests build on what the program has built.
targets=()
[ "$step" = all ] || targets=(--target specthink)
say "building ${targets[1]:-everything} (minutes the first time)"
"$cmake" --build "$build_dir" "${targets[@]}" >"$build_dir/build.log" 2>&1 || {
  tail -n 60 "$build_dir/build.log" >&2
  die "the build failed: see above, or $build_dir/build.log"
}
list_runtime_packages >"$runtime_list"
python3 "$source_dir/tools/random_pair.py" "$build_dir/random_pair" || die "tools/random_pair.py failed"
say "built $build_dir/specthink"
