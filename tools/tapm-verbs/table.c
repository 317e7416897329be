/* SPDX-License-Identifier: BSD-2-Clause */
/* Text tables: collected first, so that each column is as wide as its widest cell. */
#include "tapm_verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct table {
    unsigned n_columns;
    size_t n_rows, room;
    char **cells; /* n_rows * n_columns, the heads first */
};

static void *must(void *memory)
{
    if (!memory) {
        complain("out of memory");
        exit(EXIT_ERROR);
    }
    return memory;
}

struct table *table_create(unsigned n_columns, const char *const *heads)
{
    struct table *table = must(calloc(1, sizeof(*table)));

    table->n_columns = n_columns;
    table_row(table, heads);
    return table;
}

void table_row(struct table *table, const char *const *cells)
{
    if (table->n_rows == table->room) {
        table->room = table->room > 0 ? table->room * 2 : 16;
        table->cells =
            must(realloc(table->cells, table->room * table->n_columns * sizeof(*table->cells)));
    }
    char **row = &table->cells[table->n_rows++ * table->n_columns];
    for (unsigned i = 0; i < table->n_columns; i++)
        row[i] = must(strdup(cells[i]));
}

void table_print(struct table *table, unsigned indent)
{
    int widths[TABLE_COLUMNS_MAX] = {0};

    for (size_t i = 0; i < table->n_rows * table->n_columns; i++) {
        int width = (int)strlen(table->cells[i]);
        int *widest = &widths[i % table->n_columns];
        *widest = width > *widest ? width : *widest;
    }
    for (size_t i = 0; i < table->n_rows * table->n_columns; i++) {
        unsigned column = (unsigned)(i % table->n_columns);
        bool last = column + 1 == table->n_columns;
        if (column == 0)
            printf("%*s", (int)indent, "");
        printf("%-*s%s", last ? 0 : widths[column], table->cells[i], last ? "\n" : "  ");
        free(table->cells[i]);
    }
    free(table->cells);
    free(table);
}
