/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stages of a lane; see impair_lane.h. What decides about a single frame (loss, corruption) is
 * in impair_frame.c; here is what lets frames wait.
 *
 *   back:  frames held back by the reordering stage
 *   queue: in front of the rate; the head leaves it when its transmission begins
 *   way:   being transmitted or on their way, by the time at which they arrive
 */
#include "cxemu/wires/impair_lane.h"

#include "base/attr.h"
#include "cxemu/wires/draw.h"
#include "cxemu/wires/ecn.h"
#include "cxemu/wires/held.h"
#include "cxemu/wires/impair_frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NS_A_SECOND 1000000000u

enum {
    MEDIUM_BYTES = 8 + 4 + 12,  /* preamble and start delimiter, FCS, gap: IEEE 802.3 */
    LOOKAHEAD_NS = 200 * 1000,  /* how much transmission may wait before we push back */
    BACK_MAX = 64,              /* frames held back at a time */
    BACK_NS = 10 * 1000 * 1000, /* and how long, when nothing comes to overtake them */
    HELD_BYTES_MAX = 64 << 20,  /* of all that waits: 5 ms at 100 Gbit/s */
    RETRY_NS = 50 * 1000,       /* when the wire behind has no room */
};

struct cxemu_lane {
    struct cxemu_impair_way way;
    struct cxemu_impair_frame frame; /* loss and corruption */
    uint64_t salt;
    uint64_t dup_state, reorder_state, jitter_state;

    struct cxemu_held *staged; /* between slot and commit */
    struct cxemu_held *back[BACK_MAX];
    uint32_t back_count;
    struct cxemu_held_queue queue;
    struct cxemu_held_way on_way;
    uint64_t held_bytes;

    uint64_t free_ns;  /* when the transmission that has begun ends */
    uint64_t free_rem; /* and what of a nanosecond comes on top, in parts of rate_bps */
    uint64_t last_release_ns;
    uint64_t retry_ns; /* a due frame could not leave: not before then; 0: none */
    bool pushed_back;  /* a slot was refused for the rate's sake, */
    bool had_chance;   /* and since then a pass began in which it would not have been */
    uint64_t stats[CXEMU_WIRE_STATS];
};

/* --- life ----------------------------------------------------------------------------------------
 */

void cxemu_lane_seed(struct cxemu_lane *lane, uint64_t seed)
{
    uint64_t state = seed ^ lane->salt;

    cxemu_impair_frame_seed(&lane->frame, &state);
    lane->dup_state = cxemu_draw(&state);
    lane->reorder_state = cxemu_draw(&state);
    lane->jitter_state = cxemu_draw(&state);
}

int cxemu_lane_create(uint64_t seed, uint64_t salt, struct cxemu_lane **out)
{
    struct cxemu_lane *lane = calloc(1, sizeof(*lane));

    if (!lane)
        return -ENOMEM;
    lane->salt = salt;
    cxemu_lane_seed(lane, seed);
    *out = lane;
    return 0;
}

void cxemu_lane_destroy(struct cxemu_lane *lane)
{
    struct cxemu_held *held;

    if (!lane)
        return;
    cxemu_held_destroy(lane->staged);
    for (uint32_t i = 0; i < lane->back_count; i++)
        cxemu_held_destroy(lane->back[i]);
    while ((held = cxemu_held_queue_take(&lane->queue)))
        cxemu_held_destroy(held);
    for (uint32_t i = 0; i < lane->on_way.count; i++)
        cxemu_held_destroy(lane->on_way.heap[i]);
    free(lane->on_way.heap);
    cxemu_impair_frame_fini(&lane->frame);
    free(lane);
}

int cxemu_lane_configure(struct cxemu_lane *lane, const struct cxemu_impair_way *way)
{
    int rc = cxemu_impair_frame_configure(&lane->frame, way);

    if (rc)
        return rc;
    if (way->rate_bps != lane->way.rate_bps)
        lane->free_rem = 0;
    lane->way = *way;
    return 0;
}

static bool is_holding(const struct cxemu_lane *lane)
{
    return lane->back_count || lane->queue.pkts || lane->on_way.count;
}

bool cxemu_lane_is_direct(const struct cxemu_lane *lane)
{
    const struct cxemu_impair_way *w = &lane->way;

    return !w->rate_bps && !w->delay_ns && !w->jitter_ns && !w->dup_ppb && !w->reorder_ppb &&
           !w->corrupt_ppb && !is_holding(lane);
}

bool cxemu_lane_passes(struct cxemu_lane *lane, const uint8_t *frame, uint32_t len)
{
    return cxemu_impair_frame_passes(&lane->frame, frame, len, lane->stats);
}

uint64_t cxemu_lane_stat(const struct cxemu_lane *lane, enum cxemu_wire_stat which)
{
    return lane->stats[which];
}

/* --- delay and jitter ----------------------------------------------------------------------------
 */

static uint64_t jitter(struct cxemu_lane *lane, uint64_t at_ns)
{
    int64_t draw, shift;
    uint64_t j = lane->way.jitter_ns;

    if (!j)
        return at_ns + lane->way.delay_ns;
    draw = lane->way.jitter_normal ? cxemu_draw_normal(&lane->jitter_state)
                                   : cxemu_draw_even(&lane->jitter_state);
    shift = (int64_t)(((__int128)draw * (__int128)j) >> 31);
    if (shift < 0 && (uint64_t)-shift > lane->way.delay_ns)
        return at_ns;
    return at_ns + (uint64_t)((int64_t)lane->way.delay_ns + shift);
}

static void drop(struct cxemu_lane *lane, struct cxemu_held *held, enum cxemu_wire_stat why)
{
    lane->stats[why]++;
    lane->held_bytes -= held->room;
    cxemu_held_destroy(held);
}

/* at_ns: when it has been transmitted. */
static void set_off(struct cxemu_lane *lane, struct cxemu_held *held, uint64_t at_ns)
{
    uint64_t release = jitter(lane, at_ns);

    if (!lane->way.jitter_reorders || !lane->way.jitter_ns)
        release = RS_MAX(release, lane->last_release_ns);
    held->at_ns = release;
    if (cxemu_held_way_add(&lane->on_way, held) < 0) {
        drop(lane, held, CXEMU_WIRE_TX_FAILED);
        return;
    }
    lane->last_release_ns = RS_MAX(release, lane->last_release_ns);
}

/* --- queue and rate ------------------------------------------------------------------------------
 */

static void transmit(struct cxemu_lane *lane, struct cxemu_held *held, uint64_t start_ns)
{
    uint64_t rate = lane->way.rate_bps;

    if (start_ns > lane->free_ns)
        lane->free_rem = 0; /* it was idle in between */
    if (rate) {
        uint64_t bits = (held->len + (uint64_t)MEDIUM_BYTES) * 8;
        uint64_t parts = bits * NS_A_SECOND + lane->free_rem;
        lane->free_ns = start_ns + parts / rate;
        lane->free_rem = parts % rate;
        start_ns = lane->free_ns;
    }
    set_off(lane, held, start_ns);
}

/* Lets go, one after the other, those whose transmission has begun by now. */
static void serialize(struct cxemu_lane *lane, uint64_t now_ns)
{
    while (lane->queue.pkts) {
        uint64_t start = lane->queue.first->at_ns;
        if (lane->way.rate_bps)
            start = RS_MAX(start, lane->free_ns);
        if (start > now_ns)
            break;
        transmit(lane, cxemu_held_queue_take(&lane->queue), start);
    }
}

static bool has_limit(const struct cxemu_impair_way *w)
{
    return w->queue_pkts || w->queue_bytes;
}

static bool is_over_limit(const struct cxemu_lane *lane, uint32_t len)
{
    const struct cxemu_impair_way *w = &lane->way;

    return (w->queue_pkts && lane->queue.pkts >= w->queue_pkts) ||
           (w->queue_bytes && lane->queue.bytes + len > w->queue_bytes);
}

static bool is_over_threshold(const struct cxemu_lane *lane)
{
    const struct cxemu_impair_way *w = &lane->way;

    return (w->ecn_pkts && lane->queue.pkts >= w->ecn_pkts) ||
           (w->ecn_bytes && lane->queue.bytes >= w->ecn_bytes);
}

/* As a switch does it for DCTCP (RFC 8257 3.1): by the queue's length when the frame comes, at one
 * threshold; what cannot be marked is dropped there (RFC 3168 5). False: drop. */
static bool mark(struct cxemu_lane *lane, struct cxemu_held *held)
{
    if (!is_over_threshold(lane))
        return true;
    switch (cxemu_ecn_mark(held->bytes, held->len)) {
    case CXEMU_ECN_MARKED:
        lane->stats[CXEMU_WIRE_ECN_MARKED]++;
        return true;
    case CXEMU_ECN_NOT_CAPABLE:
        return lane->way.ecn_passes_others;
    default:
        return true;
    }
}

static void enqueue(struct cxemu_lane *lane, struct cxemu_held *held, uint64_t now_ns)
{
    held->at_ns = now_ns;
    serialize(lane, now_ns);
    if (!lane->way.rate_bps && !lane->queue.pkts) {
        set_off(lane, held, now_ns);
        return;
    }
    if (lane->queue.pkts || lane->free_ns > now_ns) {
        if (is_over_limit(lane, held->len)) {
            drop(lane, held, CXEMU_WIRE_QUEUE_FULL);
            return;
        }
        if (!mark(lane, held)) {
            drop(lane, held, CXEMU_WIRE_ECN_DROPPED);
            return;
        }
    }
    cxemu_held_queue_add(&lane->queue, held);
    serialize(lane, now_ns);
}

/* --- reordering ----------------------------------------------------------------------------------
 */

static void let_go(struct cxemu_lane *lane, uint32_t i, uint64_t now_ns)
{
    struct cxemu_held *held = lane->back[i];

    memmove(&lane->back[i], &lane->back[i + 1],
            (--lane->back_count - i) * sizeof(struct cxemu_held *));
    enqueue(lane, held, now_ns);
}

/* A frame went by: those that waited for it go on, in the order in which they came. */
static void count_down(struct cxemu_lane *lane, uint64_t now_ns)
{
    for (uint32_t i = 0; i < lane->back_count;) {
        if (--lane->back[i]->left == 0)
            let_go(lane, i, now_ns);
        else
            i++;
    }
}

static void expire(struct cxemu_lane *lane, uint64_t now_ns)
{
    for (uint32_t i = 0; i < lane->back_count;) {
        uint64_t at = lane->back[i]->at_ns + BACK_NS;
        if (at <= now_ns)
            let_go(lane, i, at);
        else
            i++;
    }
}

static void reorder(struct cxemu_lane *lane, struct cxemu_held *held, uint64_t now_ns)
{
    if (lane->way.reorder_ppb && cxemu_draw_share(&lane->reorder_state, lane->way.reorder_ppb) &&
        lane->back_count < BACK_MAX) {
        held->left = lane->way.reorder_distance;
        held->at_ns = now_ns;
        lane->back[lane->back_count++] = held;
        lane->stats[CXEMU_WIRE_REORDERED]++;
        return;
    }
    enqueue(lane, held, now_ns);
    count_down(lane, now_ns);
}

/* --- in ------------------------------------------------------------------------------------------
 */

static uint64_t backlog_ns(const struct cxemu_lane *lane, uint64_t now_ns)
{
    uint64_t bits = (lane->queue.bytes + lane->queue.pkts * MEDIUM_BYTES) * 8;
    uint64_t busy = lane->free_ns > now_ns ? lane->free_ns - now_ns : 0;

    return busy + (uint64_t)((unsigned __int128)bits * NS_A_SECOND / lane->way.rate_bps);
}

static bool is_busy(const struct cxemu_lane *lane, uint64_t now_ns)
{
    return lane->way.rate_bps && backlog_ns(lane, now_ns) >= LOOKAHEAD_NS;
}

/* Who was refused may not come back: the time at which it could has passed, and is not told for
 * ever. */
static void forget_refusal(struct cxemu_lane *lane, uint64_t now_ns)
{
    if (!lane->pushed_back || is_busy(lane, now_ns))
        return;
    lane->pushed_back = !lane->had_chance;
    lane->had_chance = true;
}

bool cxemu_lane_has_room(struct cxemu_lane *lane, uint64_t now_ns)
{
    expire(lane, now_ns);
    serialize(lane, now_ns);
    if (lane->held_bytes > HELD_BYTES_MAX)
        return false;
    if (!lane->way.rate_bps || has_limit(&lane->way))
        return true;
    lane->pushed_back = is_busy(lane, now_ns);
    lane->had_chance = false;
    return !lane->pushed_back;
}

uint8_t *cxemu_lane_slot(struct cxemu_lane *lane, uint32_t len, uint64_t now_ns)
{
    if (!cxemu_lane_has_room(lane, now_ns))
        return NULL;
    if (!lane->staged || lane->staged->room < len) {
        cxemu_held_destroy(lane->staged);
        lane->staged = cxemu_held_create(len);
    }
    return lane->staged ? lane->staged->bytes : NULL;
}

static struct cxemu_held *copy_of(struct cxemu_lane *lane, const struct cxemu_held *held)
{
    struct cxemu_held *copy = cxemu_held_create(held->len);

    if (!copy) {
        lane->stats[CXEMU_WIRE_TX_FAILED]++;
        return NULL;
    }
    copy->len = held->len;
    memcpy(copy->bytes, held->bytes, held->len);
    lane->stats[CXEMU_WIRE_DUPLICATED]++;
    return copy;
}

static void put(struct cxemu_lane *lane, struct cxemu_held *held, uint64_t now_ns)
{
    lane->held_bytes += held->room;
    cxemu_impair_frame_corrupt(&lane->frame, held->bytes, held->len, lane->stats);
    reorder(lane, held, now_ns);
}

void cxemu_lane_commit(struct cxemu_lane *lane, uint32_t len, uint64_t now_ns)
{
    struct cxemu_held *held = lane->staged;
    struct cxemu_held *copy = NULL;

    held->len = len;
    if (!cxemu_lane_passes(lane, held->bytes, len))
        return; /* staged stays for the next one */
    lane->staged = NULL;
    if (lane->way.dup_ppb && cxemu_draw_share(&lane->dup_state, lane->way.dup_ppb))
        copy = copy_of(lane, held);
    put(lane, held, now_ns);
    if (copy)
        put(lane, copy, now_ns);
}

/* --- out -----------------------------------------------------------------------------------------
 */

const struct cxemu_held *cxemu_lane_due(struct cxemu_lane *lane, uint64_t now_ns)
{
    const struct cxemu_held *first;

    lane->retry_ns = 0;
    expire(lane, now_ns);
    serialize(lane, now_ns);
    forget_refusal(lane, now_ns);
    first = cxemu_held_way_first(&lane->on_way);
    if (!first || first->at_ns > now_ns)
        return NULL;
    lane->retry_ns = now_ns + RETRY_NS; /* unless the caller is done with it */
    return first;
}

struct cxemu_held *cxemu_lane_done(struct cxemu_lane *lane)
{
    struct cxemu_held *first = cxemu_held_way_first(&lane->on_way);

    cxemu_held_way_remove_first(&lane->on_way);
    lane->held_bytes -= first->room;
    lane->retry_ns = 0;
    return first;
}

uint64_t cxemu_lane_due_ns(const struct cxemu_lane *lane)
{
    const struct cxemu_held *first = cxemu_held_way_first(&lane->on_way);
    uint64_t due = UINT64_MAX;

    if (first)
        due = lane->retry_ns ? lane->retry_ns : first->at_ns;
    if (lane->queue.pkts)
        due = RS_MIN(due, RS_MAX(lane->free_ns, lane->queue.first->at_ns));
    for (uint32_t i = 0; i < lane->back_count; i++)
        due = RS_MIN(due, lane->back[i]->at_ns + BACK_NS);
    if (lane->pushed_back && lane->way.rate_bps) {
        uint64_t end = lane->free_ns + backlog_ns(lane, lane->free_ns);
        due = RS_MIN(due, end > LOOKAHEAD_NS ? end - LOOKAHEAD_NS : 0);
    }
    return due;
}
