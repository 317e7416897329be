/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of a description that say what the port is plugged into, and what that does to frames.
 */
#include "cxemu/host/spec_key.h"

#include "cxemu/wires/shm_segment.h"
#include "cxemu/wires/units.h"

#include <errno.h>
#include <string.h>

/* What stands behind the colon of wire=. */
enum name_kind { A_NAME, AN_INTERFACE, A_FILE };

static const struct {
    const char *prefix;
    enum cxemu_wire_kind kind;
    enum name_kind name;
    const char *remedy;
} wires[] = {
    {"mem:", CXEMU_WIRE_MEM, A_NAME, "give the memory wire a name, as in wire=mem:w0"},
    {"shm:", CXEMU_WIRE_SHM, A_NAME, "give the switch a name, as in wire=shm:s0"},
    {"packet:", CXEMU_WIRE_PACKET, AN_INTERFACE,
     "name a network interface, as in wire=packet:veth0"},
    {"tap:", CXEMU_WIRE_TAP, AN_INTERFACE, "name the interface to make, as in wire=tap:tap0"},
    {"xdp:", CXEMU_WIRE_XDP, AN_INTERFACE, "name a network interface, as in wire=xdp:veth0"},
    {"pcap:", CXEMU_WIRE_PCAP, A_FILE, "name the file to replay, as in wire=pcap:in.pcap"},
};

static bool is_good_name(enum name_kind kind, const char *value)
{
    switch (kind) {
    case A_NAME:
        return cxemu_spec_is_name(value, CXEMU_SPEC_NAME_MAX - 1);
    case AN_INTERFACE:
        return *value && strlen(value) < IFNAMSIZ && !strchr(value, '/');
    default:
        return *value && strlen(value) < CXEMU_SPEC_PATH_MAX;
    }
}

static int take_wire(struct cxemu_spec *spec, const char *value, const struct cxemu_error_text *e)
{
    if (strcmp(value, "none") == 0) {
        spec->wire = CXEMU_WIRE_NONE;
        return 0;
    }
    for (size_t i = 0; i < sizeof(wires) / sizeof(wires[0]); i++) {
        const char *name = value + strlen(wires[i].prefix);
        if (strncmp(value, wires[i].prefix, strlen(wires[i].prefix)) != 0)
            continue;
        if (!is_good_name(wires[i].name, name))
            return cxemu_spec_fail(e, "wire=%s: %s", value, wires[i].remedy);
        spec->wire = wires[i].kind;
        strcpy(spec->wire_name, name);
        return 0;
    }
    return cxemu_spec_fail(e,
                           "wire=%s: unknown wire; use none, mem:NAME, shm:NAME, packet:IFNAME, "
                           "tap:IFNAME, xdp:IFNAME or pcap:FILE",
                           value);
}

static int take_shm_ports(struct cxemu_spec *spec, const char *value,
                          const struct cxemu_error_text *e)
{
    uint64_t n;

    if (!cxemu_spec_number(value, CXEMU_SHM_PORTS_MAX, &n) || n < 2)
        return cxemu_spec_fail(e, "shm_ports=%s: a switch has 2 to %d ports", value,
                               CXEMU_SHM_PORTS_MAX);
    spec->shm_ports = (uint32_t)n;
    return 0;
}

static int take_shm_mode(struct cxemu_spec *spec, const char *value,
                         const struct cxemu_error_text *e)
{
    if (strlen(value) < 3 || !cxemu_spec_mode(value, &spec->shm_mode))
        return cxemu_spec_fail(
            e, "shm_mode=%s: a switch's permissions are octal, like 0660, at most 0666", value);
    return 0;
}

static int take_record(struct cxemu_spec *spec, const char *value, const struct cxemu_error_text *e)
{
    if (!is_good_name(A_FILE, value))
        return cxemu_spec_fail(e, "record=%s: name the file to write, as in record=out.pcap",
                               value);
    strcpy(spec->record, value);
    return 0;
}

static int take_replay_speed(struct cxemu_spec *spec, const char *value,
                             const struct cxemu_error_text *e)
{
    uint64_t n = 0;
    size_t len = strlen(value);
    char digits[16] = "";

    if (strcmp(value, "max") == 0) {
        spec->replay_percent = 0;
        return 0;
    }
    if (len > 1 && len < sizeof(digits) && value[len - 1] == '%')
        memcpy(digits, value, len - 1);
    if (!cxemu_spec_number(digits, 1000000, &n) || n == 0)
        return cxemu_spec_fail(
            e, "replay_speed=%s: give a share of the recorded speed, like 100%% or 50%%, or max",
            value);
    spec->replay_percent = (uint32_t)n;
    return 0;
}

static int take_replay_loops(struct cxemu_spec *spec, const char *value,
                             const struct cxemu_error_text *e)
{
    uint64_t n = 0;

    if (strcmp(value, "forever") != 0 && (!cxemu_spec_number(value, UINT32_MAX, &n) || n == 0))
        return cxemu_spec_fail(e, "replay_loops=%s: how often, 1 or more, or forever", value);
    spec->replay_loops = (uint32_t)n;
    return 0;
}

static int take_replay_wait(struct cxemu_spec *spec, const char *value,
                            const struct cxemu_error_text *e)
{
    if (!cxemu_units_duration(value, &spec->replay_wait_ns))
        return cxemu_spec_fail(e, "replay_wait=%s: a time has a unit, like 500ms or 2s", value);
    return 0;
}

void cxemu_spec_wire_defaults(struct cxemu_spec *spec)
{
    spec->replay_percent = 100;
    spec->replay_loops = 1;
}

int cxemu_spec_take_impair(struct cxemu_spec *spec, const char *key, const char *value,
                           const struct cxemu_error_text *e)
{
    int rc = cxemu_impair_config_set(&spec->impair, key, value, e->text, e->len);

    return rc == -ENOENT || !rc ? rc : -EINVAL;
}

const struct cxemu_spec_key cxemu_spec_wire_keys[] = {
    {"wire", take_wire},
    {"shm_ports", take_shm_ports},
    {"shm_mode", take_shm_mode},
    {"record", take_record},
    {"replay_speed", take_replay_speed},
    {"replay_loops", take_replay_loops},
    {"replay_wait", take_replay_wait},
    {NULL, NULL},
};
