/* SPDX-License-Identifier: MIT */
/* Rounds of a service that loses its power, or is killed, at a random point. The process that
 * counts them is the world outside: it remembers what was acknowledged and answered. Each round and
 * each look at what is left is a process of its own.
 *
 *   power [--rounds N] [--seed N] [--folder ROUNDS] [--ignore SYNC] [--die-at SYNC]
 *         [--kill] [--list]
 *
 *   --folder   rounds before a fresh data folder
 *   --ignore   a sync that does nothing, to show that it is needed (names: --list)
 *   --die-at   a sync just before which a process dies at the beginning of each round
 *   --kill     end each round with SIGKILL; the disk keeps its power */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

static struct world world = {.seed = 1};
static struct random dice;
static bool kills;
static int dies_at = -1; /* an enum power_sync: each round begins with a death there */
static uint64_t totals[TOLD_FAILED + 1], deaths;

/* ---- names --------------------------------------------------------------------------------------
 */

uint64_t world_hash(struct slice bytes)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < bytes.length; i++) {
        hash = (hash ^ (uint8_t)bytes.at[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static const char *const types[3] = {"Patient", "Observation", "Condition"};

struct name world_name(const struct told *told, uint32_t part)
{
    struct name name = {.type = types[part % 3]};
    snprintf(name.id, sizeof name.id, "k%u", told->key);
    return name;
}

struct name world_imported(uint32_t file, uint32_t bundle, uint32_t part)
{
    struct name name = {.type = types[part % 3]};
    snprintf(name.id, sizeof name.id, "i%u-%u", file, bundle);
    return name;
}

void world_import_path(const struct world *of, uint32_t file, char ret_path[static 256])
{
    snprintf(ret_path, 256, "%s/import-%u.ndjson", of->root, file);
}

void world_backup_path(const struct world *of, uint32_t number, char ret_path[static 256])
{
    snprintf(ret_path, 256, "%s/backup/%u.db", of->root, number);
}

/* ---- files --------------------------------------------------------------------------------------
 */

static void fail(const char *what)
{
    fprintf(stderr, "power: %s\n", what);
    exit(1);
}

static void remove_tree(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char name[600];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlink(name) != 0) {
            remove_tree(name);
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
    rmdir(path);
}

/* Units of an import are 500 lines: most of them are empty, so that a unit is eight transactions.
 */
static void write_import(uint32_t number)
{
    char path[256];
    world_import_path(&world, number, path);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        fail("cannot write");
    }
    for (uint32_t bundle = 0; bundle < WORLD_BUNDLES; bundle++) {
        struct name name = world_imported(number, bundle, 0);
        fprintf(
            file,
            "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":["
            "{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"%s\"}},"
            "{\"resource\":{\"resourceType\":\"Observation\",\"id\":\"%s\",\"status\":\"final\","
            "\"code\":{\"text\":\"c\"},\"subject\":{\"reference\":\"Patient/%s\"}}},"
            "{\"resource\":{\"resourceType\":\"Condition\",\"id\":\"%s\",\"subject\":"
            "{\"reference\":\"Patient/%s\"}}}]}\n",
            name.id, name.id, name.id, name.id, name.id);
        for (int i = 0; bundle % 8 == 7 && i < 492; i++) {
            fputc('\n', file);
        }
    }
    if (fclose(file) != 0) {
        fail("cannot write");
    }
}

static void fresh_folder(void)
{
    static uint32_t number;
    remove_tree(world.folder);
    snprintf(world.folder, sizeof world.folder, "%s/data-%u", world.root, ++number);
    world.told_count = world.round_begins = 0;
    world.import = 0;
}

/* ---- processes ----------------------------------------------------------------------------------
 */

static void remember(const struct told *told)
{
    if (world.told_count == world.told_capacity) {
        world.told_capacity = world.told_capacity * 2 + 4096;
        world.told = realloc(world.told, world.told_capacity * sizeof *world.told);
        if (world.told == NULL) {
            fail("no memory");
        }
    }
    world.told[world.told_count++] = *told;
    totals[told->kind]++;
    if (told->kind == TOLD_IMPORTED && told->key >= world.import) {
        world.import = told->key + 1;
    }
}

static _Noreturn void run_child(int pipe)
{
    if (!kills && !power_install()) {
        _exit(1);
    }
    world_round(&world, pipe, kills);
}

/* Runs one process to its end and takes down what it tells. Gives its exit status. */
static int run_one(void)
{
    int ends[2], status = 0;
    fflush(NULL);
    if (pipe(ends) != 0) {
        fail("no pipe");
    }
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        run_child(ends[1]);
    }
    close(ends[1]);
    if (kills) {
        usleep(20000 + (useconds_t)random_below(&dice, 300000));
        kill(child, SIGKILL);
    }
    struct told told;
    ssize_t got;
    while ((got = read(ends[0], &told, sizeof told)) == (ssize_t)sizeof told) {
        remember(&told);
    }
    close(ends[0]);
    if (child < 0 || waitpid(child, &status, 0) != child) {
        fail("no process");
    }
    if (kills && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
        return POWER_EXIT;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static uint64_t some_operations(void)
{
    static const uint64_t most[] = {12, 200, 3000, 10000, 15000};
    return 1 + random_below(&dice, most[random_below(&dice, 5)]);
}

/* Half the time not anywhere but just before a sync, where most can be lost. */
static void choose_sync(bool dies)
{
    if (dies && dies_at >= 0) {
        power_stop_at_sync(dies_at, 1 + random_below(&dice, dies_at == POWER_batch ? 200
                                                            : dies_at == POWER_wal ? 60
                                                                                   : 3));
    } else if (random_below(&dice, 2) == 0) {
        power_stop_at_sync((int)random_below(&dice, POWER_SYNC_COUNT),
                           1 + random_below(&dice, random_below(&dice, 2) == 0 ? 2 : 40));
    }
}

/* The process dies now and then, and another goes on with what it left, before the power goes. */
static bool run_round(void)
{
    int status = 0;
    world.backs_up = random_below(&dice, 6) == 0;
    int deaths_first = dies_at >= 0 ? 1 : 0;
    if (dies_at < 0 && random_below(&dice, 3) == 0) {
        deaths_first = 1 + (int)random_below(&dice, 2);
    }
    for (; deaths_first > 0 && !kills; deaths_first--) {
        power_die_after(dies_at >= 0 ? 20000 : some_operations());
        choose_sync(true);
        status = run_one();
        if (status != POWER_DIED) {
            break;
        }
        deaths++;
        world.seed++;
    }
    if (status == 0 || status == POWER_DIED) {
        bool soon = dies_at >= 0 && dies_at != POWER_batch;
        power_cut_after(soon ? 1 + random_below(&dice, 400) : some_operations(), world.seed);
        choose_sync(false);
        status = run_one();
    }
    if (status != POWER_EXIT) {
        printf("# round %u ended with %d before its cut\n", world.round, status);
    }
    return status == POWER_EXIT;
}

static bool verify(bool everything)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        bool fine = world_verify(&world, everything);
        fflush(NULL);
        _exit(fine ? 0 : 1);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        fail("no process");
    }
    if (WIFSIGNALED(status)) {
        printf("# round %u: the look ended with signal %d\n", world.round, WTERMSIG(status));
    }
    world.round_begins = world.told_count;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- all ----------------------------------------------------------------------------------------
 */

static void list_syncs(void)
{
    for (int i = 0; i < POWER_SYNC_COUNT; i++) {
        printf("%s\t%s\n", power_sync_name((enum power_sync)i),
               power_sync_meaning((enum power_sync)i));
    }
}

static int find_sync(const char *name)
{
    for (int i = 0; i < POWER_SYNC_COUNT; i++) {
        if (strcmp(power_sync_name((enum power_sync)i), name) == 0) {
            return i;
        }
    }
    fail("no such sync");
    return -1;
}

static void prepare(void)
{
    const char *root = getenv("TMPDIR"), *path = getenv("CARELAYER_DEFINITIONS");
    char name[256];
    log_level_set(LOG_ERROR + 1);
    if (root == NULL) {
        root = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    }
    snprintf(world.root, sizeof world.root, "%s/carelayer-power-XXXXXX", root);
    if (mkdtemp(world.root) == NULL || path == NULL ||
        definitions_open(path, NULL, &world.definitions) != STATUS_OK) {
        fail("cannot start (is CARELAYER_DEFINITIONS set?)");
    }
    snprintf(name, sizeof name, "%s/backup", world.root);
    (void)mkdir(name, 0700);
    snprintf(name, sizeof name, "%s/replaced", world.root);
    (void)mkdir(name, 0700);
    snprintf(world.replaced, sizeof world.replaced, "%s/replaced/file", world.root);
    for (uint32_t i = 0; i < WORLD_IMPORTS; i++) {
        write_import(i);
    }
}

static void report(uint64_t rounds, int64_t micros, bool fine)
{
    printf("# %llu rounds, %llu processes that died before, %.0f s\n", (unsigned long long)rounds,
           (unsigned long long)deaths, (double)micros / 1e6);
    printf("# acknowledged: %llu puts, %llu deletes, %llu transactions, %llu imports; answered: "
           "%llu reads, %llu others\n",
           (unsigned long long)totals[TOLD_PUT], (unsigned long long)totals[TOLD_DELETED],
           (unsigned long long)totals[TOLD_TRANSACTION], (unsigned long long)totals[TOLD_IMPORTED],
           (unsigned long long)totals[TOLD_READ], (unsigned long long)totals[TOLD_LOOKED]);
    printf("# %llu files replaced, %llu backups\n", (unsigned long long)totals[TOLD_REPLACED],
           (unsigned long long)totals[TOLD_BACKUP]);
    printf("# syncs:");
    for (int i = 0; i < POWER_SYNC_COUNT; i++) {
        printf(" %s %llu", power_sync_name((enum power_sync)i),
               (unsigned long long)power_sync_count((enum power_sync)i));
    }
    printf("\n%s 1 - %s\n", fine ? "ok" : "not ok",
           kills ? "a_killed_service_loses_nothing_acknowledged"
                 : "a_power_cut_loses_nothing_acknowledged_or_answered");
}

int main(int count, char **arguments)
{
    uint64_t rounds = 25, a_folder = 25;
    for (int i = 1; i < count; i++) {
        const char *value = i + 1 < count ? arguments[i + 1] : "0";
        if (strcmp(arguments[i], "--list") == 0) {
            list_syncs();
            return 0;
        } else if (strcmp(arguments[i], "--kill") == 0) {
            kills = true;
            continue;
        } else if (strcmp(arguments[i], "--rounds") == 0) {
            rounds = strtoull(value, NULL, 10);
        } else if (strcmp(arguments[i], "--seed") == 0) {
            world.seed = strtoull(value, NULL, 10) * 1000000;
        } else if (strcmp(arguments[i], "--folder") == 0) {
            a_folder = strtoull(value, NULL, 10);
        } else if (strcmp(arguments[i], "--die-at") == 0) {
            dies_at = find_sync(value);
        } else if (strcmp(arguments[i], "--ignore") == 0) {
            world.ignored = value;
        } else {
            fail("see the head of power.c for its arguments");
        }
        i++;
    }
    if (!power_share() || !power_ignore_syncs(world.ignored)) {
        fail("no such sync, or no memory");
    }
    prepare();
    random_seed(&dice, world.seed, 0);
    printf("TAP version 13\n1..1\n");
    bool fine = true;
    int64_t begun = time_monotonic();
    for (uint64_t round = 0; round < rounds && fine; round++) {
        if (round % a_folder == 0) {
            fresh_folder();
        }
        world.round++;
        world.seed++;
        bool last = round % a_folder == a_folder - 1 || round + 1 == rounds;
        fine = run_round();
        fine = verify(last) && fine;
    }
    report(world.round, time_monotonic() - begun, fine);
    if (fine || world.ignored != NULL) {
        remove_tree(world.root);
    } else {
        printf("# what is left: %s\n", world.root);
    }
    free(world.told);
    definitions_close(world.definitions);
    return fine ? 0 : 1;
}
