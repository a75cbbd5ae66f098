#!/usr/bin/env bash
# Builds the `truefill` binary with the `cuda` feature; needs no GPU.
#
#   scripts/build-cuda.sh [CARGO BUILD OPTIONS]
#
# The toolkit of scripts/cuda-toolkit.sh goes to target-cuda-toolkit/ and the
# build to target-cuda/, apart from target/, so that neither build throws the
# other's work away. The binary is target-cuda/release/truefill.
#
# Environment: CUDA_COMPUTE_CAP, the GPU generation to build for, 90 (H100, H200)
# unless set; quantised kernels run on that generation only.
# CUDA_TOOLKIT: a folder that scripts/cuda-toolkit.sh has filled or shall fill.
set -euo pipefail

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
    sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//;p}' "$0"
    exit 0
fi
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TOOLKIT=${CUDA_TOOLKIT:-$ROOT/target-cuda-toolkit}

"$ROOT/scripts/cuda-toolkit.sh" "$TOOLKIT"
# shellcheck source=/dev/null
source "$TOOLKIT/env.sh"
cd "$ROOT"
exec cargo build --release --features cuda --package truefill-server --target-dir target-cuda "$@"
