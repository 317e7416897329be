/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tapm-verbs caps: what a device can do, as a process that has it open sees it; where there is
 * none, the device is opened for the asking.
 */
#include "tapm_verbs.h"

#include <stdio.h>
#include <string.h>

#define CAPS_MAX 64

/* As the processes' answers have it. */
static struct json_object *ask_device(const struct options *options)
{
    static const char *const presences[] = {"absent", "present", "unknown"};
    const struct tapm_config config = {.device = options->device, .control_dir = ""};
    struct tapm_cap caps[CAPS_MAX];
    struct tapm *tapm;
    char err[512];

    if (tapm_open(&config, &tapm, err, sizeof(err)) != 0) {
        complain("%s", err);
        return NULL;
    }
    struct json_object *answer = json_object_new_object(), *list = json_object_new_array();
    int n = tapm_caps(tapm, caps, CAPS_MAX);
    for (int i = 0; i < n && i < CAPS_MAX; i++) {
        struct json_object *cap = json_object_new_object();
        json_object_object_add(cap, "name", json_object_new_string(caps[i].name));
        json_object_object_add(cap, "presence",
                               json_object_new_string(presences[caps[i].presence]));
        json_object_object_add(cap, "value", json_object_new_string(caps[i].value));
        json_object_object_add(cap, "otherwise", json_object_new_string(caps[i].otherwise));
        json_object_array_add(list, cap);
    }
    json_object_object_add(answer, "device", json_object_new_string(tapm_device_name(tapm)));
    json_object_object_add(answer, "capabilities", list);
    tapm_close(tapm);
    return answer;
}

/* The first answer for each device: the rest say the same but for their privileges. */
static struct json_object *one_each(struct json_object *answers)
{
    struct json_object *devices = json_object_new_array();

    for (size_t i = 0; i < json_object_array_length(answers); i++) {
        struct json_object *answer = json_object_array_get_idx(answers, i);
        bool known = false;
        for (size_t j = 0; j < json_object_array_length(devices); j++)
            known |= strcmp(text_of(answer, "device"),
                            text_of(json_object_array_get_idx(devices, j), "device")) == 0;
        if (!known)
            json_object_array_add(devices, json_object_get(answer));
    }
    json_object_put(answers);
    return devices;
}

static void print_device(struct json_object *device)
{
    static const char *const heads[] = {"CAPABILITY", "PRESENCE", "VALUE", "OTHERWISE"};
    struct json_object *caps = member_of(device, "capabilities");
    struct table *table = table_create(4, heads);
    char process[128] = "this process";

    if (member_of(device, "process"))
        process_of(device, process, sizeof(process));
    printf("%s, as %s sees it\n", text_of(device, "device"), process);
    for (size_t i = 0; caps && i < json_object_array_length(caps); i++) {
        struct json_object *cap = json_object_array_get_idx(caps, i);
        bool present = strcmp(text_of(cap, "presence"), "present") == 0;
        const char *const cells[] = {text_of(cap, "name"), text_of(cap, "presence"),
                                     text_of(cap, "value")[0] != '\0' ? text_of(cap, "value") : "-",
                                     present ? "-" : text_of(cap, "otherwise")};
        table_row(table, cells);
    }
    table_print(table, 2);
}

int command_caps(const struct options *options)
{
    struct json_object *answers = answers_get(options, "caps");

    if (!answers)
        return EXIT_ERROR;
    if (json_object_array_length(answers) == 0) {
        struct json_object *own = ask_device(options);
        if (!own) {
            json_object_put(answers);
            return EXIT_ERROR;
        }
        json_object_array_add(answers, own);
    }
    struct json_object *devices = one_each(answers);
    if (options->json) {
        struct json_object *document = json_object_new_object();
        json_object_object_add(document, "devices", devices);
        print_json(document);
        return EXIT_OK;
    }
    for (size_t i = 0; i < json_object_array_length(devices); i++)
        print_device(json_object_array_get_idx(devices, i));
    json_object_put(devices);
    return EXIT_OK;
}
