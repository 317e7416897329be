/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a match means, apart from any NIC: whether it is well formed, which frames two matches
 * share, how specific one is. Pure. Hold beside it: rawstack/steering.h.
 *
 * Canonical: implied fields are filled in (an address or a port implies the ethertype; a protocol
 * without either implies IPv4, but for ICMPv6), and what is not said is zero. All but
 * tapm_match_canonicalise want canonical matches.
 */
#ifndef CONTROL_MATCH_H
#define CONTROL_MATCH_H

#include <rawstack/steering.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The fields that a match says something about. */
enum tapm_match_field {
    TAPM_FIELD_ETHERTYPE = 1 << 0,
    TAPM_FIELD_VLAN = 1 << 1,
    TAPM_FIELD_PROTO = 1 << 2,
    TAPM_FIELD_LOCAL_MAC = 1 << 3,
    TAPM_FIELD_LOCAL_IP = 1 << 4,
    TAPM_FIELD_REMOTE_IP = 1 << 5,
    TAPM_FIELD_LOCAL_PORT = 1 << 6,
    TAPM_FIELD_REMOTE_PORT = 1 << 7,
};
#define TAPM_MATCH_SHAPES (1 << 8)

/* Writes the canonical form. -EINVAL with *why (static text) for a match that says two things. */
RS_MUST_USE int tapm_match_canonicalise(const struct rs_match *match, struct rs_match *out,
                                        const char **why);

/* enum tapm_match_field, or'ed: the shape of the match. */
unsigned tapm_match_fields(const struct rs_match *match);

/* Priority of the rule in the NIC, 0 first. Copies come first, so that a rule that takes a frame
 * does not keep it from those that asked for a copy. After them, the more fields the earlier: a
 * match nested in another has more, and so wins over it. */
unsigned tapm_match_priority(const struct rs_match *match);

/* Some frame matches both. */
bool tapm_match_intersects(const struct rs_match *a, const struct rs_match *b);
/* Both take frames, some frame matches both, and neither is put before the other. */
bool tapm_match_overlaps(const struct rs_match *a, const struct rs_match *b);
bool tapm_match_equal(const struct rs_match *a, const struct rs_match *b);

#ifdef __cplusplus
}
#endif
#endif
