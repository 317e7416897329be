#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes corpus/objects/: lives of objects, in the operations of objects_fuzz.c (operate())."""
import os

(PD, MR, CHANGE_MR, QUERY, UAR, CHANNEL, CQ, CHANGE_CQ, WQ, CHANGE_WQ, TABLE, RSS, QP, CHANGE_QP,
 READY_QP, QUERY_QP, FLOW, MATCHER, RAW_FLOW, COUNTERS, READ_COUNTERS, PP, DESTROY, _, POKE) = range(25)
KINDS = dict(pd=0, mr=1, uar=2, cq=3, wq=4, table=5, qp=6, flow=7, counters=8, matcher=9, pp=10)
PUMP, REOPEN, NEXT = 0xd8, 0xf8, 0xe8


def destroy(kind, nth=0):
    return [DESTROY, KINDS[kind], nth << 3]


pd = [PD]
mr = [MR, 0x80, 0, 200, 1, 0, 1]
uar = [UAR, 0]
cq = [CQ, 3, 0x10, 0x80, 0, 0]  # entries, ring, doorbell, size, flags
wq = [WQ, 0x05, 0x20, 0x81, 0, 0, 0]  # shape, ring, doorbell, PD, CQ, flags
qp = [QP, 0x04, 0x30, 0x82, 0x40, 0, 0, 0, 1]  # shape, rings, doorbell, PD, CQs, no flags
ready = [READY_QP, 0]
ready_wq = [CHANGE_WQ, 1, 0, 1, 0, 0, 0]
table = [TABLE, 1, 0, 0]
rss = [RSS, 0x03, 1, 0, 0, 0]
eth = [0, 6, 2, 0, 0, 0, 0, 1]  # spec, bytes, the address
flow = [FLOW, 0, 1, 0, 1, 1, *eth]
counted = [FLOW, 0, 1, 1, 2, 1, *eth, 10, 0, 0]
matcher = [MATCHER, 0, 1, 8, 255, 0, 0]
raw_flow = [RAW_FLOW, 8, 2, 0, 1, 0, 0, 1]
queue = pd + mr + uar + cq + qp + ready
hashed = pd + uar + cq + wq + wq + ready_wq + table + rss
files = {
    'queue': queue + [QUERY_QP, 0, 1, PUMP] + destroy('cq') + destroy('qp') + destroy('cq'),
    'memory': pd + mr + [CHANGE_MR, 0, 4, 0x80, 100, 0, 1, QUERY, 1, 0, QUERY, 0, 0] + destroy('pd') +
    destroy('mr') + destroy('pd'),
    'hashed': hashed + flow + destroy('wq') + destroy('table') + destroy('qp') + destroy('flow') +
    destroy('qp') + destroy('table') + destroy('wq') + destroy('wq') + destroy('cq'),
    'flows': queue + [COUNTERS] + flow + counted + [READ_COUNTERS, 0, 2, 0] + destroy('counters') +
    destroy('flow') + destroy('flow') + destroy('counters'),
    'matchers': queue + matcher + raw_flow + destroy('matcher') + destroy('flow') + destroy('matcher'),
    'completions': pd + uar + [CHANNEL, CQ, 3, 0x10, 0x80, 0, 1, 0, 0, CHANGE_CQ, 0, 1, 31, 0x18,
                               CHANGE_CQ, 0, 0, 5, 9],
    'paced': queue + [PP, 5, 1, 0, CHANGE_QP, 0, 3, 3, 3, 8, 1, 4, 60, PUMP] + destroy('pp'),
    'contexts': hashed + [NEXT + 1] + queue + [NEXT, REOPEN, PUMP, NEXT + 1, PUMP, REOPEN] + hashed,
}

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'objects')
os.makedirs(folder, exist_ok=True)
for name, data in files.items():
    with open(os.path.join(folder, name), 'wb') as f:
        f.write(bytes(data))
