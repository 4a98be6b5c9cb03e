#!/usr/bin/env bash
# Type-checks `--features cuda`, and `--features metal` for a Mac, on a Linux machine that has neither toolkit nor GPU.
#
#   tests/device/check.sh cuda|metal [FOLDER]
#
# Build scripts call compilers whose output a type check does not look at: nvcc, and a C compiler for Apple's processors.
# They are stood in for by programs that write empty files, so that nothing made here could be linked or run; build.sh
# makes the real thing for CUDA. FOLDER (default: a folder in the temporary directory) gets them and target/.
set -euo pipefail
feature=${1:-}
folder=${2:-${TMPDIR:-/tmp}/scalelab-check}
cd "$(dirname "$0")/../.."
mkdir -p "$folder/$feature/bin"
folder=$(cd "$folder" && pwd)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$folder/target} CARGO_TERM_COLOR=never
stand_in() {
  cat >"$folder/$feature/bin/$1"
  chmod +x "$folder/$feature/bin/$1"
}

case $feature in
cuda)
  stand_in nvcc <<'SH'
#!/bin/bash
# cudarc reads the fourth line.
[ "$1" != --version ] || printf '\n\n\nCuda compilation tools, release 13.0, V13.0.88\n'
[ "$1" != --list-gpu-code ] || echo sm_90
arguments=("$@")
for ((i = 0; i < $#; i++)); do
  case ${arguments[i]} in
    -o) : >"${arguments[i + 1]}" ;;
    --output-directory) kernel=$(basename "${arguments[-1]}" .cu); : >"${arguments[i + 1]}/$kernel.ptx" ;;
  esac
done
SH
  mkdir -p "$folder/cuda/lib64" "$folder/cuda/include"
  : >"$folder/cuda/include/cuda.h"
  export CUDA_HOME=$folder/cuda CUDA_PATH=$folder/cuda CUDA_ROOT=$folder/cuda CUDA_TOOLKIT_ROOT_DIR=$folder/cuda
  export CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-90} PATH=$folder/cuda/bin:$PATH
  cargo check --release --features cuda
  ;;
metal)
  target=aarch64-apple-darwin
  rustup target list --installed | grep -qx "$target" || rustup target add "$target"
  for name in cc ar; do
    stand_in $name <<'SH'
#!/bin/bash
[ "$1" != --version ] || echo "clang version 17.0.0"
previous=
for argument in "$@"; do
  case $previous:$argument in -o:*|*:*.a) : >"$argument" ;; esac
  previous=$argument
done
SH
  done
  export CC_aarch64_apple_darwin=$folder/metal/bin/cc CXX_aarch64_apple_darwin=$folder/metal/bin/cc AR_aarch64_apple_darwin=$folder/metal/bin/ar
  cargo check --release --features metal --target "$target"
  ;;
*)
  sed -n '4p' "$0" | sed 's/^# *//' >&2
  exit 2
  ;;
esac
