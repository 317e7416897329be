/* SPDX-License-Identifier: BSD-2-Clause */
/* `cxemu status`: instances, their NICs and who uses them. */
#define _GNU_SOURCE
#include "cxemu.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <limits.h>
#include <rawstack/cxemu.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LOCK_SUFFIX ".lock"

static void usage(FILE *to)
{
    fputs("usage: cxemu status [--json] [NAME]\n"
          "\n"
          "Shows the instances that `cxemu start` made, or one: their NICs, and the programs that\n"
          "have them open with what they made. Exit status 1 when there is none (of that NAME).\n"
          "\n"
          "  -j, --json   as JSON: an array of instances\n"
          "  -h, --help   this text\n",
          to);
}

/* --- asking ------------------------------------------------------------------------------- */

/* What the instance says of itself, NULL when it says nothing. */
static struct json_object *ask(const char *name)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char dir[PATH_MAX], chunk[4096];
    struct json_object *told = NULL;
    ssize_t n;

    if (cxemu_instance_dir(name, dir, sizeof(dir)) ||
        snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/status", dir) >=
            (int)sizeof(addr.sun_path))
        return NULL;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    struct json_tokener *parser = json_tokener_new();
    if (parser && connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
        while (!told && (n = read(fd, chunk, sizeof(chunk))) > 0)
            told = json_tokener_parse_ex(parser, chunk, (int)n);
    if (parser)
        json_tokener_free(parser);
    close(fd);
    return told;
}

/* Adds the instance, if it runs. */
static void add(struct json_object *all, const char *name)
{
    pid_t pid = cxemu_instance_pid(name);
    struct json_object *told = pid > 0 ? ask(name) : NULL;

    if (!told)
        return;
    json_object_object_add(told, "instance", json_object_new_string(name));
    json_object_array_add(all, told);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_lock(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name), suffix = strlen(LOCK_SUFFIX);

    return n > suffix && strcmp(entry->d_name + n - suffix, LOCK_SUFFIX) == 0;
}

static void add_all(struct json_object *all)
{
    struct dirent **entries;
    char dir[PATH_MAX];

    if (cxemu_instance_dir(NULL, dir, sizeof(dir)))
        return;
    int count = scandir(dir, &entries, is_lock, by_name);
    for (int i = 0; i < count; i++) {
        entries[i]->d_name[strlen(entries[i]->d_name) - strlen(LOCK_SUFFIX)] = 0;
        add(all, entries[i]->d_name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

/* --- showing ------------------------------------------------------------------------------ */

static const char *text_of(struct json_object *o, const char *key)
{
    struct json_object *value = json_object_object_get(o, key);
    return value ? json_object_get_string(value) : "?";
}

/* " 1 pd, 2 mr": what is not 0. */
static void show_objects(struct json_object *of)
{
    struct json_object *objects = json_object_object_get(of, "objects");
    const char *between = "";

    if (!objects)
        return;
    json_object_object_foreach(objects, kind, count)
    {
        if (json_object_get_int64(count) == 0)
            continue;
        printf("%s %s %s", between, json_object_get_string(count), kind);
        between = ",";
    }
}

static void show_nic(struct json_object *nic)
{
    struct json_object *contexts = json_object_object_get(nic, "contexts");

    printf("  %s (%s): link %s, %s, mtu %s;", text_of(nic, "name"), text_of(nic, "node"),
           text_of(nic, "link"), text_of(nic, "mac"), text_of(nic, "mtu"));
    show_objects(nic);
    putchar('\n');
    for (size_t i = 0; contexts && i < json_object_array_length(contexts); i++) {
        struct json_object *context = json_object_array_get_idx(contexts, i);
        printf("    %s[%s]:", text_of(context, "comm"), text_of(context, "pid"));
        show_objects(context);
        putchar('\n');
    }
}

static void show(struct json_object *all)
{
    for (size_t i = 0; i < json_object_array_length(all); i++) {
        struct json_object *instance = json_object_array_get_idx(all, i);
        struct json_object *nics = json_object_object_get(instance, "nics");
        printf("%s: process %s\n", text_of(instance, "instance"), text_of(instance, "pid"));
        for (size_t n = 0; nics && n < json_object_array_length(nics); n++)
            show_nic(json_object_array_get_idx(nics, n));
    }
}

int cxemu_status(int argc, char **argv)
{
    static const struct option longs[] = {
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool json = false;
    int c;

    while ((c = getopt_long(argc, argv, "jh", longs, NULL)) != -1) {
        if (c == 'h') {
            usage(stdout);
            return 0;
        }
        if (c != 'j') {
            fputs("try 'cxemu status --help'\n", stderr);
            return EXIT_USAGE;
        }
        json = true;
    }
    if (optind + 1 < argc) {
        usage(stderr);
        return EXIT_USAGE;
    }
    struct json_object *all = json_object_new_array();
    if (optind < argc)
        add(all, argv[optind]);
    else
        add_all(all);
    bool none = json_object_array_length(all) == 0;
    if (json)
        puts(json_object_to_json_string_ext(all, JSON_C_TO_STRING_PRETTY));
    else if (none)
        fputs("cxemu: no such instance runs\n", stderr);
    else
        show(all);
    json_object_put(all);
    return none;
}
