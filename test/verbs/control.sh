#!/usr/bin/env bash
# usage: control.sh CXEMU: an instance and a program under `cxemu run`, set, broken, counted and
# traced from outside. SPDX-License-Identifier: BSD-2-Clause
set -u
cxemu=$1
dir=$(mktemp -d)
export CXEMU_RUN_DIR=$dir/run
fails=0
trap '"$cxemu" stop ctl >/dev/null 2>&1; rm -rf "$dir"' EXIT

fail() {
    echo "FAILED: $*"
    fails=$((fails + 1))
}
# has TEXT COMMAND...: it succeeds and its output has TEXT.
has() {
    local text=$1 out
    shift
    out=$("$@" 2>&1) || fail "$* exits with $?: $out"
    grep -qF -- "$text" <<<"$out" || fail "$*: no '$text' in: $out"
}
# refuses TEXT COMMAND...: it fails and says TEXT.
refuses() {
    local text=$1 out
    shift
    out=$("$@" 2>&1) && fail "$* succeeds: $out"
    grep -qF -- "$text" <<<"$out" || fail "$*: no '$text' in: $out"
}

command -v ibv_devinfo >/dev/null || { echo "no ibv_devinfo"; exit 77; }
refuses "nobody does not run" "$cxemu" counters nobody
"$cxemu" start ctl --nic name=n0,wire=mem:w --nic name=n1,wire=mem:w || exit 1

has "rx_packets_phy" "$cxemu" counters ctl --nic n0 --all
has '"out_of_buffer":' "$cxemu" counters ctl --nic n0 --json
refuses "there is not just one NIC" "$cxemu" counters ctl
refuses "no NIC of that name" "$cxemu" counters ctl --nic n9

has 1 "$cxemu" fault ctl --nic n0 create object=context errno=EPERM count=forever
refuses "Failed to open" "$cxemu" run --nic ctl -- ibv_devinfo -d n0
has "1: create:object=context:errno=EPERM:count=forever: struck" "$cxemu" fault ctl --nic n0
has "" "$cxemu" fault ctl --nic n0 --clear 1
has "hca_id" "$cxemu" run --nic ctl -- ibv_devinfo -d n0
refuses "unknown fault 'wombat'" "$cxemu" fault ctl --nic n0 wombat
refuses "no fault of that number" "$cxemu" fault ctl --nic n0 --clear 9

has "PORT_ACTIVE" "$cxemu" run --nic ctl -- ibv_devinfo -d n0
has "" "$cxemu" set ctl --nic n1 link=down
has "PORT_DOWN" "$cxemu" run --nic ctl -- ibv_devinfo -d n0
has "" "$cxemu" set ctl --nic n1 link=up delay=1ms loss=5%
refuses "wombat" "$cxemu" set ctl --nic n1 wombat=1

timeout 20 "$cxemu" trace ctl --nic n0 -f commands >"$dir/trace" &
tracer=$!
for _ in $(seq 50); do
    "$cxemu" run --nic ctl -- ibv_devinfo -d n0 >/dev/null 2>&1
    grep -q "name=query_port" "$dir/trace" && break
    sleep 0.1
done
kill "$tracer"
wait "$tracer" 2>/dev/null
has "name=get_context" cat "$dir/trace"
has "result=ok" cat "$dir/trace"
refuses "filter 'wombats'" "$cxemu" trace ctl --nic n0 -f wombats

has "name=get_context" "$cxemu" run --trace -- ibv_devinfo
"$cxemu" run --trace="$dir/file" --trace-filter commands -- ibv_devinfo >/dev/null || fail "run --trace=FILE"
has "command pid=" cat "$dir/file"
has "ethtool:" "$cxemu" run --control "$dir/sock" -- \
    sh -c "ibv_devinfo >/dev/null; exec python3 -c '
import ctypes, subprocess, sys
n = ctypes.c_int(0)
ctypes.CDLL(\"libibverbs.so.1\").ibv_get_device_list(ctypes.byref(n))
env = {k: v for k, v in __import__(\"os\").environ.items() if k != \"LD_PRELOAD\" and k[:6] != \"CXEMU_\"}
sys.exit(subprocess.call([sys.argv[1], \"counters\", sys.argv[2], \"--all\"], env=env))' '$cxemu' '$dir/sock'"
refuses "are for NICs of the program's own" "$cxemu" run --nic ctl --trace -- true
for sub in set fault trace counters; do
    has "usage: cxemu $sub" "$cxemu" "$sub" --help
    refuses "usage: cxemu $sub" "$cxemu" "$sub"
done
[ "$fails" = 0 ]
