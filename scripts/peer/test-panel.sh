#!/usr/bin/env bash
# Runs `generate` and `judge` with a panel of one member against llama-cpp-python's own
# OpenAI-compatible server, as docs/data.md shows it, and stops the server again.
#
#   scripts/peer/test-panel.sh DIR MODEL.gguf [WORK]
#
# DIR gets the server's Python environment, DIR/panel-venv, on the first run: pip compiles
# llama.cpp, about 25 minutes on one core. MODEL.gguf is the default model, or any other
# with a chat template. Forty contexts are mined from trainer/tests/data/mine; rows,
# ledgers and manifests lie in WORK afterwards (default: a folder that is removed).
#
# What is tested is the way there and back: each question is answered, each answer is a
# row or is counted with its reason, and the same commands given again ask nothing more.
# How well the model answers is printed and not judged.
#
# Environment: PORT (default: a free one), THREADS (default: all cores; fewer where the
# machine is busy), TRAINER (default: a release build), LLAMA_CPP_PYTHON_VERSION.
set -euo pipefail

if [[ $# -lt 2 || $# -gt 3 || $1 == -* ]]; then
    sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//;p}' "$0"
    [[ ${1:-} == -h || ${1:-} == --help ]] && exit 0
    exit 2
fi
VERSION=${LLAMA_CPP_PYTHON_VERSION:-0.3.36}
mkdir -p "$1"
VENV=$(cd "$1" && pwd)/panel-venv
MODEL=$(realpath "$2")
PORT=${PORT:-$(python3 -c 'import socket as s; k = s.socket(); k.bind(("127.0.0.1", 0)); print(k.getsockname()[1])')}
THREADS=${THREADS:-$(nproc)}
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
URL=http://127.0.0.1:$PORT
SCRATCH=$(mktemp -d)
WORK=${3:-$SCRATCH/work}
mkdir -p "$WORK"
SERVER=
trap '[[ -z $SERVER ]] || { kill "$SERVER"; wait "$SERVER"; } 2>/dev/null || true; rm -rf "$SCRATCH"' EXIT

# Built first, so that the server does not wait for the compiler.
if [[ -z ${TRAINER:-} ]]; then
    (cd "$ROOT" && cargo build --quiet --release --bin truefill-trainer)
    TRAINER=$ROOT/target/release/truefill-trainer
fi
TRAINER=$(realpath "$TRAINER")
if [[ ! -f $VENV/.ready-$VERSION ]]; then
    python3 -m venv "$VENV"
    "$VENV/bin/pip" install --quiet "llama-cpp-python[server]==$VERSION"
    touch "$VENV/.ready-$VERSION"
fi

"$VENV/bin/python3" -m llama_cpp.server --model "$MODEL" --host 127.0.0.1 --port "$PORT" \
    --n_ctx 8192 --n_threads "$THREADS" --n_threads_batch "$THREADS" >"$SCRATCH/log" 2>&1 &
SERVER=$!
up() { python3 -c "import urllib.request as u; u.urlopen('$URL/v1/models', timeout=1)" 2>/dev/null; }
for _ in $(seq 300); do
    up && break
    if ! kill -0 "$SERVER" 2>/dev/null; then
        tail -n 20 "$SCRATCH/log" >&2
        echo "test-panel.sh: the server ended; its last lines are above" >&2
        exit 1
    fi
    sleep 0.2
done

cd "$WORK"
cat >recipe.toml <<RECIPE
[members.here]
url = "$URL"
protocol = "openai-chat"
model = "default"
concurrency = 1
price_input_per_million = 0.0
price_output_per_million = 0.0

[generate]
generators = ["here", "mutate"]
types = ["method"]
max_tokens = 100
side_bytes = 6000

[judge]
panel = ["here"]
golden_share = 0.5
max_tokens = 150
side_bytes = 2000
RECIPE

DATA=$ROOT/trainer/tests/data/mine
"$TRAINER" mine "$DATA"/{cpp,csharp,go,java,javascript,php,python,ruby,rust,typescript} \
    --per-language 4 --out contexts.jsonl.zst >/dev/null
generate() { "$TRAINER" generate contexts.jsonl.zst --recipe recipe.toml --out negatives.jsonl.zst; }
judge() {
    "$TRAINER" judge contexts.jsonl.zst negatives.jsonl.zst --recipe recipe.toml --judges panel \
        --out verdicts.jsonl.zst
}
outputs() { sha256sum negatives.jsonl.zst verdicts.jsonl.zst; }
requests() { grep -c '"POST /v1/chat/completions' "$SCRATCH/log"; }
generate
judge
outputs >"$SCRATCH/first"
asked=$(requests)
generate >/dev/null
judge >/dev/null
outputs | diff "$SCRATCH/first" - >&2 || { echo "test-panel.sh: the second run wrote other rows" >&2; exit 1; }
[[ $(requests) == "$asked" ]] || { echo "test-panel.sh: the second run asked again" >&2; exit 1; }

python3 - <<'CHECK'
import json, sys

def counts(output):
    with open(f"{output}.manifest.json") as file:
        return json.load(file)

made, judged = counts("negatives.jsonl.zst"), counts("verdicts.jsonl.zst")
replies = [step["tables"]["ledger"]["replies"] for step in (made, judged)]
lost = made["counts"].get("rejected.here.method.no_answer", 0)
asked = made["counts"]["replies.here.method"] + lost
questions = sum(judge["asked"] for judge in judged["tables"]["judges"])
reasons = judged["tables"]["missing_verdicts"]
failed = sum(row["verdicts"] for row in reasons if row["reason"].startswith("failed"))
print(f"generate: {asked} questions, {replies[0]} replies; judge: {questions} questions, {replies[1]} replies")
if lost or failed or not replies[0] or not replies[1]:
    sys.exit(f"test-panel.sh: {lost} candidates and {failed} verdicts got no answer")
CHECK
