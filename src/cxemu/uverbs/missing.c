/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program asked for and cxemu does not have, each once, by name. The library prints nothing:
 * it tells the hook, which `cxemu run -v` sets. A program in another process has its hook there: it
 * is told with the answer (caller.h).
 */
#include "cxemu/uverbs/caller.h"
#include "cxemu/uverbs/device.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 128

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *told[NAMES_MAX];
static unsigned told_count;
static cxemu_missing_fn hook;
static void *hook_cookie;

void cxemu_missing_hook(cxemu_missing_fn fn, void *cookie)
{
    pthread_mutex_lock(&lock);
    hook = fn;
    hook_cookie = cookie;
    pthread_mutex_unlock(&lock);
}

static bool is_new(const char *what)
{
    for (unsigned i = 0; i < told_count; i++)
        if (strcmp(told[i], what) == 0)
            return false;
    if (told_count == NAMES_MAX)
        return false;
    told[told_count] = strdup(what);
    told_count += told[told_count] != NULL;
    return true;
}

int cxemu_missing(const char *what, int err)
{
    struct cxemu_caller *caller = cxemu_caller_now();

    if (caller && !caller->missing) {
        caller->missing = what;
        caller->missing_err = err;
    }
    if (caller)
        return -err;
    pthread_mutex_lock(&lock);
    if (hook && is_new(what))
        hook(hook_cookie, what, err);
    pthread_mutex_unlock(&lock);
    return -err;
}
