/* SPDX-License-Identifier: BSD-2-Clause */
/* tapm-verbs show: each process's taps, and the steering rules of each, with their owner. */
#include "tapm_verbs.h"

#include <stdio.h>

static void print_taps(struct json_object *taps)
{
    static const char *const heads[] = {"TAP",     "STATE", "QP",    "RX RING", "TX RING",
                                        "BUFFERS", "FREE",  "BYTES", "PAGES"};
    struct table *table = table_create(9, heads);

    for (size_t i = 0; i < json_object_array_length(taps); i++) {
        struct json_object *tap = json_object_array_get_idx(taps, i);
        const char *const cells[] = {
            text_of(tap, "name"),         text_of(tap, "state"),        text_of(tap, "qp"),
            text_of(tap, "rx_ring_pkts"), text_of(tap, "tx_ring_pkts"), text_of(tap, "pool_bufs"),
            text_of(tap, "pool_free"),    text_of(tap, "buf_bytes"),    text_of(tap, "pages")};
        table_row(table, cells);
    }
    table_print(table, 2);
}

static void print_rules(struct json_object *taps)
{
    static const char *const heads[] = {"TAP", "PRIORITY", "RULE", "OWNER"};
    struct table *table = table_create(4, heads);

    for (size_t i = 0; i < json_object_array_length(taps); i++) {
        struct json_object *tap = json_object_array_get_idx(taps, i);
        struct json_object *rules = member_of(tap, "rules");
        for (size_t j = 0; rules && j < json_object_array_length(rules); j++) {
            struct json_object *rule = json_object_array_get_idx(rules, j);
            const char *const cells[] = {text_of(tap, "name"), text_of(rule, "priority"),
                                         text_of(rule, "rule"), text_of(tap, "owner")};
            table_row(table, cells);
        }
    }
    table_print(table, 2);
}

static void print_answer(const struct options *options, struct json_object *answer)
{
    struct json_object *taps = member_of(answer, "taps");
    char process[128];

    (void)options;
    process_of(answer, process, sizeof(process));
    printf("%s on %s port %s, netdev %s, link %s\n", process, text_of(answer, "device"),
           text_of(answer, "port"),
           text_of(answer, "netdev")[0] != '\0' ? text_of(answer, "netdev") : "-",
           text_of(answer, "link"));
    if (taps && json_object_array_length(taps) > 0) {
        print_taps(taps);
        print_rules(taps);
    } else {
        puts("  no taps");
    }
}

int command_show(const struct options *options)
{
    return answers_print(options, "show", print_answer);
}
