/* SPDX-License-Identifier: BSD-2-Clause */
/* tapm-verbs list: the devices that this process finds and those that others have open, each once.
 */
#include "tapm_verbs.h"

#include <stdio.h>
#include <string.h>

#define DEVICES_MAX 256

static struct json_object *find(struct json_object *devices, const char *name)
{
    for (size_t i = 0; i < json_object_array_length(devices); i++) {
        struct json_object *device = json_object_array_get_idx(devices, i);
        if (strcmp(text_of(device, "name"), name) == 0)
            return device;
    }
    return NULL;
}

static void add_own(struct json_object *devices, const struct options *options)
{
    static struct tapm_device_info infos[DEVICES_MAX];
    int n = tapm_device_list(infos, DEVICES_MAX);

    for (int i = 0; i < n && i < DEVICES_MAX; i++) {
        const struct tapm_device_info *info = &infos[i];
        if (options->device && strcmp(info->name, options->device) != 0)
            continue;
        struct json_object *device = json_object_new_object();
        json_object_object_add(device, "name", json_object_new_string(info->name));
        json_object_object_add(device, "netdev", json_object_new_string(info->netdev));
        json_object_object_add(device, "fw_version", json_object_new_string(info->fw_version));
        json_object_object_add(device, "vendor_id", json_object_new_uint64(info->vendor_id));
        json_object_object_add(device, "part_id", json_object_new_uint64(info->part_id));
        json_object_object_add(device, "n_ports", json_object_new_uint64(info->n_ports));
        json_object_object_add(device, "owners", json_object_new_array());
        json_object_array_add(devices, device);
    }
}

/* A device that another process has open: maybe one that is not to be seen from here. */
static void add_answer(struct json_object *devices, struct json_object *answer)
{
    struct json_object *theirs = member_of(answer, "devices");
    char owner[128];

    process_of(answer, owner, sizeof(owner));
    for (size_t i = 0; theirs && i < json_object_array_length(theirs); i++) {
        struct json_object *their = json_object_array_get_idx(theirs, i);
        struct json_object *device = find(devices, text_of(their, "name"));
        if (!device) {
            device = json_object_get(their);
            json_object_object_add(device, "owners", json_object_new_array());
            json_object_array_add(devices, device);
        }
        json_object_array_add(member_of(device, "owners"), json_object_new_string(owner));
    }
}

static void print_table(struct json_object *devices)
{
    static const char *const heads[] = {"DEVICE", "NETDEV", "FIRMWARE", "VENDOR",
                                        "PART",   "PORTS",  "OPEN BY"};
    struct table *table = table_create(7, heads);

    for (size_t i = 0; i < json_object_array_length(devices); i++) {
        struct json_object *device = json_object_array_get_idx(devices, i);
        struct json_object *owners = member_of(device, "owners");
        size_t n_owners = json_object_array_length(owners);
        char vendor[16], part[16], ports[16];
        snprintf(vendor, sizeof(vendor), "0x%04x", (unsigned)number_of(device, "vendor_id"));
        snprintf(part, sizeof(part), "%u", (unsigned)number_of(device, "part_id"));
        snprintf(ports, sizeof(ports), "%u", (unsigned)number_of(device, "n_ports"));
        const char *const cells[] = {
            text_of(device, "name"),
            text_of(device, "netdev")[0] != '\0' ? text_of(device, "netdev") : "-",
            text_of(device, "fw_version"),
            vendor,
            part,
            ports,
            n_owners > 0 ? json_object_get_string(json_object_array_get_idx(owners, 0)) : "-"};
        table_row(table, cells);
        for (size_t j = 1; j < n_owners; j++) {
            const char *const more[] = {
                "",
                "",
                "",
                "",
                "",
                "",
                json_object_get_string(json_object_array_get_idx(owners, j))};
            table_row(table, more);
        }
    }
    table_print(table, 0);
}

int command_list(const struct options *options)
{
    struct json_object *answers = answers_get(options, "list");
    struct json_object *devices = json_object_new_array();

    add_own(devices, options);
    for (size_t i = 0; answers && i < json_object_array_length(answers); i++)
        add_answer(devices, json_object_array_get_idx(answers, i));
    json_object_put(answers);
    if (json_object_array_length(devices) == 0) {
        json_object_put(devices);
        if (options->device)
            complain("no RDMA device %s here, and no process that has it open", options->device);
        else
            complain("no RDMA device: is the driver loaded (modprobe mlx5_ib), and ib_uverbs?");
        return EXIT_ERROR;
    }
    if (options->json) {
        struct json_object *document = json_object_new_object();
        json_object_object_add(document, "devices", devices);
        print_json(document);
        return EXIT_OK;
    }
    print_table(devices);
    json_object_put(devices);
    return EXIT_OK;
}
