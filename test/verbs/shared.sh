#!/usr/bin/env bash
# usage: shared.sh CXEMU TEST_SHARED ASK_MISSING: NICs that several processes share. Exit status 77: cannot run here.
set -euo pipefail
cxemu=$1
tests=$2
missing=$3

fail() { echo "failed: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "skipped: RAW_PACKET queue pairs need CAP_NET_RAW"; exit 77; }

CXEMU_RUN_DIR=$(mktemp -d)
export CXEMU_RUN_DIR
finish() {
    "$cxemu" stop t >/dev/null 2>&1 || true
    rm -rf "$CXEMU_RUN_DIR"
}
trap finish EXIT

pair=(--nic wire=mem:w,mac=02:00:00:00:00:0a --nic wire=mem:w,mac=02:00:00:00:00:0b)
"$cxemu" start t "${pair[@]}"
! "$cxemu" start t 2>/dev/null || fail "two instances of one name"
"$cxemu" status t | grep -q "mlx5_1 (uverbs1): link up" || fail "status does not show the NICs"
counter=/sys/class/infiniband/mlx5_1/ports/1/counters/port_rcv_packets
holder=$(cat "$CXEMU_RUN_DIR/t.lock")
"$cxemu" run --nic t -- true
before=$(find "/proc/$holder/fd" | wc -l)
timeout 100 "$cxemu" run --nic t -- "$tests"
for _ in $(seq 50); do # closing takes the holder a moment
    after=$(find "/proc/$holder/fd" | wc -l)
    [ "$after" -gt "$before" ] || break
    sleep 0.1
done
[ "$after" -le "$before" ] || fail "descriptors left: $before before, $after after"
[ "$("$cxemu" run --nic t -- cat $counter)" -ge 50 ] || fail "$counter does not count"
left=$("$cxemu" status --json t | grep -E '"(pd|mr|cq|qp|flow|uar)": *[1-9]' || true)
[ -z "$left" ] || fail "objects left: $left"

# A port that goes down is news for every program.
command -v ibv_asyncwatch >/dev/null || fail "no ibv_asyncwatch (Debian package ibverbs-utils)"
# sees TEXT N: both watchers have told of it, N times at least.
sees() {
    local i tries
    for i in 1 2; do
        for ((tries = 0; tries < 100; tries++)); do
            [ "$(grep -c "$1" "$CXEMU_RUN_DIR/watch$i")" -ge "$2" ] && continue 2
            sleep 0.1
        done
        fail "watcher $i has not seen $1 $2 times: $(cat "$CXEMU_RUN_DIR/watch$i")"
    done
}
for i in 1 2; do
    timeout 60 "$cxemu" run --nic t -- stdbuf -oL ibv_asyncwatch -d mlx5_0 >"$CXEMU_RUN_DIR/watch$i" 2>&1 &
    watchers[i]=$!
done
sees "async event FD" 1
"$cxemu" set t --nic mlx5_1 link=down
sees PORT_ERR 1
"$cxemu" set t --nic mlx5_1 link=up
sees PORT_ACTIVE 1
"$cxemu" fault t --nic mlx5_0 port-down time=1s >/dev/null
sees PORT_ERR 2
sees PORT_ACTIVE 2
kill "${watchers[@]}"
rm -f "$CXEMU_RUN_DIR"/watch?

# What is not emulated is named to the program that asked, not to the holder.
own=$("$cxemu" run -v -- "$missing" 2>&1 >/dev/null)
shared=$("$cxemu" run -v --nic t -- "$missing" 2>&1 >/dev/null)
grep -q "cxemu: not implemented: .*: refused with" <<<"$shared" || fail "-v names nothing: $shared"
[ "$own" = "$shared" ] || fail "-v names other things on a shared NIC: $shared; and on one's own: $own"

# The holder ends while programs use it.
for how in stop kill; do
    "$cxemu" start "$how" "${pair[@]}"
    CXEMU_TEST_END=$how CXEMU_TEST_PROGRAM=$cxemu timeout 60 "$cxemu" run --nic "$how" -- "$tests" \
        --gtest_filter='*TheHolderEnds' || fail "programs are not well after the holder's end ($how)"
    ! "$cxemu" status "$how" 2>/dev/null || fail "$how: it still runs"
done

# A holder that is killed: users fail, nobody hangs, and the name is free again.
kill -9 "$holder"
for _ in $(seq 50); do # it takes a moment to die
    timeout 20 "$cxemu" run --nic t -- true 2>/dev/null || break
    sleep 0.1
done
! timeout 20 "$cxemu" run --nic t -- true 2>/dev/null || fail "a dead instance is taken for one that runs"
"$cxemu" start t "${pair[@]}"
"$cxemu" stop t
[ -z "$(ls "$CXEMU_RUN_DIR")" ] || fail "stop leaves $(ls "$CXEMU_RUN_DIR")"
