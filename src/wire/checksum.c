/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: Internet checksum arithmetic. Sums are kept in the host's byte order and swapped once at
 * the end, which RFC 1071 2 (B) shows to be the same; an odd piece swaps the running sum instead of
 * every later byte.
 */
#include "wire/checksum.h"

#include <endian.h>
#include <string.h>

static uint16_t fold(uint64_t sum)
{
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = (sum & 0xffffu) + (sum >> 16);
    return (uint16_t)sum;
}

static uint16_t swap16(uint16_t v)
{
    return (uint16_t)((v << 8) | (v >> 8));
}

/* A 16-bit number in host order as the word that two bytes of it in wire order would load as. */
static uint16_t host_word(uint16_t v)
{
    return htobe16(v);
}

static uint64_t halves(uint64_t w)
{
    return (w & 0xffffffffu) + (w >> 32);
}

static uint64_t load64(const uint8_t *p)
{
    uint64_t w;

    memcpy(&w, p, 8);
    return w;
}

/* Fewer than eight bytes, as if zeros followed. */
static uint64_t load_few(const uint8_t *p, size_t len)
{
    uint8_t bytes[8] = {0};

    for (size_t i = 0; i < len; i++)
        bytes[i] = p[i];
    return load64(bytes);
}

/* The last len & 7 bytes, of eight or more that end there: those before them are shifted out, and
 * zeros follow. */
static uint64_t load_tail(const uint8_t *end, size_t len)
{
    unsigned bits = 8 * (8 - (len & 7));

    return htole64(le64toh(load64(end - 8)) >> bits);
}

/* Sum of 16-bit words in host order; a last odd byte counts as if a zero byte followed. Wider loads
 * add up to the same once folded; the sum of one piece stays far below 64 bits. */
static uint64_t sum_words(const uint8_t *p, size_t len)
{
    uint64_t sum = 0, other = 0;

    if (len < 8)
        return halves(load_few(p, len));
    for (; len >= 32; len -= 32, p += 32) {
        sum += halves(load64(p)) + halves(load64(p + 8));
        other += halves(load64(p + 16)) + halves(load64(p + 24));
    }
    sum += other;
    for (; len >= 8; len -= 8, p += 8)
        sum += halves(load64(p));
    return len ? sum + halves(load_tail(p + len, len)) : sum;
}

static void add_part(struct rs_csum *c, uint64_t part)
{
    if (c->odd)
        part = swap16(fold(part));
    /* end-around carry: however much is added, nothing is lost */
    c->sum += part;
    c->sum += c->sum < part;
}

void rs_csum_add(struct rs_csum *c, const void *bytes, size_t len)
{
    add_part(c, sum_words(bytes, len));
    c->odd ^= len & 1;
}

void rs_csum_add_pseudo_v4(struct rs_csum *c, const uint8_t *src, const uint8_t *dst, uint8_t proto,
                           uint16_t len)
{
    uint64_t tail = htobe32((uint32_t)proto << 16 | len);

    add_part(c, sum_words(src, 4) + sum_words(dst, 4) + tail);
}

void rs_csum_add_pseudo_v6(struct rs_csum *c, const uint8_t *src, const uint8_t *dst, uint8_t proto,
                           uint32_t len)
{
    uint64_t tail = (uint64_t)htobe32(len) + htobe32(proto);

    add_part(c, sum_words(src, 16) + sum_words(dst, 16) + tail);
}

uint16_t rs_csum_finish(const struct rs_csum *c)
{
    return host_word((uint16_t)~fold(c->sum));
}

uint16_t rs_csum_finish_udp(const struct rs_csum *c)
{
    uint16_t csum = rs_csum_finish(c);

    return csum ? csum : 0xffff; /* RFC 768: all ones stand for a computed zero */
}

uint16_t rs_csum_of(const void *bytes, size_t len)
{
    return host_word((uint16_t)~fold(sum_words(bytes, len)));
}

uint16_t rs_csum_update16(uint16_t csum, uint16_t from, uint16_t to)
{
    uint32_t sum = (uint16_t)~csum;

    sum += (uint16_t)~from;
    sum += to;
    return (uint16_t)~fold(sum);
}

uint16_t rs_csum_update32(uint16_t csum, uint32_t from, uint32_t to)
{
    csum = rs_csum_update16(csum, (uint16_t)(from >> 16), (uint16_t)(to >> 16));
    return rs_csum_update16(csum, (uint16_t)from, (uint16_t)to);
}
