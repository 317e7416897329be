/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the subcommands of tapm-verbs share: the options, the processes' answers, tables. See
 * tapm-verbs(1).
 */
#ifndef TAPM_VERBS_H
#define TAPM_VERBS_H

#include <json-c/json.h>
#include <rawstack/tapm.h>

enum exit_code {
    EXIT_OK = 0,
    EXIT_ERROR = 1,      /* said on stderr */
    EXIT_USAGE = 2,      /* the command line */
    EXIT_NO_PROCESS = 3, /* nobody answers, and somebody must */
};

struct options {
    bool json, all;
    const char *device;  /* NULL: every one */
    const char *run_dir; /* NULL: the default ones */
    unsigned watch_s;    /* 0: once */
};

/* One file each. */
int command_list(const struct options *options);
int command_caps(const struct options *options);
int command_show(const struct options *options);
int command_stats(const struct options *options);

/* --- answers.c ----------------------------------------------------------------------------------
 */

/* The answers to `what` of all processes that have options->device open, as an array to be put
 * (json_object_put); NULL after an error that has been said. Nobody answering is an empty array. */
struct json_object *answers_get(const struct options *options, const char *what);
/* Says that no process answers, and what to do. Returns EXIT_NO_PROCESS. */
int answers_none(const struct options *options);
/* Asks for `what` and prints each answer by `print`, or all as one JSON document. An exit code. */
int answers_print(const struct options *options, const char *what,
                  void (*print)(const struct options *options, struct json_object *answer));

/* Members, or a plain default when there is none of that name or type. */
const char *text_of(struct json_object *object, const char *name);
uint64_t number_of(struct json_object *object, const char *name);
struct json_object *member_of(struct json_object *object, const char *name);
/* "name (pid 12)" of an answer. */
void process_of(struct json_object *answer, char *out, size_t len);
/* Prints the document and gives it up. */
void print_json(struct json_object *document);
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- table.c: rows of text, printed with columns as wide as their widest cell --------------------
 */

#define TABLE_COLUMNS_MAX 12u

struct table;
struct table *table_create(unsigned n_columns, const char *const *heads);
/* n_columns texts, copied. */
void table_row(struct table *table, const char *const *cells);
/* Prints, each line after `indent` blanks, and frees it. */
void table_print(struct table *table, unsigned indent);

#endif
