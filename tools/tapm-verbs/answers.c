/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers of the processes that use TAPM: asked for, parsed, filtered, taken apart. */
#include "tapm_verbs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("tapm-verbs: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

struct json_object *member_of(struct json_object *object, const char *name)
{
    struct json_object *member = NULL;

    json_object_object_get_ex(object, name, &member);
    return member;
}

const char *text_of(struct json_object *object, const char *name)
{
    struct json_object *member = member_of(object, name);

    return member ? json_object_get_string(member) : "";
}

uint64_t number_of(struct json_object *object, const char *name)
{
    return json_object_get_uint64(member_of(object, name));
}

void process_of(struct json_object *answer, char *out, size_t len)
{
    struct json_object *process = member_of(answer, "process");

    snprintf(out, len, "%s (pid %llu)", text_of(process, "owner"),
             (unsigned long long)number_of(process, "pid"));
}

struct collector {
    const struct options *options;
    struct json_object *answers;
};

static void on_answer(void *ctx, const char *json)
{
    const struct collector *to = ctx;
    struct json_object *answer = json_tokener_parse(json);

    if (!json_object_is_type(answer, json_type_object)) {
        complain("a process gave an answer that is not JSON; it is passed over");
        json_object_put(answer);
        return;
    }
    if (to->options->device && strcmp(text_of(answer, "device"), to->options->device) != 0) {
        json_object_put(answer);
        return;
    }
    json_object_array_add(to->answers, answer);
}

struct json_object *answers_get(const struct options *options, const char *what)
{
    struct collector to = {.options = options, .answers = json_object_new_array()};
    int rc = tapm_control_query(options->run_dir, what, on_answer, &to);

    if (rc >= 0)
        return to.answers;
    if (rc == -EACCES)
        complain("control sockets in %s are another user's: run as that user or as root",
                 options->run_dir ? options->run_dir : "the run directory");
    else
        complain("control sockets in %s cannot be asked: %s",
                 options->run_dir ? options->run_dir : "the run directory", strerror(-rc));
    json_object_put(to.answers);
    return NULL;
}

int answers_none(const struct options *options)
{
    complain("no running process%s%s serves a control socket in %s: start a program that uses "
             "TAPM, or name its directory with --run-dir",
             options->device ? " with " : "", options->device ? options->device : "",
             options->run_dir ? options->run_dir : "$RAWSTACK_RUN_DIR or /run/rawstack");
    return EXIT_NO_PROCESS;
}

void print_json(struct json_object *document)
{
    puts(json_object_to_json_string_ext(document,
                                        JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(document);
}

int answers_print(const struct options *options, const char *what,
                  void (*print)(const struct options *options, struct json_object *answer))
{
    struct json_object *answers = answers_get(options, what);

    if (!answers)
        return EXIT_ERROR;
    size_t n = json_object_array_length(answers);
    if (options->json && n > 0) {
        struct json_object *document = json_object_new_object();
        json_object_object_add(document, "processes", answers);
        print_json(document);
        return EXIT_OK;
    }
    for (size_t i = 0; i < n; i++)
        print(options, json_object_array_get_idx(answers, i));
    json_object_put(answers);
    return n > 0 ? EXIT_OK : answers_none(options);
}
