#!/usr/bin/env bash
# Trains the default adapter at full scale on a machine with a GPU that is bare, reaches nothing, and is lent
# for minutes at a time.
#
#   gpu.sh pack PIECES PROGRAM ROWS HELD_OUT…  at home: the base, the program and the rows in pieces
#   gpu.sh unpack PIECES WORK                  there, for each piece or several: adds them up and checks them
#   gpu.sh plan WORK [SLICES]                  there: measures a minute, and sets the steps of each slice
#   gpu.sh slice WORK OUT                      there: trains the next slice; the adapter goes to OUT in shards
#   gpu.sh join OUT WORK                       at home, or on the next machine: the shards become a checkpoint
#
# PROGRAM is `truefill-trainer` as scripts/build-cuda.sh builds it; ROWS and HELD_OUT are `rows-1.jsonl` and
# `data/{test,valid}/pairs.jsonl` of make.sh's folder. The base is the store's `default-base`. A slice is a run of its
# own that goes on from the adapter of the one before, so it does not matter whether the machine is still the same;
# the last one lowers the rate to nothing. A slice that is stopped goes on where it was by the same command, on that
# machine, also where the machine took the program with it: a state is kept every 200 steps.
# Environment: DEVICE (cuda), SLICE_SECONDS (480: what one call may take, less a minute), PIECE_BYTES (40000000),
# SHARD_BYTES (16000000), PLAN_SECONDS (60); LIBS, for `pack`: a folder of libraries that the machine lacks
# (docs/gpu.md names them); STORE, for `join` (the user's; on the next machine WORK/store).
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DEVICE=${DEVICE:-cuda}
SLICE_SECONDS=${SLICE_SECONDS:-480}
PLAN_SECONDS=${PLAN_SECONDS:-60}

fail() {
    echo "gpu.sh: $*" >&2
    exit 1
}
usage() {
    sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//;p}' "$0"
}

# base FOLDER: a store that holds `default-base` alone.
base() {
    local store=${TRUEFILL_STORE:-${TRUEFILL_HOME:-${XDG_DATA_HOME:-$HOME/.local/share}/truefill}} id
    mkdir -p "$1/checkpoints"
    id=$(python3 - "$store/aliases.json" "$1/aliases.json" <<'PY'
import json, sys
id = json.load(open(sys.argv[1]))["aliases"]["default-base"]
json.dump({"version": 1, "aliases": {"default-base": id}}, open(sys.argv[2], "w"))
print(id)
PY
    ) || fail "$store: expected the alias \`default-base\`; run \`truefill models pull default\`"
    cp -r "$store/checkpoints/$id" "$1/checkpoints/"
}

pack() {
    local pieces=$1 program=$2 rows=$3 folder name
    shift 3
    for name in "$rows" "$@"; do
        [[ $name == *.jsonl && -s $name ]] || fail "$name: expected a file of rows, plain JSONL"
    done
    folder=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$folder'" EXIT
    mkdir -p "$pieces" "$folder/load"
    base "$folder/load/store"
    cp "$rows" "$folder/load/rows.jsonl"
    cat "$@" >"$folder/load/held-out.jsonl"
    mkdir "$folder/load/lib"
    if [[ -n ${LIBS:-} ]]; then cp -L "$LIBS"/*.so* "$folder/load/lib/"; fi
    cp "$HERE/gpu.toml" "$HERE/gpu.sh" "$folder/load/"
    strip -o "$folder/load/truefill-trainer" "$program"
    tar -C "$folder/load" -cz . >"$folder/load.tar.gz"
    rm -f "$pieces"/load-* "$pieces/SHA256"
    split -b "${PIECE_BYTES:-40000000}" -d -a 3 "$folder/load.tar.gz" "$pieces/load-"
    (cd "$pieces" && sha256sum load-* >SHA256)
    ls -l "$pieces"
}

unpack() {
    local pieces=$1 work=$2 name missing=()
    mkdir -p "$work/pieces"
    [[ -f $pieces/SHA256 ]] || fail "$pieces: expected SHA256, which \`pack\` wrote; carry it with every piece"
    cp "$pieces"/* "$work/pieces/"
    while read -r _ name; do
        [[ -f $work/pieces/$name ]] || missing+=("$name")
    done <"$work/pieces/SHA256"
    if ((${#missing[@]})); then
        echo "still to come: ${missing[*]}"
        return
    fi
    (cd "$work/pieces" && sha256sum --check --quiet SHA256) || fail "a piece is not what was packed"
    cat "$work"/pieces/load-* | tar -C "$work" -xz
    "$work/truefill-trainer" --version
    echo "all is there"
}

# run FOLDER SECONDS FLAGS: trains within a time; 143 where the time was up.
run() {
    local work=$1 seconds=$2
    shift 2
    LD_LIBRARY_PATH=$work/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} timeout --signal=TERM --kill-after=60 "$seconds" \
        "$work/truefill-trainer" train --store "$work/store" --device "$DEVICE" "$@"
}

# rate FOLDER BEGIN: steps and tokens a second of a run without its first tenth, and the seconds before its first
# step was done; BEGIN is when it was started, in seconds since 1970.
rate() {
    python3 - "$1/metrics.csv" "$2" <<'PY'
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
if len(rows) < 3:
    sys.exit(f"{sys.argv[1]}: expected at least three steps in the time, found {len(rows)}")
first, last = rows[len(rows) // 10], rows[-1]
seconds = float(last["seconds"]) - float(first["seconds"])
steps = int(last["step"]) - int(first["step"])
tokens = int(last["tokens"]) - int(first["tokens"])
print(steps / seconds, tokens / seconds, max(0, float(rows[0]["seconds"]) - float(sys.argv[2])))
PY
}

plan() {
    local work=$1 slices=${2:-3} steps_a_second tokens_a_second start begin status=0
    rm -rf "$work/probe"
    begin=$(date +%s)
    run "$work" "$PLAN_SECONDS" --recipe "$work/gpu.toml" --output "$work/probe" --steps 100000 --no-install ||
        status=$?
    ((status == 0 || status == 143 || status == 124)) || fail "the measurement ended with $status"
    read -r steps_a_second tokens_a_second start < <(rate "$work/probe" "$begin")
    python3 - "$work/plan.json" "$slices" "$SLICE_SECONDS" "$steps_a_second" "$tokens_a_second" "$start" <<'PY'
import json, sys
path, slices, seconds, steps, tokens, start = sys.argv[1], *map(float, sys.argv[2:])
# What the start took, and a tenth for states and what is written at the end.
left = 0.9 * seconds - start
if left <= 0:
    sys.exit(f"the start takes {start:.0f} s of a slice's {seconds:.0f}: give slices more time (SLICE_SECONDS)")
plan = {"slices": int(slices), "steps": max(1, int(left * steps)), "tokens_per_second": tokens}
json.dump(plan, open(path, "w"))
print(f"{tokens:.0f} tokens/s: {plan['slices']} slices of {plan['steps']} steps, "
      f"{plan['slices'] * plan['steps'] * tokens / steps / 1e6:.1f} million tokens")
PY
    rm -rf "$work/probe"
}

slice() {
    local work=$1 out=$2 done slices steps from last decay=constant recipe status=0
    [[ -f $work/plan.json ]] || fail "$work/plan.json: expected a plan; run \`gpu.sh plan $work\` first"
    read -r slices steps < <(python3 -c 'import json, sys
plan = json.load(open(sys.argv[1])); print(plan["slices"], plan["steps"])' "$work/plan.json")
    done=$(cat "$work/done" 2>/dev/null || echo 0)
    ((done < slices)) || fail "all $slices slices are done"
    from=$(cat "$work/latest" 2>/dev/null || echo default-base)
    if [[ ! -s $work/slice-$done.id ]]; then
        last=$((done + 1 == slices))
        ((last)) && decay=linear
        recipe=$work/slice-$done.toml
        sed -e "s/^decay = .*/decay = \"$decay\"/" -e "s/^seed = .*/seed = $((done + 1))/" "$work/gpu.toml" >"$recipe"
        run "$work" "$SLICE_SECONDS" --recipe "$recipe" --checkpoint "$from" --steps "$steps" \
            --output "$work/slice-$done" | tee "$work/slice.log" || status=$?
        if ((status == 143 || status == 124)); then
            echo "the time is up: the same command goes on"
            return
        fi
        ((status == 0)) || fail "the slice ended with $status"
        sed -n 's/^checkpoint \(.*\) is in the store$/\1/p' "$work/slice.log" | tail -n 1 >"$work/slice.part"
        [[ -s $work/slice.part ]] || fail "the slice's checkpoint is not named in $work/slice.log"
        mv "$work/slice.part" "$work/slice-$done.id"
    fi
    # The slice counts as done when its shards are there: where the time was up in between, they are written again.
    shards "$work" "$out" "$(cat "$work/slice-$done.id")" $((done + 1))
    cp "$work/slice-$done.id" "$work/latest"
    echo $((done + 1)) >"$work/done"
}

# The adapter and what is needed to go on elsewhere.
shards() {
    local work=$1 out=$2 id=$3 done=$4 folder=$1/adapter
    rm -rf "$folder"
    "$work/truefill-trainer" export "$id" --to peft --type f16 --out "$folder" --store "$work/store"
    mkdir -p "$out"
    rm -f "$out"/adapter-??
    split -b "${SHARD_BYTES:-16000000}" -d -a 2 "$folder/adapter_model.safetensors" "$out/adapter-"
    cp "$folder/adapter_config.json" "$work/plan.json" "$out/"
    cp "$work/slice-$((done - 1))/metrics.csv" "$out/metrics-$done.csv"
    (cd "$folder" && sha256sum adapter_model.safetensors) >"$out/SHA256"
    echo "$done" >"$out/done"
    python3 - "$work" "$done" <<'PY'
import csv, sys
last = [list(csv.DictReader(open(f"{sys.argv[1]}/slice-{at}/metrics.csv")))[-1]
        for at in range(int(sys.argv[2])) if __import__("os").path.exists(f"{sys.argv[1]}/slice-{at}/metrics.csv")]
print(f"{sys.argv[2]} slices done; on this machine {sum(int(row['tokens']) for row in last):,} tokens in "
      f"{len(last)} slices; loss of the last step {float(last[-1]['loss']):.4f}")
PY
}

join() {
    local out=$1 work=$2 id program
    mkdir -p "$work/adapter"
    cat "$out"/adapter-?? >"$work/adapter/adapter_model.safetensors"
    cp "$out/adapter_config.json" "$work/adapter/"
    (cd "$work/adapter" && sha256sum --check --quiet) <"$out/SHA256" || fail "a shard is not what was written"
    program=$work/truefill-trainer
    [[ -x $program ]] || program=truefill-trainer
    id=$("$program" import "$work/adapter" --adapter --base default-base --format truefill-spm --teach-format \
        --name truefill-default --json ${STORE:+--store "$STORE"} |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])') || fail "the adapter cannot be installed"
    echo "$id" >"$work/latest"
    cp "$out/done" "$out/plan.json" "$work/"
    echo "$id is in the store, after $(cat "$out/done") slices"
}

case ${1:-} in
pack) (($# >= 5)) || { usage >&2; exit 2; } ;;
unpack | slice | join) (($# == 3)) || { usage >&2; exit 2; } ;;
plan) (($# == 2 || $# == 3)) || { usage >&2; exit 2; } ;;
-h | --help) usage; exit ;;
*) usage >&2; exit 2 ;;
esac
"$@"
