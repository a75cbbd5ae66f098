#!/usr/bin/env bash
# Makes the default checkpoint from nothing, in the folder WORK. What is there is not made again, and what was
# interrupted goes on: after an interruption give the same command.
#
#   models/default/make.sh WORK rows        the corpus, and training rows of it          (an hour, mostly fetching)
#   models/default/make.sh WORK stage1      the runs of stage1/, each from the one before  (two hours each, two cores)
#   models/default/make.sh WORK mean NAME…  the mean of runs: of `1` and `2`, say, the checkpoint `default-mean`
#   models/default/make.sh WORK pairs FROM  stage 2's pairs, with samples of the run or mean FROM
#   models/default/make.sh WORK stage2 FROM the five objectives from there, each measured (docs/train.md, `ablate`)
#   models/default/make.sh WORK measure FROM  every figure of a run or mean, or of `default-base`, in WORK/figures
#
# Environment: TRAINER and TRUEFILL, the programs (`truefill-trainer`, `truefill`); TRUEFILL_STORE, the store with
# `default-base` (the user's);
# EXCLUDE, benchmarks that no row may come from and that `measure` asks, by spaces (HumanEval-Infilling `.jsonl.gz`,
# Delulu `.csv`). All randomness has seeds in the recipes beside this file.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TRAINER=${TRAINER:-truefill-trainer}
TRUEFILL=${TRUEFILL:-truefill}
STORE=${TRUEFILL_STORE:-${TRUEFILL_HOME:-${XDG_DATA_HOME:-$HOME/.local/share}/truefill}}

fail() {
    echo "make.sh: $*" >&2
    exit 1
}
usage() { sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//;p}' "$0"; }

# make FILE COMMAND…: runs a command that writes FILE to its standard output, unless FILE is there.
make() {
    local file=$1
    shift
    [[ -e $file ]] && return
    echo "== $file"
    "$@" >"$file.part"
    mv "$file.part" "$file"
}

# id FROM: the checkpoint that a run or a mean left.
id() {
    if [[ $1 == default-base ]]; then
        echo "$1"
        return
    fi
    cat "$WORK/$1.id" 2>/dev/null || fail "$WORK/$1.id: expected the id of a checkpoint; make it first"
}

rows() {
    local exclude=() name
    for name in ${EXCLUDE:-}; do exclude+=(--exclude "$name"); done
    ((${#exclude[@]})) || echo "make.sh: EXCLUDE names no benchmark: do not measure with any" >&2
    [[ -e $WORK/corpus/fetched.txt ]] || "$HERE/../../scripts/corpus.sh" "$WORK/corpus" "$HERE/corpus.txt"
    # Small windows for stage 1; whole ones, where imports are holes, too, for what is held out and for stage 2.
    for name in contexts whole; do
        [[ -e $WORK/$name.jsonl ]] || "$TRAINER" mine --each "$WORK/corpus/sources" --recipe "$HERE/$name.toml" \
            "${exclude[@]}" --out "$WORK/$name.jsonl"
    done
    [[ -e $WORK/negatives.jsonl ]] ||
        "$TRAINER" generate "$WORK/whole.jsonl" --out "$WORK/negatives.jsonl"
    [[ -e $WORK/data/DATASHEET.md ]] || "$TRAINER" curate "$WORK/whole.jsonl" "$WORK/negatives.jsonl" \
        --recipe "$HERE/whole.toml" --out "$WORK/data"
    for name in "$HERE"/stage1/*.toml; do
        name=$(basename "$name" .toml)
        make "$WORK/rows-$name.jsonl" mixed "$name"
    done
}

mixed() { "$HERE/mix.py" "$WORK/data" --mix --seed "$1" <"$WORK/contexts.jsonl"; }

# run NAME RECIPE FLAGS…: trains, and keeps the id of what came out.
run() {
    local name=$1 recipe=$2
    shift 2
    [[ -e $WORK/$name.id ]] && return
    mkdir -p "$(dirname "$WORK/$name")"
    cp "$recipe" "$WORK/$name.toml"
    echo "== $name"
    "$TRAINER" train --recipe "$WORK/$name.toml" --output "$WORK/$name" "$@" | tee "$WORK/$name.log"
    if grep -q '^stopped after step' "$WORK/$name.log"; then
        echo "make.sh: $name was stopped; the same command goes on with it"
        exit
    fi
    sed -n 's/^checkpoint \(.*\) is in the store$/\1/p' "$WORK/$name.log" | tail -n 1 >"$WORK/$name.part"
    [[ -s $WORK/$name.part ]] || fail "$WORK/$name.log: expected the checkpoint's id at the end, found none"
    mv "$WORK/$name.part" "$WORK/$name.id"
}

stage1() {
    local recipe name from=default-base
    for recipe in "$HERE"/stage1/*.toml; do
        name=$(basename "$recipe" .toml)
        run "$name" "$recipe" --checkpoint "$from"
        from=$(id "$name")
    done
}

mean() {
    local name folders=()
    (($#)) || fail "mean: expected names of runs, found none"
    for name; do
        [[ -e $WORK/peft/$name/adapter_config.json ]] ||
            "$TRAINER" export "$(id "$name")" --to peft --type f16 --out "$WORK/peft/$name"
        folders+=("$WORK/peft/$name")
    done
    rm -rf "$WORK/peft/mean"
    "$HERE/average.py" --out "$WORK/peft/mean" "${folders[@]}"
    "$TRAINER" import "$WORK/peft/mean" --adapter --base default-base --format truefill-spm --teach-format \
        --name default-mean --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])' >"$WORK/mean.part"
    mv "$WORK/mean.part" "$WORK/mean.id"
    echo "mean of $*: $(id mean)"
}

pairs() {
    local from part
    from=$(id "$1")
    sed "s/\"default-stage1\"/\"$from\"/" "$HERE/stage2.toml" >"$WORK/stage2.toml"
    [[ -e $WORK/stage2-held-out.jsonl ]] ||
        "$HERE/subset.py" "$WORK/data" "$WORK/stage2" --held-out 80 <"$WORK/whole.jsonl"
    for part in held-out train; do
        [[ -e $WORK/$part.negatives.jsonl ]] || "$TRAINER" generate "$WORK/stage2-$part.jsonl" \
            --recipe "$WORK/stage2.toml" --out "$WORK/$part.negatives.jsonl"
    done
    # What is held out gets the three scorers that tell how hard it is; training rows need their names looked up alone.
    [[ -e $WORK/held-out.scores.jsonl ]] || "$TRAINER" judge "$WORK/stage2-held-out.jsonl" \
        "$WORK/held-out.negatives.jsonl" --recipe "$WORK/stage2.toml" --out "$WORK/held-out.verdicts.jsonl" \
        --scores "$WORK/held-out.scores.jsonl"
    [[ -e $WORK/train.scores.jsonl ]] || "$TRAINER" judge "$WORK/stage2-train.jsonl" "$WORK/train.negatives.jsonl" \
        --recipe "$WORK/stage2.toml" --judges resolve --out "$WORK/train.verdicts.jsonl" \
        --scores "$WORK/train.scores.jsonl"
    cat "$WORK"/stage2-{held-out,train}.jsonl >"$WORK/stage2-contexts.jsonl"
    for part in negatives verdicts scores; do
        cat "$WORK"/{held-out,train}."$part".jsonl >"$WORK/stage2-$part.jsonl"
    done
    "$TRAINER" curate "$WORK"/stage2-{contexts,negatives,verdicts,scores}.jsonl --recipe "$WORK/stage2.toml" \
        --out "$WORK/stage2"
    make "$WORK/stage2/medium-and-hard.jsonl" grep -v '"difficulty":"easy"' "$WORK/stage2/test/pairs.jsonl"
    make "$WORK/stage2/even.jsonl" "$HERE/even.py" "$WORK/stage2/pairs.jsonl" "$WORK/data/pairs.jsonl" --most 400
}

stage2() {
    sed "s/\"default-stage1\"/\"$(id "$1")\"/" "$HERE/stage2.toml" >"$WORK/stage2.toml"
    "$TRAINER" ablate "$WORK/stage2.toml"
}

measure() {
    local from name suite
    from=$(id "$1")
    for name in ${EXCLUDE:-}; do
        suite=humaneval-infilling
        [[ $name == *.csv ]] && suite=delulu
        asked "$1-$(basename "${name%%.*}")" --suite "$suite" --data "$name" --model "$from"
    done
    asked "$1-pairs" --suite pairs --data "$WORK/data/test/pairs.jsonl" --context-tokens 256 --model "$from"
    typed "$1-replay" --model "$from"
}

# typed NAME FLAGS…: types files of other packages, with deletions, jumps and pastes; a journal of its own.
typed() {
    local name=$WORK/figures/$1 file files=()
    shift
    [[ -e $name.txt ]] && return
    [[ -e $WORK/replay/fetched.txt ]] ||
        "$HERE/../../scripts/corpus.sh" --folders "$WORK/replay" "$HERE/replay.txt"
    (cd "$WORK/replay/sources" && sha256sum --check --quiet "$HERE/replay.sha256") ||
        fail "$WORK/replay: expected the files of replay.sha256; a package has another version here"
    while read -r _ file; do files+=("$WORK/replay/sources/$file"); done <"$HERE/replay.sha256"
    TRUEFILL_HOME=$WORK/home TRUEFILL_STORE=$STORE "$TRUEFILL" bench keystrokes --lines 6 --habit mixed "$@" "${files[@]}" |
        tee "$name.part"
    mv "$name.part" "$name.txt"
}

# asked NAME FLAGS…: measures once.
asked() {
    local name=$WORK/figures/$1
    shift
    [[ -e $name.txt ]] && return
    mkdir -p "$WORK/figures"
    "$TRAINER" eval "$@" --width 16 --out "$name" | tee "$name.part"
    mv "$name.part" "$name.txt"
}

case ${2:-} in
rows | stage1) (($# == 2)) || { usage >&2; exit 2; } ;;
mean) (($# > 2)) || { usage >&2; exit 2; } ;;
pairs | stage2 | measure) (($# == 3)) || { usage >&2; exit 2; } ;;
*)
    case ${1:-} in
    -h | --help) usage; exit ;;
    esac
    usage >&2
    exit 2
    ;;
esac
mkdir -p "$1"
WORK=$(cd "$1" && pwd)
shift
"$@"
