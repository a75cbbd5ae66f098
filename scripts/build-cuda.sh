#!/usr/bin/env bash
# Builds with the `cuda` feature one program that starts on machines with and without an
# NVIDIA driver. No GPU, no driver and no root rights are needed.
#
#   scripts/build-cuda.sh [CARGO BUILD OPTIONS]
#
# Without options it builds `truefill` (target-cuda/release/truefill); other things are
# named as for cargo. Examples are truefill-model's where no package is named:
# `--example speed` builds target-cuda/release/examples/speed.
#
# As published, candle names libcuda, libcublas, libcurand and libcudart as libraries that
# a program cannot start without. So two of its crates are copied out of cargo's registry
# folder into target-cuda/patched/, one line of each is changed (checked: an upgrade that
# moves the line stops the script), and cargo is told to use the copies:
#   candle-core     cudarc opens the driver's libraries when they are first used
#   candle-kernels  links the CUDA runtime statically
# The build runs in target-cuda/workspace/, links to this checkout beside a Cargo.lock of
# its own, so that the checkout's Cargo.lock and target/ are never touched.
#
# It can be run again at any time; what is finished is not done twice.
# Environment: CUDA_COMPUTE_CAP, the GPU generation to build for, 90 (H100, H200)
# unless set; quantised kernels run on that generation only.
# CUDA_TOOLKIT: a folder that scripts/cuda-toolkit.sh has filled or shall fill,
# target-cuda-toolkit/ unless set.
set -euo pipefail

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
    sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//;p}' "$0"
    exit 0
fi
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TOOLKIT=${CUDA_TOOLKIT:-$ROOT/target-cuda-toolkit}
TARGET=$ROOT/target-cuda
WORKSPACE=$TARGET/workspace

fail() {
    echo "build-cuda.sh: $*" >&2
    exit 1
}
say() { echo "build-cuda.sh: $*" >&2; }

# Where cargo keeps the sources of the crates that Cargo.lock names, one `NAME FOLDER` a line.
registry_folders() {
    cargo metadata --manifest-path "$ROOT/Cargo.toml" --quiet --locked --all-features \
        --filter-platform x86_64-unknown-linux-gnu --format-version 1 |
        python3 -c '
import json, os, sys
for package in json.load(sys.stdin)["packages"]:
    if package["name"] in ("candle-core", "candle-kernels"):
        print(package["name"], os.path.dirname(package["manifest_path"]))'
}

# patch CRATE FILE LINE REPLACEMENT: a copy of the crate with that one line replaced.
patch() {
    local crate=$1 file=$2 line=$3 replacement=$4 source copy found recipe
    source=$(awk -v crate="$crate" '$1 == crate {print $2}' <<<"$FOLDERS")
    [[ -d $source ]] || fail "Cargo.lock: expected one version of $crate, found \`$source\`"
    copy=$TARGET/patched/$crate
    recipe=$(printf '%s\n' "$source" "$file" "$line" "$replacement")
    if [[ -f $copy/.recipe && $(<"$copy/.recipe") == "$recipe" ]]; then
        return
    fi
    found=$(grep -cFx -- "$line" "$source/$file") || true
    [[ $found == 1 ]] || fail "$source/$file: expected one line \`$line\`, found $found; after" \
        "an upgrade of candle, see how it links now and change scripts/build-cuda.sh"
    rm -rf "$copy" "$copy.part"
    mkdir -p "$TARGET/patched"
    cp -a "$source" "$copy.part"
    LINE=$line REPLACEMENT=$replacement awk \
        '$0 == ENVIRON["LINE"] {print ENVIRON["REPLACEMENT"]; next} {print}' \
        "$source/$file" >"$copy.part/$file"
    # Lints of a crate in the registry are not shown; those of a copy would be.
    printf '\n[lints.rust]\nwarnings = "allow"\n' >>"$copy.part/Cargo.toml"
    printf '%s\n' "$recipe" >"$copy.part/.recipe"
    mv "$copy.part" "$copy"
    say "$crate: changed one line of $file in $copy"
}

versions() { grep -A 1 '^name = ' "$1"; }

# The checkout as links, with a Cargo.lock that may differ.
mirror() {
    rm -rf "$WORKSPACE"
    mkdir -p "$WORKSPACE"
    local entry
    for entry in "$ROOT"/*; do
        case $(basename "$entry") in
        target | target-* | Cargo.lock) ;;
        *) ln -s "$entry" "$WORKSPACE/" ;;
        esac
    done
    cp "$ROOT/Cargo.lock" "$WORKSPACE/Cargo.lock"
    versions "$WORKSPACE/Cargo.lock" >"$TARGET/versions"
}

# Builds and prints the programs that came out, one a line.
build() {
    cargo build --release --features cuda --target-dir "$TARGET" \
        --config "patch.crates-io.candle-core.path=\"$TARGET/patched/candle-core\"" \
        --config "patch.crates-io.candle-kernels.path=\"$TARGET/patched/candle-kernels\"" \
        --message-format json-render-diagnostics "$@" |
        python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    executable = message.get("executable")
    if executable and message["reason"] == "compiler-artifact":
        print(executable)'
}

# A program that names a library of the driver's could not start without it.
inspect() {
    local needed forbidden
    needed=$(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
    forbidden=$(grep -E '^lib(cuda|cudart|cublas|cublasLt|curand|nvrtc)\.' <<<"$needed") || true
    [[ -z $forbidden ]] || fail "$1: expected to start without a driver, found that it needs" \
        "$forbidden"
    echo "$1: $(stat -c %s "$1") bytes, needs $(paste -sd ' ' <<<"$needed")"
}

"$ROOT/scripts/cuda-toolkit.sh" "$TOOLKIT" >&2
# shellcheck source=/dev/null
source "$TOOLKIT/env.sh"
FOLDERS=$(registry_folders)
patch candle-core Cargo.toml '    "dynamic-linking",' '    "dynamic-loading",'
patch candle-kernels build.rs '    println!("cargo:rustc-link-lib=dylib=cudart");' \
    '    println!("cargo:rustc-link-search=native={}/lib", env::var("CUDA_HOME").unwrap()); println!("cargo:rustc-link-lib=static=cudart_static");'
mirror
cd "$WORKSPACE"
named=false package=truefill-server
for option in "$@"; do
    case $option in
    -p* | --package | --package=*) named=true ;;
    --example | --example=* | --examples) package=truefill-model ;;
    esac
done
$named || set -- --package "$package" "$@"
say "building for compute capability $CUDA_COMPUTE_CAP; the first time takes about ten minutes"
programs=$(build "$@")
changed=$(diff "$TARGET/versions" <(versions Cargo.lock)) ||
    fail "$ROOT/Cargo.lock: expected the versions that were built, found other ones: $changed"
while read -r program; do
    [[ -z $program ]] || inspect "$program"
done <<<"$programs"
