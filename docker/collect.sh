#!/usr/bin/env bash
# Gathers what an image needs of a build: docker/collect.sh DEST copies it under DEST at the same absolute paths. That is the
# program, the shared libraries of torch that it was linked with (not its headers, its Python and static libraries: two
# thirds of the wheels), scripts, configurations and the demo models.
set -euo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=${SPECTHINK_BUILD_DIR:-$source_dir/build}
dest=${1:?usage: docker/collect.sh DEST}

copy() { mkdir -p "$dest$(dirname "$1")" && cp -a "$1" "$dest$(dirname "$1")/"; }

for path in launch configs models LICENSE README.md; do copy "$source_dir/$path"; done
copy "$build_dir/specthink"
copy "$build_dir/runtime_packages"

# The folders of its RUNPATH that no package of the distribution installs.
readelf -d "$build_dir/specthink" | sed -n 's/.*R.*PATH.*\[\(.*\)\]/\1/p' | tr ':' '\n' | sort -u | grep -E '(site|dist)-packages' |
  while read -r folder; do
    [ -d "$folder" ] || continue
    find "$folder" -maxdepth 1 -name '*.so*' ! -name 'libtorch_python*' | while read -r library; do copy "$library"; done
  done
