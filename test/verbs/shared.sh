#!/usr/bin/env bash
# usage: shared.sh CXEMU TEST_SHARED: NICs that several processes share. Exit status 77: cannot run here.
set -euo pipefail
cxemu=$1
tests=$2

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
