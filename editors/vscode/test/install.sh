#!/usr/bin/env bash
# Installs what the tests in the editor need, each once, and prints where VS Code's server build starts:
#
#   install.sh DIR
#
# The extension's own packages, Node 24 among them, come from npm into its folder; VS Code's server build
# comes from npm into DIR; Chromium and a compiler come from Debian, for which root is needed (or sudo).
set -euo pipefail

CODE_SERVER=4.139.1

# All else that is said here goes to stderr.
exec 3>&1 1>&2

fail() { echo "install.sh: $*" >&2; exit 1; }
say() { echo "install.sh: $*" >&2; }

[ $# -eq 1 ] || fail "expected a folder, found \`$*\`"
mkdir -p "$1"
dir=$(cd "$1" && pwd)
extension=$(cd "$(dirname "$0")/.." && pwd)
npm=(npm --no-audit --no-fund --no-update-notifier --loglevel=error)

debian() {
    local root=()
    [ "$(id -u)" -eq 0 ] || root=(sudo -n)
    say "installing Debian's $*"
    { "${root[@]}" apt-get update -qq && "${root[@]}" apt-get install -qq -y --no-install-recommends "$@"; } >&2 ||
        fail "expected the Debian packages $*; run \`apt install $*\` as root"
}

# A folder that is filled under another name first, so that what is there is whole.
complete() {
    local folder=$1
    shift
    rm -rf "$folder" "$folder.new"
    mkdir -p "$folder.new"
    "$@" "$folder.new"
    mv "$folder.new" "$folder"
}

# VS Code's server build. Of its native modules only the one that writes logs has no built form in its
# package; the others of its install scripts serve features that no test uses.
code_server() {
    "${npm[@]}" install --prefix "$1" --ignore-scripts "code-server@$CODE_SERVER"
    (
        cd "$1/node_modules/code-server/lib/vscode"
        "${npm[@]}" install --omit=dev --ignore-scripts
        npm_config_nodedir=$headers "${npm[@]}" rebuild @vscode/spdlog
    )
}

command -v npm >/dev/null || fail "expected Node 20 or later with npm"
missing=()
command -v chromium >/dev/null || missing+=(chromium)
if [ ! -d "$dir/code-server-$CODE_SERVER" ]; then
    command -v g++ >/dev/null || missing+=(g++)
    command -v make >/dev/null || missing+=(make)
fi
[ "${#missing[@]}" -eq 0 ] || debian "${missing[@]}"

# npm writes the second file last.
if [ "$extension/package-lock.json" -nt "$extension/node_modules/.package-lock.json" ]; then
    say "installing the extension's packages"
    (cd "$extension" && "${npm[@]}" ci)
fi
export PATH=$extension/node_modules/.bin:$PATH
case $(node --version) in
    v24.*) ;;
    *) fail "expected Node 24 in $extension/node_modules, found $(node --version); remove that folder and run this again" ;;
esac
headers=$(dirname "$extension"/node_modules/node/node_modules/node-*/include)
if [ ! -d "$dir/code-server-$CODE_SERVER" ]; then
    say "installing code-server $CODE_SERVER"
    complete "$dir/code-server-$CODE_SERVER" code_server
fi
echo "$dir/code-server-$CODE_SERVER/node_modules/code-server/out/node/entry.js" >&3
