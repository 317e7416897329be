/* SPDX-License-Identifier: BSD-2-Clause */
/* tapm-verbs stats: counters of each process's taps, and those that the program adds of its own. */
#include "tapm_verbs.h"

#include <stdio.h>
#include <string.h>

/* A name column, and one for each tap. */
static void print_taps(const struct options *options, struct json_object *taps)
{
    const char *cells[TABLE_COLUMNS_MAX] = {"COUNTER"};
    size_t n = json_object_array_length(taps);

    n = n < TABLE_COLUMNS_MAX - 1 ? n : TABLE_COLUMNS_MAX - 1;
    for (size_t i = 0; i < n; i++)
        cells[1 + i] = text_of(json_object_array_get_idx(taps, i), "name");
    struct table *table = table_create(1 + (unsigned)n, cells);
    struct json_object *first = json_object_array_get_idx(taps, 0);
    struct json_object_iterator at = json_object_iter_begin(first),
                                end = json_object_iter_end(first);
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        const char *name = json_object_iter_peek_name(&at);
        bool any = options->all;
        if (strcmp(name, "name") == 0)
            continue;
        cells[0] = name;
        for (size_t i = 0; i < n; i++) {
            cells[1 + i] = text_of(json_object_array_get_idx(taps, i), name);
            any |= strcmp(cells[1 + i], "0") != 0;
        }
        if (any)
            table_row(table, cells);
    }
    table_print(table, 2);
    if (json_object_array_length(taps) > n)
        printf("  and %zu taps more: see --json\n", json_object_array_length(taps) - n);
}

static void print_section(const struct options *options, const char *section,
                          struct json_object *counters)
{
    const char *const heads[] = {section, ""};
    struct table *table = table_create(2, heads);

    struct json_object_iterator at = json_object_iter_begin(counters),
                                end = json_object_iter_end(counters);
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        struct json_object *value = json_object_iter_peek_value(&at);
        const char *const cells[] = {json_object_iter_peek_name(&at),
                                     json_object_get_string(value)};
        if (options->all || json_object_get_uint64(value) != 0)
            table_row(table, cells);
    }
    table_print(table, 2);
}

static void print_answer(const struct options *options, struct json_object *answer)
{
    struct json_object *taps = member_of(answer, "taps");
    struct json_object *sections = member_of(answer, "sections");
    char process[128];

    process_of(answer, process, sizeof(process));
    printf("%s on %s port %s\n", process, text_of(answer, "device"), text_of(answer, "port"));
    if (taps && json_object_array_length(taps) > 0)
        print_taps(options, taps);
    else
        puts("  no taps");
    if (!json_object_is_type(sections, json_type_object))
        return;
    struct json_object_iterator at = json_object_iter_begin(sections),
                                end = json_object_iter_end(sections);
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at))
        print_section(options, json_object_iter_peek_name(&at), json_object_iter_peek_value(&at));
}

int command_stats(const struct options *options)
{
    return answers_print(options, "stats", print_answer);
}
