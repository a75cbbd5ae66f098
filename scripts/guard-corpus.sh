#!/usr/bin/env bash
# Fetches real packages, one folder each, for the figures of the examples `guard_rate` and
# `end_rate`:
#
#   scripts/guard-corpus.sh SET DIR
#
# Sets are disjoint. `tuning` is what rules are looked at with; each `fresh` set is measured once
# and becomes a tuning set as soon as a rule is changed after what it showed. All packages are under
# permissive licences (MIT, BSD, Apache-2.0, Zlib, BSL). Python comes as wheels, JavaScript and
# TypeScript as npm packages, Rust as crates; Go, PHP and Ruby as Debian packages, Java, C# and C++ as
# Debian source packages, from where the system's apt is set up to fetch (`apt-get update` first).
set -euo pipefail

case "${1:-}" in
tuning)
    wheels=(falcon datasette mkdocs boltons sqlglot dulwich)
    npm=(fastify knex mocha rxjs @reduxjs/toolkit react-native-paper @tanstack/query-core)
    crates=(lopdf rhai comrak calamine petgraph ratatui)
    debs=(golang-github-yuin-goldmark-dev golang-github-miekg-dns-dev
        golang-github-valyala-fasthttp-dev golang-github-rivo-tview-dev
        php-league-commonmark php-twig php-guzzlehttp-psr7
        ruby-sequel ruby-rouge ruby-liquid)
    sources=(jsoup picocli jcommander libcommons-lang3-java newtonsoft-json opentk
        fmtlib yaml-cpp re2)
    ;;
fresh1)
    wheels=(litestar beets hypercorn glom nikola textual)
    npm=(nodemailer handlebars jsdom @hapi/hapi react-native-gesture-handler
        @react-navigation/core @tanstack/table-core @react-aria/interactions)
    crates=(tantivy handlebars russh redis quick-xml pulldown-cmark)
    debs=(golang-github-labstack-echo-dev golang-github-gdamore-tcell.v2-dev
        golang-github-alecthomas-participle-dev golang-github-emersion-go-imap-dev
        php-monolog php-doctrine-dbal php-sabre-vobject php-league-flysystem
        ruby-grape ruby-kramdown ruby-mail ruby-dry-types)
    sources=(libjoda-time-java libcommons-compress-java libpdfbox2-java libmetadata-extractor-java
        dnlib nunit spdlog pugixml simdjson)
    ;;
fresh2)
    wheels=(scrapy mitmproxy sanic networkx cookiecutter trio)
    npm=(pug ws bull react-native-screens @react-navigation/stack wagmi
        @react-stately/table react-native-windows)
    crates=(symphonia-core wasmparser sea-query hickory-proto bevy_ecs lalrpop)
    debs=(golang-github-spf13-viper-dev golang-github-jackc-pgx-v4-dev
        golang-github-charmbracelet-bubbles-dev golang-github-pelletier-go-toml.v2-dev
        php-nikic-fast-route php-sabre-dav php-doctrine-orm phpunit
        ruby-faraday ruby-graphql ruby-roda ruby-haml)
    sources=(libgoogle-gson-java libcommons-math3-java mockito
        thrift antlr4 catch2 leveldb libjsoncpp)
    ;;
*)
    sed -n '2,14s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
out=$(mkdir -p "${2:?the folder to fetch into}/$1" && cd "$2/$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One folder for a package, whatever its registry calls it.
folder() {
    local name=${1#@}
    mkdir -p "$out/${name//\//-}" && echo "$out/${name//\//-}"
}

failed=()
cd "$work"

for name in "${wheels[@]}"; do
    if pip download --quiet --no-deps --only-binary=:all: -d "wheel-$name" "$name"; then
        python3 -m zipfile -e "wheel-$name"/*.whl "$(folder "python-$name")"
    else
        failed+=("$name")
    fi
done

for name in "${npm[@]}"; do
    if archive=$(npm pack --silent "$name"); then
        tar -xzf "$archive" -C "$(folder "npm-$name")" --strip-components=1 --no-same-permissions
    else
        failed+=("$name")
    fi
done

mkdir -p rust/src && touch rust/src/lib.rs
{
    printf '[package]\nname = "corpus"\nversion = "0.0.0"\nedition = "2024"\n[dependencies]\n'
    printf '"%s" = "*"\n' "${crates[@]}"
} > rust/Cargo.toml
(cd rust && cargo vendor --quiet > /dev/null)
for name in "${crates[@]}"; do
    cp -r "rust/vendor/$name/." "$(folder "rust-$name")"
done

# Source entries for the archives that the system already uses, in a state folder of its own.
mkdir -p apt/lists apt/cache/archives/partial
cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2> /dev/null |
    sed -n 's/^deb /deb-src /p' > apt/sources.list || true
mkdir -p apt/sources.list.d
for file in /etc/apt/sources.list.d/*.sources; do
    [ -e "$file" ] && sed 's/^Types: .*/Types: deb-src/' "$file" > "apt/sources.list.d/${file##*/}"
done
apt=(-qq -o "Dir::Etc::sourcelist=$work/apt/sources.list"
    -o "Dir::Etc::sourceparts=$work/apt/sources.list.d"
    -o "Dir::State::lists=$work/apt/lists" -o "Dir::Cache=$work/apt/cache" -o "APT::Sandbox::User=")
apt-get "${apt[@]}" update
for name in "${debs[@]}"; do
    mkdir "deb-$name"
    if (cd "deb-$name" && apt-get -qq -o APT::Sandbox::User= download "$name" > /dev/null 2>&1); then
        dpkg-deb -x "deb-$name"/*.deb "$(folder "debian-$name")"
    else
        failed+=("$name")
    fi
done
for name in "${sources[@]}"; do
    mkdir "source-$name"
    if (cd "source-$name" &&
        apt-get "${apt[@]}" source --download-only --tar-only "$name" > /dev/null 2>&1); then
        tar -xf "source-$name"/*.orig.tar.* -C "$(folder "debian-$name")" --strip-components=1
    else
        failed+=("$name")
    fi
done

du -sh "$out"
if [ ${#failed[@]} -gt 0 ]; then
    echo "not fetched: ${failed[*]}" >&2
    exit 1
fi
