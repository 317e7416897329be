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
DELAY_DROP EOPNOTSUPP
ibv_alloc_dm EINVAL
ibv_alloc_mw EOPNOTSUPP
RC EOPNOTSUPP
UD EOPNOTSUPP
mlx5dv_create_flow_action_modify_header EOPNOTSUPP
mlx5dv_devx_general_cmd EINVAL
QUERY_HCA_CAP EOPNOTSUPP
ibv_attach_mcast EINVAL
ERRNOS
    # ibv_create_srq and ibv_alloc_dm do not leave libmlx5, which has read limits of 0.
    for name in DELAY_DROP ALLOC_MW "queue pairs other than" CREATE_MODIFY_HEADER \
        DEVX_OTHER; do
        [ "$(grep -c "not implemented: .*$name" <<<"$said")" = 1 ] || fail "-v on $name: $said"
    done
    ;;
*) fail "no test $test" ;;
esac
