#!/usr/bin/env bash
# Makes a minimal CUDA toolkit for building the `cuda` feature. No GPU, no
# driver and no root rights are needed.
#
#   scripts/cuda-toolkit.sh DIR
#   source DIR/env.sh
#
# Compiler, headers and runtime come from Python wheels that pip checks against
# scripts/cuda-requirements.txt. The libraries that belong to the driver or are
# too large to fetch for linking (libcuda, cuBLAS, cuRAND, NVRTC) become stubs:
# empty functions under the names that the cudarc crate declares, in the version
# that Cargo.lock names. A program linked against them needs the real ones,
# libcuda.so.1, libcublas.so.13, libcurand.so.10 and libnvrtc.so.13, where it runs.
#
# Finished steps are skipped when it is run again; an interrupted one starts over.
# Environment: CUDA_COMPUTE_CAP, the GPU generation that env.sh names (default 90).
set -euo pipefail

SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REQUIREMENTS=$SCRIPTS/cuda-requirements.txt

if [[ $# -ne 1 || $1 == -* ]]; then
    sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//;p}' "$0"
    [[ $# -eq 1 && ($1 == -h || $1 == --help) ]] && exit 0
    exit 2
fi
mkdir -p "$1"
DIR=$(cd "$1" && pwd)
CUDA=$DIR/nvidia/cu13
STUBS=$CUDA/lib/stubs

fail() {
    echo "cuda-toolkit.sh: $*" >&2
    exit 1
}

# A step is done when its stamp names the same inputs as today.
done_with() { [[ -f $DIR/.$1 && $(<"$DIR/.$1") == "$2" ]]; }
mark_done() { printf '%s\n' "$2" >"$DIR/.$1"; }

unpack() {
    local inputs wheels
    inputs=$(sha256sum <"$REQUIREMENTS" | cut -c 1-16)
    wheels=$DIR/wheels-$inputs
    done_with unpacked "$inputs" && return
    python3 -m pip download --quiet --no-deps --only-binary=:all: --require-hashes \
        --platform manylinux2014_x86_64 --platform manylinux2010_x86_64 --platform manylinux_2_27_x86_64 \
        --dest "$wheels" --requirement "$REQUIREMENTS"
    rm -rf "$DIR/nvidia" "$DIR/.stubs"
    local wheel
    for wheel in "$wheels"/*.whl; do
        python3 -m zipfile -e "$wheel" "$DIR"
    done
    # zipfile drops the executable bits; cudarc searches lib64; the linker wants the bare name.
    chmod +x "$CUDA"/bin/* "$CUDA"/nvvm/bin/*
    ln -sfn lib "$CUDA/lib64"
    ln -sf libcudart.so.13 "$CUDA/lib/libcudart.so"
    mark_done unpacked "$inputs"
}

# Where cargo keeps the sources of the cudarc that Cargo.lock names.
cudarc_source() {
    cargo metadata --manifest-path "$SCRIPTS/../Cargo.toml" --quiet --locked --all-features \
        --filter-platform x86_64-unknown-linux-gnu --format-version 1 |
        python3 -c '
import json, os, sys
found = [p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == "cudarc"]
if len(found) != 1:
    sys.exit(f"cuda-toolkit.sh: Cargo.lock: expected one version of cudarc, found {len(found)}")
print(os.path.dirname(found[0]))'
}

# stub SOURCES MODULE PREFIX SONAME: a library of empty functions under every
# name with that prefix that the module's bindings declare.
stub() {
    local names file=${4%%.so*}.so
    names=$(grep -ohE '\bfn [A-Za-z_0-9]+' "$1/src/$2/sys/mod.rs" | awk '{print $2}' | grep "^$3" | sort -u)
    [[ -n $names ]] || fail "$1/src/$2/sys/mod.rs: expected functions named $3*, found none"
    awk '{print "void " $1 "(void) {}"}' <<<"$names" |
        gcc -x c -w -shared -fPIC -O1 "-Wl,-soname,$4" -o "$STUBS/$file" -
    echo "$file stands for $4: $(wc -l <<<"$names") functions"
}

link_stubs() {
    local source
    source=$(cudarc_source)
    done_with stubs "$(basename "$source")" && return
    mkdir -p "$STUBS"
    stub "$source" driver cu libcuda.so.1
    stub "$source" nvrtc nvrtc libnvrtc.so.13
    stub "$source" curand curand libcurand.so.10
    stub "$source" cublas cublas libcublas.so.13
    stub "$source" cublaslt cublas libcublasLt.so.13
    mark_done stubs "$(basename "$source")"
}

environment() {
    cat >"$DIR/env.sh" <<EOF
export CUDA_HOME='$CUDA'
export PATH="\$CUDA_HOME/bin:\$PATH"
export CUDA_COMPUTE_CAP="\${CUDA_COMPUTE_CAP:-${CUDA_COMPUTE_CAP:-90}}"
EOF
}

# The compiler must make device code, not only start.
check() {
    local probe
    probe=$(mktemp -d)
    echo '__global__ void twice(float *x) { x[threadIdx.x] *= 2.0f; }' >"$probe/probe.cu"
    "$CUDA/bin/nvcc" --cubin --gpu-architecture=sm_80 -o "$probe/probe.cubin" "$probe/probe.cu" ||
        fail "$CUDA/bin/nvcc: cannot compile a kernel"
    rm -r "$probe"
    "$CUDA/bin/nvcc" --version | grep release
}

unpack
link_stubs
environment
check
echo "source $DIR/env.sh"
