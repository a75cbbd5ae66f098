#!/usr/bin/env bash
# Exports a model as GGUF files, loads them in a real llama.cpp server, and
# compares what it writes with this project's own decoder.
#
#   scripts/peer/test-gguf.sh DIR MODEL [TYPE...]
#
# DIR is where scripts/peer/llama-server.sh built the server; MODEL is a .gguf
# file or a folder; the types are f16, q8_0, q4_0, q4_k (all of them without
# one). Of each file the first 32 greedy tokens on 10 prompts are compared with
# those of the unrounded model; of F16, 9 prompts must agree. What rounding
# costs is told as the divergence from the unrounded model on this
# repository's own sources.
#
# Environment: PORT (default: a free one), THREADS (default: all cores), TEXTS
# (files for the divergence, by spaces).
set -euo pipefail

if [[ $# -lt 2 || $1 == -* ]]; then
    sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//;p}' "$0"
    exit 2
fi
DIR=$1
MODEL=$(realpath "$2")
shift 2
TYPES=("$@")
[[ $# -gt 0 ]] || TYPES=(f16 q8_0 q4_0 q4_k)
PORT=${PORT:-$(python3 -c 'import socket as s; k = s.socket(); k.bind(("127.0.0.1", 0)); print(k.getsockname()[1])')}
THREADS=${THREADS:-$(nproc)}
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
WORK=$(mktemp -d)
SERVER=
trap '[[ -z $SERVER ]] || kill "$SERVER" 2>/dev/null || true; rm -rf "$WORK"' EXIT

cd "$ROOT"
# Built first, so that the server does not wait for the compiler.
cargo test --quiet --workspace --test export_live --no-run
cargo build --quiet --workspace --bin truefill-trainer
TRAINER=${CARGO_TARGET_DIR:-target}/debug/truefill-trainer
read -r -a FILES <<<"${TEXTS:-crates/model/src/rope.rs scripts/standard-names.py crates/model/src/kv.rs}"
ARGUMENTS=()
for file in "${FILES[@]}"; do ARGUMENTS+=(--text "$file"); done

for kind in "${TYPES[@]}"; do
    gguf=$WORK/$kind.gguf
    "$TRAINER" export "$MODEL" --to gguf --type "$kind" --out "$gguf" --store "$WORK/store" "${ARGUMENTS[@]}"
    "$DIR/llama-server" --model "$gguf" --host 127.0.0.1 --port "$PORT" \
        --ctx-size 1024 --parallel 1 --threads "$THREADS" >"$WORK/log" 2>&1 &
    SERVER=$!
    for _ in $(seq 300); do
        if ! kill -0 "$SERVER" 2>/dev/null; then
            tail -n 20 "$WORK/log" >&2
            echo "test-gguf.sh: the server ended; its last lines are above" >&2
            exit 1
        fi
        python3 -c "import urllib.request as u; u.urlopen('http://127.0.0.1:$PORT/health', timeout=1)" 2>/dev/null && break
        sleep 0.2
    done
    TRUEFILL_EXPORT_SERVER=127.0.0.1:$PORT TRUEFILL_EXPORT_MODEL=$MODEL TRUEFILL_EXPORT_TYPE=$kind \
        cargo test --quiet --workspace --test export_live -- --ignored --nocapture
    kill "$SERVER"
    wait "$SERVER" 2>/dev/null || true
    SERVER=
    rm -f "$gguf"
done
