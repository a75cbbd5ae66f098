#!/usr/bin/env bash
# Builds the peer that Truefill is compared with: llama.cpp's own server.
#
#   scripts/peer/llama-server.sh DIR
#
# The sources come from the source distribution of the Python package
# llama-cpp-python, which vendors llama.cpp; cmake and ninja come from their
# Python packages into DIR/venv, so only python3 and a C++ compiler are needed.
# Finished steps are skipped when it is run again. About five minutes on two
# cores; DIR/llama-server, DIR/llama-bench and DIR/llama-quantize are the result.
#
# Environment: JOBS (default: all cores), LLAMA_CPP_PYTHON_VERSION.
#
# Use, on the loopback interface:
#
#   DIR/llama-server -m MODEL.gguf --host 127.0.0.1 --port 18080 -t 2 -c 2048 -np 1
#   curl 127.0.0.1:18080/health
#   curl 127.0.0.1:18080/v1/completions \
#     -d '{"prompt": "def add(a, b):\n    ", "max_tokens": 16, "temperature": 0}'
#   curl 127.0.0.1:18080/infill \
#     -d '{"input_prefix": "def add(", "input_suffix": "\n", "n_predict": 16, "temperature": 0}'
#
# /v1/completions ignores `suffix`. /infill answers 501 for a model without
# fill-in-the-middle tokens, as the default model is; any three spare tokens
# open it, for timing (what it then suggests is as untrained as they are):
#
#   --override-kv tokenizer.ggml.fim_pre_token_id=int:3,tokenizer.ggml.fim_suf_token_id=int:4,tokenizer.ggml.fim_mid_token_id=int:5
#
# Speed of a quiet machine, and a Q8_0 file to compare with:
#
#   DIR/llama-bench -m MODEL.gguf -t 2 -p 512 -n 32
#   DIR/llama-quantize --allow-requantize MODEL.gguf MODEL-Q8_0.gguf Q8_0
set -euo pipefail

VERSION=${LLAMA_CPP_PYTHON_VERSION:-0.3.36}
CMAKE_VERSION=4.4.4
NINJA_VERSION=1.13.2
JOBS=${JOBS:-$(nproc)}
PROGRAMS=(llama-server llama-bench llama-quantize)

if [[ $# -ne 1 || $1 == -* ]]; then
    sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//;p}' "$0"
    [[ $# -eq 1 && ($1 == -h || $1 == --help) ]] && exit 0
    exit 2
fi
mkdir -p "$1"
DIR=$(cd "$1" && pwd)
SOURCE=$DIR/llama_cpp_python-$VERSION/vendor/llama.cpp
BUILD=$DIR/build-$VERSION

tools() {
    [[ -x $DIR/venv/bin/ninja && -x $DIR/venv/bin/cmake ]] && return
    python3 -m venv "$DIR/venv"
    "$DIR/venv/bin/pip" install --quiet "cmake==$CMAKE_VERSION" "ninja==$NINJA_VERSION"
}

sources() {
    [[ -f $DIR/.sources-$VERSION ]] && return
    local package=llama-cpp-python
    "$DIR/venv/bin/pip" download --quiet --no-deps --no-binary "$package" --dest "$DIR" "$package==$VERSION"
    tar -xzf "$DIR/llama_cpp_python-$VERSION.tar.gz" -C "$DIR"
    touch "$DIR/.sources-$VERSION"
}

# Runs quietly; the log is shown only if the command fails.
logged() {
    "$@" >>"$DIR/build.log" 2>&1 && return
    tail -n 40 "$DIR/build.log" >&2
    echo "llama-server.sh: the build failed, the whole log is $DIR/build.log" >&2
    exit 1
}

# Native code for this machine, as a user of llama.cpp builds it. What its
# build would download (the web interface) and what it does not need on the
# loopback interface (TLS) is switched off.
build() {
    PATH=$DIR/venv/bin:$PATH
    : >"$DIR/build.log"
    logged cmake -S "$SOURCE" -B "$BUILD" -G Ninja \
        -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DBUILD_SHARED_LIBS=OFF \
        -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF \
        -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF \
        -DFETCHCONTENT_FULLY_DISCONNECTED=ON
    logged cmake --build "$BUILD" --parallel "$JOBS" --target "${PROGRAMS[@]}"
    for program in "${PROGRAMS[@]}"; do
        ln -sf "$BUILD/bin/$program" "$DIR/$program"
    done
}

tools
sources
build
"$DIR/llama-server" --version
