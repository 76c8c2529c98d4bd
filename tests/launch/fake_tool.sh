#!/usr/bin/env bash
# Stands in for every tool that launch/setup.sh, demo.sh and test.sh use of a machine, under the name of that tool. Writes its
# arguments to $FAKE/calls and keeps what is "installed" in $FAKE, so that a test can say what is there. REAL_PYTHON is needed.
set -euo pipefail
name=${0##*/}
[[ "$name $*" == "cmake --version" ]] || echo "$name $*" >>"$FAKE/calls"

install_tool() {  # DIRECTORY NAME
  ln -sf "$FAKE_TOOL" "$1/$2"
}

# The part of a torch package that is looked at. $FAKE/torch_without_headers makes one that is good for Python alone.
install_torch() {  # DIRECTORY
  mkdir -p "$1/torch/include/ATen"
  touch "$1/torch/__init__.py" "$1/torch/include/ATen/ATen.h"
  printf "__version__ = '2.11.0'\ncuda: Optional[str] = '13.0'\n" >"$1/torch/version.py"
}

run_python() {
  local packages
  packages=$(dirname "$0")/packages  # beside the interpreter, as in a virtual environment
  case "$*" in
    "-m venv "*)
      mkdir -p "$3/bin/packages"
      install_tool "$3/bin" python3
      ;;
    "-m pip --version") ;;
    "-m pip install "*)
      [ ! -e "$FAKE/no_network" ] || exit 1
      case ${!#} in  # the list of packages
        */torch.txt | */torch_cpu.txt) install_torch "$packages" ;;
        */eval.txt) touch "$packages"/{math_verify,datasets,yaml}.py ;;
        */clients.txt) touch "$packages"/openai.py ;;
        */tools.txt)
          install_tool "$(dirname "$0")" cmake
          install_tool "$(dirname "$0")" ninja
          ;;
      esac
      ;;
    *random_pair.py*) mkdir -p "${!#}" ;;
    *) PYTHONPATH=$packages exec "$REAL_PYTHON" -S "$@" ;;  # the real one without its packages: a torch may be among them
  esac
}

run_cmake() {
  local build_dir=
  case $1 in
    --version)
      if [[ $0 == */venv/* ]]; then echo "cmake version 4.1.0"; else echo "cmake version $(cat "$FAKE/cmake_version")"; fi
      ;;
    -S)
      build_dir=$4
      mkdir -p "$build_dir"
      echo "CMAKE_COMMAND:INTERNAL=$0" >"$build_dir/CMakeCache.txt"
      echo "configured"
      [ ! -e "$FAKE/cmake_fails" ] || exit 1
      ;;
    --build) touch "$2/specthink" ;;
  esac
}

case $name in
  python3) run_python "$@" ;;
  cmake) run_cmake "$@" ;;
  id) cat "$FAKE/user" ;;
  nproc) echo 2 ;;
  ctest)
    while [ "$1" != --output-junit ]; do shift; done
    echo '<testsuite><testcase name="one" status="run"/></testsuite>' >"$2"
    ;;
  dpkg-query)
    [ "$1" = -W ] || exit 1  # -S: no library belongs to a package here
    grep -qxF -- "${!#}" "$FAKE/missing_packages" || echo "install ok installed"
    ;;
  apt-get)
    [ ! -e "$FAKE/no_network" ] || exit 1
    [ "$1" != install ] || : >"$FAKE/missing_packages"
    ;;
esac
