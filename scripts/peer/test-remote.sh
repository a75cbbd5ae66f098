#!/usr/bin/env bash
# Runs the tests of the remote completion backends against a real llama.cpp
# server, and stops it again.
#
#   scripts/peer/test-remote.sh DIR MODEL.gguf
#
# DIR is where scripts/peer/llama-server.sh built the server. A model without
# sentinels of its own (as the default model) is given three spare tokens for
# them: the tests are about the protocol, not about what is suggested.
#
# Environment: PORT (default: a free one), THREADS (default: all cores).
set -euo pipefail

if [[ $# -ne 2 || $1 == -* ]]; then
    sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//;p}' "$0"
    exit 2
fi
DIR=$1
MODEL=$2
PORT=${PORT:-$(python3 -c 'import socket as s; k = s.socket(); k.bind(("127.0.0.1", 0)); print(k.getsockname()[1])')}
THREADS=${THREADS:-$(nproc)}
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
URL=http://127.0.0.1:$PORT
LOG=$(mktemp)

# Built first, so that the server does not wait for the compiler.
(cd "$ROOT" && cargo test --quiet -p truefill-remote --test complete_live --no-run)

"$DIR/llama-server" --model "$MODEL" --host 127.0.0.1 --port "$PORT" \
    --ctx-size 4096 --parallel 1 --threads "$THREADS" \
    --override-kv tokenizer.ggml.fim_pre_token_id=int:3 \
    --override-kv tokenizer.ggml.fim_suf_token_id=int:4 \
    --override-kv tokenizer.ggml.fim_mid_token_id=int:5 >"$LOG" 2>&1 &
SERVER=$!
trap 'kill "$SERVER" 2>/dev/null || true; wait "$SERVER" 2>/dev/null || true; rm -f "$LOG"' EXIT

for _ in $(seq 100); do
    if ! kill -0 "$SERVER" 2>/dev/null; then
        tail -n 20 "$LOG" >&2
        echo "test-remote.sh: the server ended; its last lines are above" >&2
        exit 1
    fi
    if python3 -c "import urllib.request as u; u.urlopen('$URL/health', timeout=1)" 2>/dev/null; then
        break
    fi
    sleep 0.2
done

# One at a time: the server has one slot, and a test measures how soon it is free.
cd "$ROOT"
TRUEFILL_LLAMA_SERVER_URL=$URL cargo test --quiet -p truefill-remote --test complete_live -- \
    --ignored --test-threads 1 --nocapture
