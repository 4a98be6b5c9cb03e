#!/usr/bin/env bash
# Builds `--features cuda` on a machine that has neither GPU nor CUDA: NVIDIA's compiler and libraries come as Python
# wheels, the driver is stood in for by an empty library that is linked against and never run.
#
#   tests/device/build.sh [FOLDER]
#
# FOLDER (default: a folder in the temporary directory, kept for the next time) gets the toolkit, 1.2 GB of wheels and as much
# again unpacked, and target/; the folder target/ of the processor's build is left alone. CUDA_COMPUTE_CAP says for which GPUs
# (default 90; 80: A100, 86: RTX 30, 89: RTX 40), CARGO_COMMAND what is done (default `build --release`; `check --release`
# is shorter once the kernels are built). Where CUDA_HOME names a toolkit, that one is used.
set -euo pipefail
folder=${1:-${TMPDIR:-/tmp}/scalelab-cuda}
cd "$(dirname "$0")/../.."
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
toolkit=$folder/toolkit
started=$(date +%s)

# The wheels of the CUDA 13.0 toolkit. Those of CUDA 12 hold no compiler driver, and cudarc knows none later than 13.4.
install_wheels() {
  [ -x "$folder/venv/bin/python" ] || python3 -m venv "$folder/venv"
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    "nvidia-cuda-nvcc==13.0.*" "nvidia-cuda-runtime==13.0.*" "nvidia-cuda-cccl==13.0.*" "nvidia-cuda-nvrtc==13.0.*" \
    "nvidia-cuda-crt==13.0.*" "nvidia-nvvm==13.0.*" "nvidia-curand<10.4.1" "nvidia-cublas<13.2"
}

# One tree as an installed toolkit has it. nvcc finds the rest from the place of its own file, so bin/ is a copy.
lay_out_toolkit() {
  local wheels
  wheels=$("$folder/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/nvidia/cu13
  rm -rf "$toolkit"
  mkdir -p "$toolkit"
  cp -rs "$wheels/." "$toolkit/"
  rm -r "$toolkit/bin"
  cp -rL "$wheels/bin" "$toolkit/bin"
  local name
  for name in cudart cublas cublasLt nvrtc; do ln -sf "lib$name.so.13" "$toolkit/lib/lib$name.so"; done
  ln -sf libcurand.so.10 "$toolkit/lib/libcurand.so"
  ln -sfn lib "$toolkit/lib64"
}

# A libcuda with every symbol that cudarc declares and nothing behind it: for the linker alone.
stub_driver() {
  local manifest declared
  manifest=$(cargo metadata --format-version 1 --locked --features cuda |
    python3 -c 'import json, sys; print(next(p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == "cudarc"))')
  declared=$(dirname "$manifest")/src/driver/sys/mod.rs
  mkdir -p "$toolkit/lib/stubs"
  grep -oE 'pub (unsafe )?fn cu[A-Za-z0-9_]+' "$declared" | awk '{ print $NF }' | sort -u |
    sed 's/.*/void &(void) {}/' >"$toolkit/lib/stubs/libcuda.c"
  gcc -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$toolkit/lib/stubs/libcuda.so" "$toolkit/lib/stubs/libcuda.c"
  # The name by which a binary asks for it, for the check below.
  ln -sf libcuda.so "$toolkit/lib/stubs/libcuda.so.1"
}

if [ -n "${CUDA_HOME:-}" ]; then
  toolkit=$CUDA_HOME
elif [ ! -e "$toolkit/complete" ]; then
  install_wheels
  lay_out_toolkit
  stub_driver
  touch "$toolkit/complete"
fi
export CUDA_HOME=$toolkit CUDA_PATH=$toolkit CUDA_ROOT=$toolkit CUDA_TOOLKIT_ROOT_DIR=$toolkit
export CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-90} CARGO_TARGET_DIR=$folder/target CARGO_TERM_COLOR=never
export PATH=$toolkit/bin:$PATH LIBRARY_PATH=$toolkit/lib:$toolkit/lib/stubs
export RUSTFLAGS="-L native=$toolkit/lib -L native=$toolkit/lib/stubs"
nvcc --version | sed -n 's/.*release /nvcc /p'
read -ra command <<<"${CARGO_COMMAND:-build --release}"
cargo "${command[@]}" --locked --features cuda
echo "cargo ${command[*]} --features cuda for compute capability $CUDA_COMPUTE_CAP: $(($(date +%s) - started)) s"

# The binary names the libraries that it needs, and finds each symbol in the one that should have it.
binary=$CARGO_TARGET_DIR/release/scalelab
[ "${command[0]}" = build ] || exit 0
needed=$(objdump -p "$binary" | awk '/NEEDED/ { print $2 }')
for library in libcuda.so.1 libcudart libcublas libcurand; do
  grep -q "^$library" <<<"$needed" || { echo "$binary does not need $library: was it built with CUDA?" >&2; exit 1; }
done
missing=$(LD_LIBRARY_PATH=$toolkit/lib:$toolkit/lib/stubs ldd -r "$binary" 2>&1 | grep -E 'not found|undefined symbol' || true)
if [ -n "$missing" ] && [ -e "$toolkit/lib/stubs/libcuda.so" ]; then
  printf 'the binary lacks:\n%s\n' "$missing" >&2
  exit 1
fi
calls=$(nm -D --undefined-only "$binary" | grep -cE ' (cu[A-Z]|cublas|curand)')
echo "$binary: $(du -h "$binary" | cut -f1), needs $(grep -cE 'cu(da|blas|rand)' <<<"$needed") CUDA libraries, calls $calls functions of theirs, none missing"
