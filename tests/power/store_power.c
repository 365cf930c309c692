/* SPDX-License-Identifier: MIT */
/* Rounds of work on the store that end in a power cut: after each, everything acknowledged is
 * there, nothing is half there, and the store checks clean. A round is a process of its own; it
 * tells what was acknowledged through shared memory, which no power cut touches.
 *
 *   store_power [ROUNDS [SEED [IGNORED]]]     IGNORED: a kind of sync that does nothing
 * (vfs_power.h) */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/store.h"
#include "vfs_power.h"

#define KEYS    64
#define THREADS 4

/* Of each key: the last version acknowledged, and the last asked for. */
struct shared {
    _Atomic uint32_t acknowledged[KEYS], asked[KEYS];
};

static struct shared *shared;
static struct definitions *definitions;
static struct store *store;
static char folder[256];

static void must(enum status status, const char *what)
{
    if (status != STATUS_OK) {
        fprintf(stderr, "%s: %s\n", what, status_name(status));
        _exit(1);
    }
}

static struct store *open_store(const char *vfs)
{
    struct store *opened = NULL;
    struct store_options options = {.folder = folder, .definitions = definitions, .vfs = vfs};
    must(store_open(&options, NULL, &opened), "open");
    return opened;
}

/* ---- one round --------------------------------------------------------------------------------
 */

struct write {
    struct arena *arena;
    struct store_draft *pair[2];
    struct store_written written;
};

/* Two resources in one job: both or neither. */
static enum status write_pair(struct store_tx *tx, void *context)
{
    struct write *write = context;
    struct store_written other;
    TRY(store_put(tx, write->pair[0], STORE_UPDATED, NULL, write->arena, NULL, &write->written));
    return store_put(tx, write->pair[1], STORE_UPDATED, NULL, write->arena, NULL, &other);
}

static struct store_draft *draft(struct arena *arena, const char *id, uint32_t version,
                                 uint64_t filler)
{
    struct json json;
    struct store_draft *made = NULL;
    char text[64];
    random_uuid(text);
    const char *body =
        arena_print(arena,
                    "{\"resourceType\":\"Basic\",\"id\":\"%s\",\"language\":\"v%u\",\"subject\":"
                    "{\"reference\":\"Patient/p%u\"},\"text\":{\"div\":\"%*s\"}}",
                    id, version, version % 7, (int)(filler % 3000), text);
    must(json_read(slice_text(body), &json_limits_default, arena, NULL, &json), "json");
    must(store_draft_make(store, resource_type_find(definitions, SLICE("Basic")), slice_text(id),
                          json.root, SLICE(""), arena, NULL, &made),
         "draft");
    return made;
}

static void *write_until_dark(void *context)
{
    size_t thread = (size_t)(uintptr_t)context;
    struct random random;
    struct arena *arena = arena_create(0);
    random_seed(&random, (uint64_t)getpid(), thread);
    for (;;) {
        arena_reset(arena, 0);
        size_t key = (size_t)random_below(&random, KEYS / THREADS) * THREADS + thread;
        uint32_t version = atomic_load(&shared->asked[key]) + 1;
        struct write write = {.arena = arena};
        uint64_t filler = random_next(&random);
        write.pair[0] = draft(arena, arena_print(arena, "a%zu", key), version, filler);
        write.pair[1] = draft(arena, arena_print(arena, "b%zu", key), version, filler);
        atomic_store(&shared->asked[key], version);
        must(store_write(store, write_pair, &write), "write");
        atomic_store(&shared->acknowledged[key], version);
    }
    return NULL;
}

static _Noreturn void round_run(uint64_t seed, const char *ignored)
{
    struct random random;
    random_seed(&random, seed, 1);
    if (!power_install()) {
        _exit(1);
    }
    if (!power_ignore_syncs(ignored)) {
        _exit(1);
    }
    power_cut_after(1 + random_below(&random, random_below(&random, 4) == 0 ? 60 : 3000), seed);
    store = open_store(POWER_VFS);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, write_until_dark, (void *)(uintptr_t)i) != 0) {
            _exit(1);
        }
    }
    pthread_join(threads[0], NULL);
    _exit(1);
}

/* ---- what is left -------------------------------------------------------------------------------
 */

static uint32_t version_of(struct store_reader *reader, struct arena *arena, const char *id)
{
    struct store_version version;
    enum status status = store_read_now(reader, resource_type_find(definitions, SLICE("Basic")),
                                        slice_text(id), arena, &version);
    if (status == STATUS_NOT_FOUND) {
        return 0;
    }
    must(status, "read");
    return version.version;
}

static bool verify(uint64_t seed)
{
    struct arena *arena = arena_create(0);
    struct outcome outcome;
    struct store_reader *reader = NULL;
    bool fine = true;
    outcome_init(&outcome, arena);
    store = open_store(NULL);
    must(store_reader_open(store, &reader), "reader");
    for (size_t key = 0; key < KEYS; key++) {
        uint32_t a = version_of(reader, arena, arena_print(arena, "a%zu", key));
        uint32_t b = version_of(reader, arena, arena_print(arena, "b%zu", key));
        uint32_t acknowledged = atomic_load(&shared->acknowledged[key]);
        if (a != b || a < acknowledged || a > atomic_load(&shared->asked[key])) {
            printf("# round %llu, key %zu: versions %u and %u, acknowledged %u\n",
                   (unsigned long long)seed, key, a, b, acknowledged);
            fine = false;
        }
        atomic_store(&shared->acknowledged[key], a);
        atomic_store(&shared->asked[key], a);
    }
    if (store_check(store, NULL, NULL, &outcome) != STATUS_OK) {
        printf("# round %llu: check found faults\n", (unsigned long long)seed);
        fine = false;
    }
    store_reader_close(reader);
    store_close(store);
    arena_destroy(arena);
    return fine;
}

/* Each step in a process of its own, so that a store that cannot even be opened is a result. */
static int in_child(void (*run)(uint64_t seed, const char *ignored), uint64_t seed,
                    const char *ignored)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        run(seed, ignored);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void verify_run(uint64_t seed, const char *ignored)
{
    (void)ignored;
    bool fine = verify(seed);
    fflush(NULL);
    _exit(fine ? 0 : 1);
}

static void round_child(uint64_t seed, const char *ignored)
{
    round_run(seed, ignored);
}

int main(int count, char **arguments)
{
    uint64_t rounds = count > 1 ? strtoull(arguments[1], NULL, 10) : 20;
    uint64_t seed = count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
    const char *ignored = count > 3 ? arguments[3] : NULL;
    const char *root = getenv("TMPDIR"), *path = getenv("CARELAYER_DEFINITIONS");
    snprintf(folder, sizeof(folder), "%s/carelayer-power-XXXXXX", root != NULL ? root : "/tmp");
    log_level_set(LOG_ERROR);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || mkdtemp(folder) == NULL || path == NULL ||
        definitions_open(path, NULL, &definitions) != STATUS_OK) {
        fprintf(stderr, "store_power: cannot start (is CARELAYER_DEFINITIONS set?)\n");
        return 1;
    }
    printf("TAP version 13\n1..1\n");
    uint64_t bad = 0, done = 0;
    for (; done < rounds && bad == 0; done++) {
        int cut = in_child(round_child, seed + done, ignored);
        if (cut != POWER_EXIT) {
            printf("# round %llu ended with %d before its cut\n", (unsigned long long)(seed + done),
                   cut);
            bad++;
        }
        bad += in_child(verify_run, seed + done, NULL) != 0;
    }
    uint64_t versions = 0;
    for (size_t key = 0; key < KEYS; key++) {
        versions += atomic_load(&shared->acknowledged[key]);
    }
    printf("# %llu rounds, %llu pairs written\n", (unsigned long long)done,
           (unsigned long long)versions);
    printf("%s 1 - a power cut loses nothing acknowledged and leaves nothing half\n",
           bad == 0 ? "ok" : "not ok");
    static const char *const names[] = {"records.db", "records.db-wal", "records.db-shm",
                                        "records.lock"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && bad == 0; i++) {
        char file[300];
        snprintf(file, sizeof(file), "%s/%s", folder, names[i]);
        unlink(file);
    }
    rmdir(folder);
    definitions_close(definitions);
    return bad == 0 ? 0 : 1;
}
