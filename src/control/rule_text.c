/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text form of a rule, both ways:
 *
 *   [tcp|udp|icmp|icmp6|arp|ip|ip6|ether 0xNNNN|any] [dst ADDRESS] [src ADDRESS]
 *   [mac XX:XX:XX:XX:XX:XX] [vlan ID] [copy]
 *
 * ADDRESS is "any", an IPv4 or IPv6 address; with tcp and udp it may be followed by ":PORT" or
 * ":any", an IPv6 address then being in brackets. dst is this end. Words come in any order after
 * the first.
 */
#include "control/match.h"

#include <arpa/inet.h>
#include <errno.h>
#include <rawstack/tapm.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BYTES 64 /* longest word, NUL included: a bracketed IPv6 address and port is 53 */

struct protocol {
    const char *word;
    uint16_t ethertype;
    uint8_t ip_proto;
};

static const struct protocol protocols[] = {
    {"tcp", 0x0800, 6},  {"udp", 0x0800, 17}, {"icmp", 0x0800, 1}, {"icmp6", 0x86dd, 58},
    {"arp", 0x0806, 0},  {"ip", 0x0800, 0},   {"ip6", 0x86dd, 0},  {"any", 0, 0},
    {"tcp6", 0x86dd, 6}, {"udp6", 0x86dd, 17}};

struct parser {
    const char *at; /* rest of the text */
    struct rs_match *match;
    char word[WORD_BYTES];
    char *err;
    size_t err_len;
};

static int fail(struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(struct parser *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (p->err && p->err_len > 0)
        vsnprintf(p->err, p->err_len, format, args);
    va_end(args);
    return -EINVAL;
}

/* 1 a word was read, 0 end of text, -EINVAL too long. */
static int next_word(struct parser *p)
{
    size_t len;

    p->at += strspn(p->at, " \t\n");
    len = strcspn(p->at, " \t\n");
    if (len == 0)
        return 0;
    if (len >= sizeof(p->word))
        return fail(p, "\"%.20s...\" is longer than any word of a rule", p->at);
    memcpy(p->word, p->at, len);
    p->word[len] = '\0';
    p->at += len;
    return 1;
}

static int next_argument(struct parser *p, const char *of)
{
    int rc = next_word(p);

    return rc == 0 ? fail(p, "\"%s\" needs a value after it", of) : rc;
}

/* A number of `base` that is the whole of text and in [min, max]. */
static bool parse_number(const char *text, int base, long min, long max, long *out)
{
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *out = strtol(text, &end, base);
    return errno == 0 && *end == '\0' && *out >= min && *out <= max;
}

static bool parse_ip(const char *text, struct rs_ip *out)
{
    memset(out, 0, sizeof(*out));
    if (strcmp(text, "any") == 0 || strcmp(text, "*") == 0)
        return true;
    if (inet_pton(AF_INET, text, out->bytes) == 1)
        out->family = RS_FAMILY_IPV4;
    else if (inet_pton(AF_INET6, text, out->bytes) == 1)
        out->family = RS_FAMILY_IPV6;
    return out->family != RS_FAMILY_NONE;
}

/* Where the port begins, or NULL; ends the address before it. */
static char *split_port(char *word)
{
    if (word[0] == '[') {
        char *close = strchr(word, ']');
        if (!close)
            return NULL;
        *close = '\0';
        memmove(word, word + 1, strlen(word + 1) + 1);
        return close[1] == ':' ? close + 2 : NULL;
    }
    char *colon = strchr(word, ':');
    if (!colon || strchr(colon + 1, ':')) /* two colons: a bare IPv6 address */
        return NULL;
    *colon = '\0';
    return colon + 1;
}

static int parse_endpoint(struct parser *p, struct rs_ip *ip, uint16_t *port)
{
    char whole[WORD_BYTES];
    long number = 0;

    memcpy(whole, p->word, sizeof(whole));
    char *port_text = split_port(p->word);
    if (!parse_ip(p->word, ip))
        return fail(p, "\"%s\" is not an address, ADDRESS:PORT or any", whole);
    if (!port_text || strcmp(port_text, "any") == 0 || strcmp(port_text, "*") == 0)
        return 0;
    if (!parse_number(port_text, 10, 1, 65535, &number))
        return fail(p, "\"%s\" in \"%s\" is not a port: 1 to 65535 or any", port_text, whole);
    *port = (uint16_t)number;
    return 0;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int parse_mac(struct parser *p)
{
    const size_t n = sizeof(p->match->local_mac.bytes);
    bool good = strlen(p->word) == 3 * n - 1;

    for (size_t i = 0; good && i < n; i++) {
        const char *at = p->word + 3 * i;
        int high = hex_digit(at[0]), low = hex_digit(at[1]);
        good = high >= 0 && low >= 0 && at[2] == (i + 1 < n ? ':' : '\0');
        p->match->local_mac.bytes[i] = (uint8_t)((unsigned)high << 4 | (unsigned)low);
    }
    if (!good)
        return fail(p, "\"%s\" is not a MAC address as 02:00:00:00:00:01", p->word);
    p->match->has_local_mac = true;
    return 0;
}

static int parse_option(struct parser *p)
{
    struct rs_match *m = p->match;
    char option[WORD_BYTES];
    long number;

    if (strcmp(p->word, "copy") == 0) {
        m->copy = true;
        return 0;
    }
    memcpy(option, p->word, sizeof(option));
    bool known = strcmp(option, "dst") == 0 || strcmp(option, "src") == 0 ||
                 strcmp(option, "mac") == 0 || strcmp(option, "vlan") == 0;
    if (!known)
        return fail(p, "\"%s\" is not one of dst, src, mac, vlan, copy", option);
    int rc = next_argument(p, option);
    if (rc < 0)
        return rc;
    if (strcmp(option, "dst") == 0)
        return parse_endpoint(p, &m->local_ip, &m->local_port);
    if (strcmp(option, "src") == 0)
        return parse_endpoint(p, &m->remote_ip, &m->remote_port);
    if (strcmp(option, "mac") == 0)
        return parse_mac(p);
    if (!parse_number(p->word, 10, 1, 4094, &number))
        return fail(p, "\"%s\" is not a VLAN: 1 to 4094", p->word);
    m->vlan_id = (uint16_t)number;
    return 0;
}

static int parse_protocol(struct parser *p, uint16_t *ethertype)
{
    long number;

    if (strcmp(p->word, "ether") == 0) {
        int rc = next_argument(p, "ether");
        if (rc < 0)
            return rc;
        if (!parse_number(p->word, 16, 0x600, 0xffff, &number))
            return fail(p, "\"%s\" is not an ethertype: 0x0600 to 0xffff", p->word);
        p->match->ethertype = (uint16_t)number;
        return 0;
    }
    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
        if (strcmp(p->word, protocols[i].word) == 0) {
            *ethertype = protocols[i].ethertype;
            p->match->ip_proto = protocols[i].ip_proto;
            return 0;
        }
    }
    return fail(p,
                "\"%s\" is not one of tcp, udp, icmp, icmp6, arp, ip, ip6, tcp6, udp6, ether, any",
                p->word);
}

int tapm_rule_parse(const char *text, struct rs_match *out, char *err, size_t err_len)
{
    struct rs_match match = {0};
    struct parser p = {.at = text, .match = &match, .err = err, .err_len = err_len};
    uint16_t ethertype = 0;
    const char *why;
    int rc = next_word(&p);

    if (rc == 0)
        return fail(&p, "the rule is empty: begin with tcp, udp, icmp, arp, ip, ether or any");
    if (rc > 0)
        rc = parse_protocol(&p, &ethertype);
    while (rc >= 0 && (rc = next_word(&p)) > 0)
        rc = parse_option(&p);
    if (rc < 0)
        return rc;
    /* "tcp dst [fe80::1]:80" is IPv6 by its address. */
    bool has_address =
        match.local_ip.family != RS_FAMILY_NONE || match.remote_ip.family != RS_FAMILY_NONE;
    bool address_decides = has_address && match.ip_proto != 0 && ethertype == 0x0800;
    if (ethertype != 0 && !address_decides)
        match.ethertype = ethertype;
    rc = tapm_match_canonicalise(&match, out, &why);
    return rc == 0 ? 0 : fail(&p, "\"%s\": %s", text, why);
}

/* --- the other way ------------------------------------------------------------------------------
 */

struct writer {
    char *out;
    size_t len, at; /* at goes on counting past len, as snprintf does */
};

static void put(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct writer *w, const char *format, ...)
{
    va_list args;
    size_t room = w->at < w->len ? w->len - w->at : 0;

    va_start(args, format);
    int n = vsnprintf(room > 0 ? w->out + w->at : NULL, room, format, args);
    va_end(args);
    w->at += n > 0 ? (size_t)n : 0;
}

static void put_protocol(struct writer *w, const struct rs_match *m)
{
    bool has_address =
        m->local_ip.family != RS_FAMILY_NONE || m->remote_ip.family != RS_FAMILY_NONE;

    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
        const struct protocol *p = &protocols[i];
        /* With an address, tcp and udp need not say which IP; the plain word comes first. */
        bool same_ethertype = p->ethertype == m->ethertype || (has_address && p->ip_proto != 0);

        if (p->ip_proto == m->ip_proto && same_ethertype) {
            put(w, "%s", p->word);
            return;
        }
    }
    put(w, "ether 0x%04x", m->ethertype);
}

static void put_endpoint(struct writer *w, const char *name, const struct rs_ip *ip, uint16_t port,
                         bool has_ports)
{
    char text[INET6_ADDRSTRLEN] = "any";
    bool v6 = ip->family == RS_FAMILY_IPV6;

    if (ip->family == RS_FAMILY_NONE && port == 0)
        return;
    if (ip->family != RS_FAMILY_NONE)
        inet_ntop(v6 ? AF_INET6 : AF_INET, ip->bytes, text, sizeof(text));
    put(w, " %s ", name);
    put(w, v6 && has_ports ? "[%s]" : "%s", text);
    if (has_ports && port != 0)
        put(w, ":%u", port);
    else if (has_ports)
        put(w, ":any");
}

int tapm_rule_format(const struct rs_match *match, char *out, size_t len)
{
    struct writer w = {.out = out, .len = len};
    struct rs_match m;
    const char *why;

    if (len > 0)
        out[0] = '\0';
    if (tapm_match_canonicalise(match, &m, &why) != 0) {
        put(&w, "malformed: %s", why);
        return (int)w.at;
    }
    bool has_ports = m.ip_proto == 6 || m.ip_proto == 17;
    put_protocol(&w, &m);
    put_endpoint(&w, "dst", &m.local_ip, m.local_port, has_ports);
    put_endpoint(&w, "src", &m.remote_ip, m.remote_port, has_ports);
    if (m.has_local_mac)
        put(&w, " mac %02x:%02x:%02x:%02x:%02x:%02x", m.local_mac.bytes[0], m.local_mac.bytes[1],
            m.local_mac.bytes[2], m.local_mac.bytes[3], m.local_mac.bytes[4], m.local_mac.bytes[5]);
    if (m.vlan_id != 0)
        put(&w, " vlan %u", m.vlan_id);
    if (m.copy)
        put(&w, " copy");
    return (int)w.at;
}
