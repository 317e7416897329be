# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Owns: what every script here shares: progress lines, failures with a remedy, the repository's root.
# Sourced, after `set -euo pipefail`.

RAWSTACK_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly RAWSTACK_ROOT

# die MESSAGE [REMEDY]: ends the script, saying what is wrong and what to do about it.
die() {
    printf '%s: error: %s\n' "${0##*/}" "$1" >&2
    [ $# -lt 2 ] || printf '%s: remedy: %s\n' "${0##*/}" "$2" >&2
    exit 1
}

# step TEXT: one progress line, with the seconds since the script began.
step() {
    printf '==> [%3ds] %s\n' "$SECONDS" "$1"
}

# skip TEXT: says aloud what does not run, and why.
skip() {
    printf 'SKIPPED: %s\n' "$1"
}

need_root() {
    [ "$(id -u)" = 0 ] || die "$1 needs root" "run it as root, for example: sudo $0"
}

need_program() {
    command -v "$1" >/dev/null || die "$1 is not installed" "${2:-run scripts/install-deps as root}"
}

# need_netns: network namespaces, veth and taps are there to use. Leaves nothing behind.
need_netns() {
    need_root "$1"
    unshare -n true 2>/dev/null ||
        die "this kernel or container allows no network namespaces" \
            "run on a kernel with CONFIG_NET_NS, with CAP_SYS_ADMIN"
    unshare -n ip link add rs0 type veth peer name rs1 2>/dev/null ||
        die "this kernel allows no veth devices" "modprobe veth"
    [ -c /dev/net/tun ] || die "/dev/net/tun is missing, so there are no tap devices" \
        "modprobe tun, or give the container /dev/net/tun"
}

# need_writable_build PRESET: an earlier run as root leaves files that others cannot replace.
need_writable_build() {
    [ "$(id -u)" != 0 ] || return 0
    local top="$RAWSTACK_ROOT/build" found=
    if [ ! -e "$top" ]; then
        [ -w "$RAWSTACK_ROOT" ] || found=$RAWSTACK_ROOT
    elif [ ! -w "$top" ]; then
        found=$top
    else
        found=$(find "$top" -mindepth 1 \( -path "$top/$1" -o -path "$top/$1/*" -o \
            -path "$top/$1*.log" \) \( -type f -o -type d \) ! -writable -print -quit)
    fi
    [ -z "$found" ] ||
        die "$(id -un) may not write to $found, which belongs to $(stat -c %U "$found")" \
            "run this in a copy of the tree that $(id -un) owns; or as root: rm -r build"
}

# have_ccache: installed, and with a folder that this user may fill; else it fails each compilation.
have_ccache() {
    local folder
    command -v ccache >/dev/null || return 1
    folder=$(ccache --get-config cache_dir 2>/dev/null) && mkdir -p "$folder" 2>/dev/null &&
        [ -w "$folder" ]
}

# configure_and_build PRESET [TARGET...]: quick when nothing has changed. ccache where it is installed.
configure_and_build() {
    local preset=$1
    shift
    need_writable_build "$preset"
    if have_ccache; then
        export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
    fi
    local log="$RAWSTACK_ROOT/build/$preset.log"
    mkdir -p "$RAWSTACK_ROOT/build"
    (cd "$RAWSTACK_ROOT" && cmake --preset "$preset" &&
        cmake --build --preset "$preset" -j "$(nproc)" ${1:+--target "$@"}) >"$log" 2>&1 || {
        tail -n 60 "$log" >&2
        die "the $preset build failed" "the whole log is in ${log#"$RAWSTACK_ROOT"/}"
    }
}
