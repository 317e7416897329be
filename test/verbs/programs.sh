#!/usr/bin/env bash
# usage: programs.sh CXEMU TEST ASK_MISSING: programs that are not ours, unmodified, under `cxemu run`.
# Exit status 77: cannot run here, with the reason.
set -euo pipefail
cxemu=$1
test=$2
ask_missing=$3

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "failed: $*" >&2; exit 1; }
need() { command -v "$1" >/dev/null || skip "there is no $1 (Debian package $2)"; }

# Both ends of a raw_ethernet tool, each in a process of its own, over a veth pair in a network
# namespace that goes with this script.
raw_pair() {
    local tool=$1; shift
    [ -z "${CXEMU_TEST_SKIP_TRAFFIC:-}" ] || skip "not under $CXEMU_TEST_SKIP_TRAFFIC"
    need "$tool" perftest
    [ "$(id -u)" = 0 ] || skip "network namespaces and packet sockets need root"
    if [ -z "${CXEMU_TEST_NETNS:-}" ]; then
        unshare -n true 2>/dev/null || skip "network namespaces are not permitted here"
        CXEMU_TEST_NETNS=1 exec unshare -n "$0" "$cxemu" "$test" "$ask_missing"
    fi
    local a=02:00:00:00:00:0a b=02:00:00:00:00:0b log
    log=$(mktemp)
    ip link add fronta type veth peer name frontb
    ip link set fronta up
    ip link set frontb up
    timeout 90 "$cxemu" run --nic wire=packet:frontb,mac=$b -- \
        stdbuf -oL "$tool" -d mlx5_0 --server -B $b -E $a "$@" >"$log" 2>&1 &
    local server=$!
    for _ in $(seq 300); do # the table's head is printed when the server waits for frames
        grep -q '#bytes' "$log" && break
        kill -0 $server 2>/dev/null || { cat "$log"; fail "$tool server ended early"; }
        sleep 0.1
    done
    sleep 0.5
    timeout 90 "$cxemu" run --nic wire=packet:fronta,mac=$a -- \
        "$tool" -d mlx5_0 --client -B $a -E $b "$@" || { cat "$log"; fail "$tool client"; }
    wait $server || { cat "$log"; fail "$tool server"; }
    cat "$log"
    rm -f "$log"
}

case $test in
devices)
    need ibv_devices ibverbs-utils
    out=$("$cxemu" run --nic wire=mem:w --nic wire=mem:w,name=second -- ibv_devices)
    echo "$out"
    grep -q mlx5_0 <<<"$out" || fail "mlx5_0 is not listed"
    grep -q second <<<"$out" || fail "second is not listed"
    ;;
devinfo)
    need ibv_devinfo ibverbs-utils
    out=$("$cxemu" run --nic wire=mem:w --nic wire=mem:w -- ibv_devinfo -v)
    echo "$out"
    [ "$(grep -c PORT_ACTIVE\ \(4\) <<<"$out")" = 2 ] || fail "both ports should be active"
    grep -q "vendor_part_id:.*4119" <<<"$out" || fail "not a ConnectX-5"
    grep -q "IP csum offload" <<<"$out" || fail "no checksum offload"
    ;;
# Few enough frames for the rings on the way: nothing is sent again, and a lost one hangs the tool.
raw_lat) raw_pair raw_ethernet_lat -n 500 -s 64 ;;
raw_bw) raw_pair raw_ethernet_bw -n 500 -s 1000 ;;
pyverbs)
    python=/usr/bin/python3
    $python -c 'import pyverbs.device' 2>/dev/null || skip "no pyverbs (Debian package python3-pyverbs)"
    [ "$(id -u)" = 0 ] || skip "RAW_PACKET queue pairs need CAP_NET_RAW"
    "$cxemu" run --nic wire=mem:w --nic wire=mem:w -- $python - <<'PYTHON'
import pyverbs.device as d
import pyverbs.enums as e
from pyverbs.cq import CQ, CompChannel
from pyverbs.mr import MR
from pyverbs.pd import PD
from pyverbs.qp import QP, QPAttr, QPCap, QPInitAttr

with d.Context(name='mlx5_1') as ctx:
    assert ctx.query_port(1).state == e.IBV_PORT_ACTIVE
    with PD(ctx) as pd, MR(pd, 4096, e.IBV_ACCESS_LOCAL_WRITE) as mr:
        cq = CQ(ctx, 15, None, CompChannel(ctx), 0)
        cap = QPCap(16, 16, 1, 1, 0)
        init = QPInitAttr(qp_type=e.IBV_QPT_RAW_PACKET, scq=cq, rcq=cq, cap=cap)
        qp = QP(pd, init, QPAttr())
        assert qp.qp_state == e.IBV_QPS_RTS, qp.qp_state
        print('raw queue pair', qp.qp_num, 'lkey', mr.lkey)
        qp.close()
PYTHON
    ;;
runner)
    status=0
    "$cxemu" run -- sh -c 'exit 7' || status=$?
    [ $status = 7 ] || fail "the program's status is lost: $status"
    status=0
    err=$("$cxemu" run --nic wire=bogus -- true 2>&1) || status=$?
    [ $status = 125 ] || fail "a bad wire gives 125, not $status"
    grep -q bogus <<<"$err" || fail "the error does not name the wire: $err"
    status=0
    "$cxemu" run -- /no/such/program 2>/dev/null || status=$?
    [ $status = 127 ] || fail "a missing program gives 127, not $status"
    "$cxemu" run --help | grep -q -- --nic || fail "no help"
    if command -v ibv_devinfo >/dev/null; then
        err=$("$cxemu" run -v -- ibv_devinfo 2>&1 >/dev/null)
        grep -q "not implemented" <<<"$err" || fail "-v names nothing: $err"
        [ -z "$("$cxemu" run -- ibv_devinfo 2>&1 >/dev/null)" ] || fail "noise without -v"
    fi
    ;;
missing)
    # Nothing that is not there is a silent success; each has the kernel's errno, and -v its name.
    [ "$(id -u)" = 0 ] || skip "RAW_PACKET queue pairs need CAP_NET_RAW"
    log=$(mktemp)
    out=$("$cxemu" run -v -- "$ask_missing" 2>"$log") || fail "given what is not there: $out"
    said=$(cat "$log"; rm "$log")
    while read -r what errno; do
        grep -qx "$what $errno" <<<"$out" || fail "$what should answer $errno: $out"
    done <<'ERRNOS'
ibv_create_srq EINVAL
ibv_create_wq EOPNOTSUPP
ibv_create_counters EOPNOTSUPP
ibv_alloc_dm EINVAL
ibv_alloc_mw EOPNOTSUPP
RC EOPNOTSUPP
UD EOPNOTSUPP
mlx5dv_create_flow_matcher EOPNOTSUPP
mlx5dv_devx_general_cmd EINVAL
QUERY_HCA_CAP EOPNOTSUPP
ibv_resize_cq ENOSYS
ibv_modify_cq EOPNOTSUPP
ibv_attach_mcast EINVAL
ERRNOS
    # ibv_create_srq and ibv_alloc_dm do not leave libmlx5, which has read limits of 0.
    for name in WQ_CREATE COUNTERS_CREATE ALLOC_MW "queue pairs other than" FLOW_MATCHER_CREATE \
        DEVX_OTHER RESIZE_CQ MODIFY_CQ ATTACH_MCAST; do
        [ "$(grep -c "not implemented: .*$name" <<<"$said")" = 1 ] || fail "-v on $name: $said"
    done
    ;;
*) fail "no test $test" ;;
esac
