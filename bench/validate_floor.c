/* SPDX-License-Identifier: MIT */
/* carelayer-floor-validate: structural and full validation beside yyjson parsing the same bytes,
 * turn and turn about in one process, so that all meet the same machine. Validation's time includes
 * the parsing that comes before it: the figure is bytes of file a second, from text to verdict. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/base.h"
#include "fhir/fhir.h"
#include "terms/terms.h"
#include "validate/validate.h"

#define EXIT_BAD     1
#define EXIT_USAGE   2
#define FILE_MAX     ((size_t)1 << 30)
#define ROUNDS       5
#define ROUND_MICROS (MICROS_PER_SECOND / 4)

struct input {
    struct slice text;
    uint64_t resources; /* it holds, itself included when it is no Bundle */
};

static void die(const char *what)
{
    fprintf(stderr, "carelayer-floor-validate: %s\n", what);
    exit(EXIT_BAD);
}

static struct slice load(const char *path, struct arena *arena)
{
    struct slice bytes;
    if (disk_read_file(path, FILE_MAX, arena, &bytes) != STATUS_OK) {
        die("a file cannot be read");
    }
    if (bytes.length < 2 || memcmp(bytes.at, "\x1f\x8b", 2) != 0) {
        return bytes;
    }
    struct buffer text = {.arena = arena};
    if (gzip_inflate(bytes, FILE_MAX, &text) != STATUS_OK || !buffer_ok(&text)) {
        die("a file is not whole gzip");
    }
    return buffer_slice(&text);
}

/* Plain yyjson without options, in memory that is warm: the floor. */
static void parse(const struct input *input, struct slice pool)
{
    yyjson_alc allocator;
    if (!yyjson_alc_pool_init(&allocator, (void *)(uintptr_t)pool.at, pool.length)) {
        die("no memory to parse in");
    }
    /* Without YYJSON_READ_INSITU the input is only read. */
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)input->text.at, input->text.length,
                                       YYJSON_READ_NOFLAG, &allocator, NULL);
    if (doc == NULL) {
        die("a file is not JSON");
    }
    yyjson_doc_free(doc);
}

/* Room to parse the longest of the inputs, touched. */
static struct slice make_pool(const struct input *inputs, size_t count, struct arena *arena)
{
    size_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        longest = inputs[i].text.length > longest ? inputs[i].text.length : longest;
    }
    size_t size = yyjson_read_max_memory_usage(longest, YYJSON_READ_NOFLAG) + 4096;
    char *pool = arena_alloc(arena, size);
    if (pool == NULL) {
        die("no memory to parse in");
    }
    memset(pool, 1, size);
    return slice_of(pool, size);
}

/* What validation is done with; without conformance it is of structure only. */
struct rules {
    struct definitions *definitions;
    struct conformance *conformance;
    struct terms *terms;
    struct validator *validator;
};

static uint32_t validate(const struct input *input, const struct rules *rules, bool full,
                         struct arena *arena)
{
    struct outcome outcome;
    struct json json;
    resource_type type;
    arena_reset(arena, 0);
    outcome_init(&outcome, arena);
    if (json_read(input->text, &json_limits_default, arena, &outcome, &json) != STATUS_OK) {
        die("a file is not JSON within the limits");
    }
    struct validate_options options = {.definitions = rules->definitions};
    if (full) {
        options.validator = rules->validator;
    }
    enum status status =
        validate_resource(&options, &json, json.root, SLICE(""), arena, &outcome, &type);
    return status == STATUS_OK ? 0 : outcome.errors;
}

struct measure {
    double seconds; /* of this thread's own CPU time: others on the machine do not count */
    uint64_t bytes, resources;
};

static double cpu_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void add(struct measure *measure, const struct input *input, double begin)
{
    measure->seconds += cpu_now() - begin;
    measure->bytes += input->text.length;
    measure->resources += input->resources;
}

/* Each input one way and then the other, until the round's time is over. */
static void run_round(const struct input *inputs, size_t count, const struct rules *rules,
                      struct slice pool, struct arena *arena, struct measure *ret_floor,
                      struct measure *ret_ours, struct measure *ret_full)
{
    *ret_floor = *ret_ours = *ret_full = (struct measure){0};
    int64_t end = time_monotonic() + ROUND_MICROS;
    do {
        for (size_t i = 0; i < count; i++) {
            parse(&inputs[i], pool); /* untimed: both find the text in the processor's cache */
            double begin = cpu_now();
            parse(&inputs[i], pool);
            add(ret_floor, &inputs[i], begin);
            begin = cpu_now();
            (void)validate(&inputs[i], rules, false, arena);
            add(ret_ours, &inputs[i], begin);
            begin = cpu_now();
            (void)validate(&inputs[i], rules, true, arena);
            add(ret_full, &inputs[i], begin);
        }
    } while (time_monotonic() < end);
}

static void load_inputs(char **paths, size_t count, struct arena *arena, struct input *inputs)
{
    for (size_t i = 0; i < count; i++) {
        struct json json;
        inputs[i].text = load(paths[i], arena);
        struct arena *own = arena_create(0);
        if (own == NULL ||
            json_read(inputs[i].text, &json_limits_default, own, NULL, &json) != STATUS_OK) {
            die("a file is not JSON within the limits");
        }
        inputs[i].resources = 1 + yyjson_arr_size(json_get(json.root, "entry"));
        arena_destroy(own);
    }
}

static int by_ratio(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static double rate(const struct measure *measure)
{
    return (double)measure->bytes / measure->seconds / 1e6;
}

static int run(const struct rules *rules, char **paths, size_t count)
{
    struct arena *arena = arena_create(0);
    struct arena *work = arena_create(0);
    struct input *inputs = arena != NULL ? arena_array(arena, count, sizeof *inputs) : NULL;
    if (inputs == NULL || work == NULL) {
        die("no memory");
    }
    load_inputs(paths, count, arena, inputs);
    struct slice pool = make_pool(inputs, count, arena);
    uint64_t errors = 0, full_errors = 0;
    for (size_t i = 0; i < count; i++) {
        errors += validate(&inputs[i], rules, false, work);
        full_errors += validate(&inputs[i], rules, true, work);
    }
    double ratios[ROUNDS], best_floor = 0, best_ours = 0, resources = 0, full_resources = 0;
    for (size_t i = 0; i < ROUNDS; i++) {
        struct measure floor, ours, full;
        run_round(inputs, count, rules, pool, work, &floor, &ours, &full);
        ratios[i] = rate(&ours) / rate(&floor);
        if (rate(&ours) > best_ours) {
            best_floor = rate(&floor);
            best_ours = rate(&ours);
            resources = (double)ours.resources / ours.seconds;
        }
        double full_rate = (double)full.resources / full.seconds;
        full_resources = full_rate > full_resources ? full_rate : full_resources;
    }
    qsort(ratios, ROUNDS, sizeof *ratios, by_ratio);
    printf("{\"files\":%zu,\"errors\":%llu,\"validate_mb_per_second\":%.1f,"
           "\"parse_mb_per_second\":%.1f,\"ratio\":%.4f,\"resources_per_second\":%.0f,"
           "\"full_errors\":%llu,\"full_resources_per_second\":%.0f}\n",
           count, (unsigned long long)errors, best_ours, best_floor, ratios[ROUNDS / 2], resources,
           (unsigned long long)full_errors, full_resources);
    arena_destroy(work);
    arena_destroy(arena);
    return EXIT_SUCCESS;
}

int main(int count, char **arguments)
{
    if (count < 3) {
        fputs("usage: carelayer-floor-validate DEFINITIONS FILE.json[.gz]...\n", stderr);
        return EXIT_USAGE;
    }
    struct arena *arena = arena_create((size_t)1 << 20);
    struct outcome outcome;
    struct rules rules;
    if (arena == NULL) {
        die("no memory");
    }
    outcome_init(&outcome, arena);
    if (definitions_open(arguments[1], &outcome, &rules.definitions) != STATUS_OK ||
        conformance_open(rules.definitions, &rules.conformance) != STATUS_OK ||
        terms_open(rules.conformance, &outcome, &rules.terms) != STATUS_OK ||
        validator_open(rules.definitions, rules.conformance, rules.terms, &rules.validator) !=
            STATUS_OK) {
        die("the definitions cannot be opened");
    }
    int code = run(&rules, arguments + 2, (size_t)count - 2);
    validator_close(rules.validator);
    terms_close(rules.terms);
    conformance_close(rules.conformance);
    definitions_close(rules.definitions);
    arena_destroy(arena);
    return code;
}
