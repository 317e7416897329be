#!/usr/bin/env bash
# usage: asyncwatch.sh CXEMU: the distribution's ibv_asyncwatch on a shared NIC whose port goes down and
# up, by the wire and by faults, and which fails. SPDX-License-Identifier: BSD-2-Clause
set -u
cxemu=$1
dir=$(mktemp -d)
export CXEMU_RUN_DIR=$dir/run
watcher=
trap '[ -z "$watcher" ] || kill "$watcher"; "$cxemu" stop aw >/dev/null 2>&1; rm -rf "$dir"' EXIT

# sees COUNT EVENT: it has told of so many of them by now, or does in five seconds.
sees() {
    for _ in $(seq 100); do
        [ "$(grep -c "$2" "$dir/out")" -ge "$1" ] && return
        sleep 0.05
    done
    echo "FAILED: no $1 of $2 in:"
    cat "$dir/out"
    exit 1
}

command -v ibv_asyncwatch >/dev/null || { echo "no ibv_asyncwatch (Debian package ibverbs-utils)"; exit 77; }
"$cxemu" start aw --nic name=n0,wire=mem:w --nic name=n1,wire=mem:w || exit 1
"$cxemu" run --nic aw -- ibv_asyncwatch -d n0 >"$dir/out" 2>&1 &
watcher=$!
sees 1 "n0: async event"
"$cxemu" set aw --nic n1 link=down || exit 1 # the other end
sees 1 "IBV_EVENT_PORT_ERR (10), port 1"
"$cxemu" set aw --nic n1 link=up || exit 1
sees 1 "IBV_EVENT_PORT_ACTIVE (9), port 1"
"$cxemu" fault aw --nic n0 port-down time=20ms >/dev/null || exit 1
sees 2 "IBV_EVENT_PORT_ERR (10), port 1"
sees 2 "IBV_EVENT_PORT_ACTIVE (9), port 1"
"$cxemu" fault aw --nic n0 fatal >/dev/null || exit 1
sees 1 "IBV_EVENT_DEVICE_FATAL (8)"
[ "$(grep -c event_type "$dir/out")" = 5 ] || { cat "$dir/out"; exit 1; }
