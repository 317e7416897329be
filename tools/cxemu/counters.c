/* SPDX-License-Identifier: BSD-2-Clause */
/* `cxemu counters`: by the names that ethtool and sysfs have for mlx5. */
#define _GNU_SOURCE
#include "client.h"
#include "cxemu.h"

#include <getopt.h>
#include <json-c/json.h>
#include <string.h>

static void usage(FILE *to)
{
    fputs("usage: cxemu counters NAME [--nic NIC] [--json] [--all]\n"
          "\n"
          "Prints a NIC's counters by the names that mlx5 has for them: those of `ethtool -S`, of\n"
          "ports/1/counters and ports/1/hw_counters in sysfs, and, with the prefix cxemu_, what\n"
          "mlx5 does not count. Those that are 0 are left out.\n"
          "\n"
          "  NAME             an instance, or the socket of `cxemu run --control`, with a '/'\n"
          "  -n, --nic NIC    which of its NICs, when there are several\n"
          "  -j, --json       as JSON: an object for each list; all counters\n"
          "  -a, --all        those that are 0 as well\n"
          "  -h, --help       this text\n",
          to);
}

struct shown {
    struct json_object *root;
    char list[16]; /* whose heading was printed last */
    bool json, all;
};

static void keep(struct json_object *root, const char *list, const char *name,
                 unsigned long long value)
{
    struct json_object *of = json_object_object_get(root, list);

    if (!of) {
        of = json_object_new_object();
        json_object_object_add(root, list, of);
    }
    json_object_object_add(of, name, json_object_new_uint64(value));
}

/* "LIST NAME VALUE" */
static void take(void *cookie, const char *line)
{
    struct shown *shown = cookie;
    unsigned long long value;
    char list[16], name[64];

    /* NOLINTNEXTLINE(cert-err34-c): a line that the control socket printed with %llu */
    if (sscanf(line, "%15s %63s %llu", list, name, &value) != 3)
        return;
    if (shown->json) {
        keep(shown->root, list, name, value);
        return;
    }
    if (!value && !shown->all)
        return;
    if (strcmp(shown->list, list) != 0)
        printf("%s:\n", list);
    strcpy(shown->list, list);
    printf("    %-32s %llu\n", name, value);
}

int cxemu_tool_counters(int argc, char **argv)
{
    static const struct option longs[] = {
        {"nic", required_argument, NULL, 'n'},
        {"json", no_argument, NULL, 'j'},
        {"all", no_argument, NULL, 'a'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct client c = {.nic = "-"};
    struct shown shown = {.json = false};
    int opt, status;

    while ((opt = getopt_long(argc, argv, "n:jah", longs, NULL)) != -1) {
        switch (opt) {
        case 'n':
            c.nic = optarg;
            break;
        case 'j':
            shown.json = true;
            break;
        case 'a':
            shown.all = true;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            fprintf(stderr, "try 'cxemu %s --help'\n", argv[0]);
            return EXIT_USAGE;
        }
    }
    if (argc - optind != 1) {
        usage(stderr);
        return EXIT_USAGE;
    }
    c.name = argv[optind];
    status = client_open(&c);
    if (status)
        return status;
    shown.root = json_object_new_object();
    status = client_say(&c, "counters %s", c.nic);
    if (!status)
        status = client_hear(&c, take, &shown);
    if (!status && shown.json)
        puts(json_object_to_json_string_ext(shown.root, JSON_C_TO_STRING_PRETTY));
    json_object_put(shown.root);
    client_close(&c);
    return status;
}
