/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: running a fuzz target without a fuzzer: every file of its corpus, then so many mutations of
 * them, the same on every machine. On a crash, the input is left in ./crash-replay.
 *
 * usage: fuzz_NAME_replay CORPUS [MUTATIONS [SEED]]    CORPUS: a folder, or one file
 */
#include "fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_BYTES_MAX 8192u
#define FILES_MAX       1024u

struct input {
    uint8_t bytes[INPUT_BYTES_MAX];
    size_t len;
};

static struct input files[FILES_MAX];
static size_t n_files;
static struct input current; /* for the crash handler */
static uint64_t rng_state;

static uint32_t rng(uint32_t below)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return (uint32_t)(rng_state >> 32) % below;
}

static void on_crash(int sig)
{
    FILE *f = fopen("crash-replay", "wb");

    if (f) {
        fwrite(current.bytes, 1, current.len, f);
        fclose(f);
    }
    signal(sig, SIG_DFL);
    raise(sig);
}

/* In memory of exactly its length, so that a sanitizer sees a byte read too many. */
static void run(void)
{
    uint8_t *copy = malloc(current.len ? current.len : 1);

    if (!copy)
        exit(2);
    memcpy(copy, current.bytes, current.len);
    LLVMFuzzerTestOneInput(copy, current.len);
    free(copy);
}

static int load(const char *path)
{
    FILE *f = fopen(path, "rb");

    if (!f || n_files == FILES_MAX) {
        fprintf(stderr, "%s: cannot be read, or too many files\n", path);
        if (f)
            fclose(f);
        return -1;
    }
    files[n_files].len = fread(files[n_files].bytes, 1, INPUT_BYTES_MAX, f);
    n_files++;
    fclose(f);
    return 0;
}

static int load_all(const char *path)
{
    struct dirent **names;
    struct stat st;
    char file[4096];
    int n, err = 0;

    if (stat(path, &st)) {
        perror(path);
        return -1;
    }
    if (!S_ISDIR(st.st_mode))
        return load(path);
    n = scandir(path, &names, NULL, alphasort); /* sorted: the run is the same everywhere */
    for (int i = 0; i < n; i++) {
        snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && load(file))
            err = -1;
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return err;
}

/* --- mutations ---------------------------------------------------------------------------------
 */

static void remove_bytes(struct input *in)
{
    size_t at = rng((uint32_t)in->len), n = 1 + rng(16);

    if (n > in->len - at)
        n = in->len - at;
    memmove(in->bytes + at, in->bytes + at + n, in->len - at - n);
    in->len -= n;
}

static void insert_bytes(struct input *in)
{
    size_t at = rng((uint32_t)in->len + 1), n = 1 + rng(16);

    if (n > INPUT_BYTES_MAX - in->len)
        return;
    memmove(in->bytes + at + n, in->bytes + at, in->len - at);
    for (size_t i = 0; i < n; i++)
        in->bytes[at + i] = (uint8_t)rng(256);
    in->len += n;
}

/* The end of another input behind the beginning of this one. */
static void splice(struct input *in)
{
    const struct input *other = &files[rng((uint32_t)n_files)];
    size_t keep = rng((uint32_t)in->len + 1);
    size_t from = rng((uint32_t)other->len + 1);
    size_t n = other->len - from;

    if (n > INPUT_BYTES_MAX - keep)
        n = INPUT_BYTES_MAX - keep;
    memcpy(in->bytes + keep, other->bytes + from, n);
    in->len = keep + n;
}

static void mutate_once(struct input *in)
{
    static const uint8_t edges[] = {0, 1, 3, 4, 5, 7, 8, 0x0f, 0x20, 0x40, 0x7f, 0x80, 0xfe, 0xff};
    size_t at;

    if (in->len == 0) {
        insert_bytes(in);
        return;
    }
    at = rng((uint32_t)in->len);
    switch (rng(8)) {
    case 0:
    case 1:
        in->bytes[at] ^= (uint8_t)(1u << rng(8));
        return;
    case 2:
        in->bytes[at] = (uint8_t)rng(256);
        return;
    case 3:
        in->bytes[at] = edges[rng(sizeof(edges))];
        return;
    case 4:
        in->len = at;
        return;
    case 5:
        remove_bytes(in);
        return;
    case 6:
        insert_bytes(in);
        return;
    default:
        splice(in);
    }
}

int main(int argc, char **argv)
{
    unsigned mutations = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;

    if (argc < 2) {
        fprintf(stderr, "usage: %s CORPUS [MUTATIONS [SEED]]\n", argv[0]);
        return 2;
    }
    rng_state = 0x9e3779b97f4a7c15u ^ (argc > 3 ? strtoull(argv[3], NULL, 10) : 1);
    if (load_all(argv[1]) || n_files == 0) {
        fprintf(stderr, "%s: no corpus\n", argv[1]);
        return 1;
    }
    signal(SIGABRT, on_crash);
    signal(SIGSEGV, on_crash);
    for (size_t i = 0; i < n_files; i++) {
        current = files[i];
        run();
    }
    for (unsigned i = 0; i < mutations; i++) {
        current = files[rng((uint32_t)n_files)];
        for (uint32_t n = 1 + rng(6); n; n--)
            mutate_once(&current);
        run();
    }
    printf("%zu corpus files and %u mutations\n", n_files, mutations);
    return 0;
}
