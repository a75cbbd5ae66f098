#!/usr/bin/env bash
# Compares full fine-tuning steps of Truefill with those of PyTorch and transformers.
#
#   scripts/peer/train-compare.sh PYTHON MODEL_FOLDER [RUNS]
#
# PYTHON has torch and transformers (scripts/reference/requirements.txt);
# MODEL_FOLDER is in the hub's layout with F32 weights, so that both sides read
# the same file; RUNS is the number of runs of each (default 3). Both sides run
# in turn, ours first, on the same rows, in bf16 with F32 weights; the ratio is
# taken pair by pair, because a shared machine's speed drifts. `cpu` is the
# processor time of all threads, a second opinion where others use the machine.
#
# Environment: BENCH (the train_bench binary; built if not named), ROWS (16),
# LENGTH (256), STEPS (measured steps of a run, 1), THREADS (2), OURS and THEIRS
# (further options of either side, such as OURS="--recompute 1").
set -euo pipefail

PYTHON=${1:?usage: train-compare.sh PYTHON MODEL_FOLDER [RUNS]}
MODEL=${2:?usage: train-compare.sh PYTHON MODEL_FOLDER [RUNS]}
RUNS=${3:-3}
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
THREADS=${THREADS:-2}
STEPS=${STEPS:-1}

if [[ -z ${BENCH:-} ]]; then
  (cd "$ROOT" && cargo build --quiet --release --workspace --example train_bench)
  BENCH=$ROOT/target/release/examples/train_bench
fi

"$PYTHON" - "${ROWS:-16}" "${LENGTH:-256}" >"$WORK/rows.json" <<'PY'
import json, random, sys
rows, length = map(int, sys.argv[1:])
draw = random.Random(7)
print(json.dumps([[draw.randrange(20, 49000) for _ in range(length)] for _ in range(rows)]))
PY

for ((run = 1; run <= RUNS; run++)); do
  # shellcheck disable=SC2086 # options are words
  "$BENCH" "$MODEL" "$WORK/rows.json" --steps "$STEPS" --threads "$THREADS" ${OURS:-} |
    sed 's/^/ours   /' | tee -a "$WORK/log"
  # shellcheck disable=SC2086
  "$PYTHON" "$ROOT/scripts/peer/train_torch.py" "$MODEL" "$WORK/rows.json" --steps "$STEPS" \
    --threads "$THREADS" ${THEIRS:-} 2>"$WORK/errors" | sed 's/^/torch  /' | tee -a "$WORK/log" || {
    cat "$WORK/errors" >&2 # its warnings are shown only where it fails
    exit 1
  }
done

"$PYTHON" - "$WORK/log" <<'PY'
import re, statistics, sys
sides = {"ours": [], "torch": []}
for line in open(sys.argv[1]):
    figures = re.search(r"tokens/s ([\d.]+)  cpu s/step ([\d.]+)  peak GiB ([\d.]+)", line)
    sides[line.split()[0]].append([float(value) for value in figures.groups()])
pairs = list(zip(sides["ours"], sides["torch"]))
for name, index, sign in [("tokens/s", 0, 1), ("speed by processor time", 1, -1), ("peak memory", 2, 1)]:
    ratios = sorted((ours[index] / torch[index]) ** sign for ours, torch in pairs)
    print(f"ours / torch, {name}: median {statistics.median(ratios):.2f} "
          f"(lowest {ratios[0]:.2f}, highest {ratios[-1]:.2f}, {len(ratios)} pairs)")
PY
