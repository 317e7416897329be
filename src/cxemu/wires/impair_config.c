/* SPDX-License-Identifier: BSD-2-Clause */
/* A table of keys, each with a function that takes the value whole or not; see impair_config.h. */
#include "cxemu/wires/impair_config.h"

#include "base/attr.h"
#include "cxemu/core/wire.h"
#include "cxemu/wires/filter.h"
#include "cxemu/wires/units.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BILLION          1000000000u
#define EVERY_MAX        1000000000u
#define DISTANCE_MAX     1000
#define DISTANCE_DEFAULT 1
#define BITS_MAX         64
#define PARTS_MAX        4
#define PART_CHARS       32

struct error {
    char *text;
    size_t len;
    const char *key, *value;
};

__attribute__((format(printf, 2, 3))) static int fail(const struct error *e, const char *fmt, ...)
{
    va_list args;
    int n;

    if (!e->text || !e->len)
        return -EINVAL;
    n = snprintf(e->text, e->len, "%s=%s: ", e->key, e->value);
    if (n >= 0 && (size_t)n < e->len) {
        va_start(args, fmt);
        vsnprintf(e->text + n, e->len - (size_t)n, fmt, args);
        va_end(args);
    }
    return -EINVAL;
}

typedef int take_fn(struct cxemu_impair_way *way, const char *value, const struct error *e);

static int take_rate(struct cxemu_impair_way *way, const char *value, const struct error *e)
{
    if (!cxemu_units_rate(value, &way->rate_bps))
        return fail(e, "a rate has a unit, like 10Mbit or 2.5Gbit, 1kbit to 1Tbit; or none");
    return 0;
}

static int take_delay(struct cxemu_impair_way *way, const char *value, const struct error *e)
{
    if (!cxemu_units_duration(value, &way->delay_ns))
        return fail(e, "a delay has a unit, like 5ms or 20us, at most 1000s; or none");
    return 0;
}

static int take_jitter(struct cxemu_impair_way *way, const char *value, const struct error *e)
{
    if (!cxemu_units_duration(value, &way->jitter_ns))
        return fail(e, "jitter has a unit, like 1ms or 20us, at most 1000s; or none");
    return 0;
}

static int take_jitter_dist(struct cxemu_impair_way *way, const char *value, const struct error *e)
{
    if (strcmp(value, "uniform") != 0 && strcmp(value, "normal") != 0)
        return fail(e, "a distribution of jitter is uniform or normal");
    way->jitter_normal = value[0] == 'n';
    return 0;
}

static int take_jitter_order(struct cxemu_impair_way *way, const char *value, const struct error *e)
{
    if (strcmp(value, "keep") != 0 && strcmp(value, "free") != 0)
        return fail(e, "use keep, and frames stay in order, or free, and they may overtake");
    way->jitter_reorders = value[0] == 'f';
    return 0;
}

static int take_loss(struct cxemu_impair_way *way, const char *value, const struct error *e)
{
    if (!cxemu_units_share(value, &way->loss_ppb))
        return fail(e, "a share of frames is like 1%% or 0.01; or none");
    return 0;
}

/* "a:b:c" into its parts; 0: too many, or one too long. */
static unsigned split(const char *value, char parts[PARTS_MAX][PART_CHARS])
{
    unsigned n = 0;

    for (;;) {
        size_t len = strcspn(value, ":");
        if (n == PARTS_MAX || len >= PART_CHARS)
            return 0;
        memcpy(parts[n], value, len);
        parts[n++][len] = 0;
        if (!value[len])
            return n;
        value += len + 1;
    }
}

static void clear_ge(struct cxemu_impair_way *way)
{
    way->ge_to_bad_ppb = 0;
    way->ge_to_good_ppb = BILLION;
    way->ge_bad_loss_ppb = BILLION;
    way->ge_good_loss_ppb = 0;
}

/* All frames in the bad state are lost, so that its mean length is 1/r and its share p/(p+r). */
static int take_loss_burst(struct cxemu_impair_way *way, const char *value, const struct error *e)
{
    char parts[PARTS_MAX][PART_CHARS];
    unsigned n = split(value, parts);
    uint64_t length = 0;
    uint32_t share;
    double p;

    clear_ge(way);
    if (strcmp(value, "none") == 0)
        return 0;
    if (n != 2 || !cxemu_units_share(parts[0], &share) || share == BILLION ||
        !cxemu_units_count(parts[1], EVERY_MAX, &length) || length == 0)
        return fail(e, "give the share lost, below 100%%, and the mean length of a burst in frames,"
                       " like 1%%:5; or none");
    p = (double)share / (double)(BILLION - share) / (double)length;
    if (p > 1)
        return fail(e, "so much cannot be lost in bursts so short; make them longer");
    way->ge_to_bad_ppb = (uint32_t)(p * BILLION + 0.5);
    way->ge_to_good_ppb = (uint32_t)(BILLION / length);
    return 0;
}

static int take_loss_ge(struct cxemu_impair_way *way, const char *value, const struct error *e)
{
    char parts[PARTS_MAX][PART_CHARS];
    unsigned n = split(value, parts);
    uint32_t *const to[PARTS_MAX] = {&way->ge_to_bad_ppb, &way->ge_to_good_ppb,
                                     &way->ge_bad_loss_ppb, &way->ge_good_loss_ppb};

    clear_ge(way);
    if (strcmp(value, "none") == 0)
        return 0;
    for (unsigned i = 0; i < n; i++)
        if (!cxemu_units_share(parts[i], to[i]))
            n = 0;
    if (n < 2 || !way->ge_to_good_ppb)
        return fail(e,
                    "Gilbert and Elliott's model is P:R[:BAD[:GOOD]]: the chances of going to"
                    " the bad state and back, and of loss in either, like 1%%:25%%:50%%; or none");
    return 0;
}

static int take_loss_every(struct cxemu_impair_way *way, const char *value, const struct error *e)
{
    uint64_t n = 0;

    if (strcmp(value, "none") != 0 && !cxemu_units_count(value, EVERY_MAX, &n))
        return fail(e, "of every how many frames the last is lost, 1 to %u; or none", EVERY_MAX);
    way->loss_every = (uint32_t)n;
    return 0;
}

static int take_loss_filter(struct cxemu_impair_way *way, const char *value, const struct error *e)
{
    struct cxemu_filter *filter;
    char why[256] = "";
    int rc;

    if (strcmp(value, "none") == 0) {
        way->loss_filter[0] = 0;
        return 0;
    }
    if (!*value || strlen(value) >= sizeof(way->loss_filter))
        return fail(e, "a filter is 1 to %zu characters", sizeof(way->loss_filter) - 1);
    rc = cxemu_filter_create(value, &filter, why, sizeof(why));
    if (rc) {
        fail(e, "%s", why);
        return rc;
    }
    cxemu_filter_destroy(filter);
    strcpy(way->loss_filter, value);
    return 0;
}

static int take_dup(struct cxemu_impair_way *way, const char *value, const struct error *e)
{
    if (!cxemu_units_share(value, &way->dup_ppb))
        return fail(e, "a share of frames is like 1%% or 0.01; or none");
    return 0;
}

static int take_reorder(struct cxemu_impair_way *way, const char *value, const struct error *e)
{
    char parts[PARTS_MAX][PART_CHARS];
    unsigned n = split(value, parts);
    uint64_t distance = DISTANCE_DEFAULT;

    if (n < 1 || n > 2 || !cxemu_units_share(parts[0], &way->reorder_ppb) ||
        (n == 2 && (!cxemu_units_count(parts[1], DISTANCE_MAX, &distance) || !distance)))
        return fail(e,
                    "give a share of frames and behind how many later ones each goes, 1 to %d,"
                    " like 1%%:3; or none",
                    DISTANCE_MAX);
    way->reorder_distance = (uint32_t)distance;
    return 0;
}

static int take_corrupt(struct cxemu_impair_way *way, const char *value, const struct error *e)
{
    char parts[PARTS_MAX][PART_CHARS];
    unsigned n = split(value, parts);
    uint64_t bits = 1;

    if (n < 1 || n > 2 || !cxemu_units_share(parts[0], &way->corrupt_ppb) ||
        (n == 2 && (!cxemu_units_count(parts[1], BITS_MAX, &bits) || !bits)))
        return fail(e,
                    "give a share of frames and how many bits of each are flipped, 1 to %d,"
                    " like 1%%:2; or none",
                    BITS_MAX);
    way->corrupt_bits = (uint32_t)bits;
    return 0;
}

static int take_corrupt_where(struct cxemu_impair_way *way, const char *value,
                              const struct error *e)
{
    static const char *const names[] = {[CXEMU_CORRUPT_ANY] = "any",
                                        [CXEMU_CORRUPT_HEADER] = "header",
                                        [CXEMU_CORRUPT_PAYLOAD] = "payload"};

    for (unsigned i = 0; i < RS_ARRAY_SIZE(names); i++) {
        if (strcmp(value, names[i]) == 0) {
            way->corrupt_where = (enum cxemu_corrupt_where)i;
            return 0;
        }
    }
    return fail(e, "bits are flipped in the header, the payload, or any of both");
}

static int take_path_mtu(struct cxemu_impair_way *way, const char *value, const struct error *e)
{
    uint64_t n = 0;

    if (strcmp(value, "none") != 0 &&
        (!cxemu_units_count(value, CXEMU_MTU_MAX, &n) || n < CXEMU_MTU_MIN))
        return fail(e, "an MTU is %d to %d bytes; or none", CXEMU_MTU_MIN, CXEMU_MTU_MAX);
    way->path_mtu_bytes = (uint32_t)n;
    return 0;
}

static int take_queue(struct cxemu_impair_way *way, const char *value, const struct error *e)
{
    if (!cxemu_units_size(value, &way->queue_pkts, &way->queue_bytes))
        return fail(e, "a queue's limit is packets, like 100, or bytes, like 64KiB; or none");
    return 0;
}

static int take_ecn(struct cxemu_impair_way *way, const char *value, const struct error *e)
{
    if (!cxemu_units_size(value, &way->ecn_pkts, &way->ecn_bytes))
        return fail(e, "a threshold is packets, like 20, or bytes, like 30KiB; or none");
    return 0;
}

static int take_ecn_others(struct cxemu_impair_way *way, const char *value, const struct error *e)
{
    if (strcmp(value, "drop") != 0 && strcmp(value, "pass") != 0)
        return fail(e, "over the threshold, frames that cannot be marked are dropped or passed:"
                       " drop or pass");
    way->ecn_passes_others = value[0] == 'p';
    return 0;
}

static const struct {
    const char *name;
    take_fn *take;
} keys[] = {
    {"rate", take_rate},
    {"delay", take_delay},
    {"jitter", take_jitter},
    {"jitter_dist", take_jitter_dist},
    {"jitter_order", take_jitter_order},
    {"loss", take_loss},
    {"loss_burst", take_loss_burst},
    {"loss_ge", take_loss_ge},
    {"loss_every", take_loss_every},
    {"loss_filter", take_loss_filter},
    {"dup", take_dup},
    {"reorder", take_reorder},
    {"corrupt", take_corrupt},
    {"corrupt_where", take_corrupt_where},
    {"path_mtu", take_path_mtu},
    {"queue", take_queue},
    {"ecn", take_ecn},
    {"ecn_others", take_ecn_others},
};

static take_fn *find(const char *name)
{
    for (size_t i = 0; i < RS_ARRAY_SIZE(keys); i++)
        if (strcmp(keys[i].name, name) == 0)
            return keys[i].take;
    return NULL;
}

const char *cxemu_impair_config_key(size_t i)
{
    return i < RS_ARRAY_SIZE(keys) ? keys[i].name : NULL;
}

void cxemu_impair_config_init(struct cxemu_impair_config *config)
{
    *config = (struct cxemu_impair_config){.seed = 1};
    for (unsigned i = 0; i < CXEMU_WAYS; i++) {
        clear_ge(&config->way[i]);
        config->way[i].reorder_distance = DISTANCE_DEFAULT;
        config->way[i].corrupt_bits = 1;
    }
}

static bool way_is_empty(const struct cxemu_impair_way *w)
{
    return !w->rate_bps && !w->delay_ns && !w->jitter_ns && !w->loss_ppb && !w->ge_to_bad_ppb &&
           !w->ge_good_loss_ppb && !w->loss_every && !w->dup_ppb && !w->reorder_ppb &&
           !w->corrupt_ppb && !w->path_mtu_bytes;
}

bool cxemu_impair_config_is_empty(const struct cxemu_impair_config *config)
{
    return way_is_empty(&config->way[CXEMU_WAY_TX]) && way_is_empty(&config->way[CXEMU_WAY_RX]);
}

static int set_ways(struct cxemu_impair_config *config, unsigned first, unsigned last,
                    take_fn *take, const struct error *e)
{
    struct cxemu_impair_config next = *config;

    for (unsigned i = first; i <= last; i++) {
        int rc = take(&next.way[i], e->value, e);
        if (rc)
            return rc;
    }
    *config = next;
    return 0;
}

int cxemu_impair_config_set(struct cxemu_impair_config *config, const char *key, const char *value,
                            char *err, size_t err_len)
{
    const struct error e = {err, err_len, key, value};
    unsigned first = CXEMU_WAY_TX, last = CXEMU_WAY_RX;
    take_fn *take;

    if (strcmp(key, "seed") == 0) {
        if (!cxemu_units_count(value, UINT64_MAX, &config->seed))
            return fail(&e, "a seed is a decimal number");
        return 0;
    }
    if (strcmp(key, "loss_tx") == 0 || strcmp(key, "loss_rx") == 0) { /* names of old */
        first = last = key[5] == 't' ? CXEMU_WAY_TX : CXEMU_WAY_RX;
        key = "loss";
    } else if (strncmp(key, "tx_", 3) == 0 || strncmp(key, "rx_", 3) == 0) {
        first = last = key[0] == 't' ? CXEMU_WAY_TX : CXEMU_WAY_RX;
        key += 3;
    }
    take = find(key);
    return take ? set_ways(config, first, last, take, &e) : -ENOENT;
}
