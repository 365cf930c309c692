/* SPDX-License-Identifier: MIT */
/* Expressions in a loop: the cases of suites/fhirpath, and invariants of R4. Prints a line of JSON:
 * nanoseconds an evaluation. bench/fhirpath runs it beside another engine.
 *
 * usage: carelayer-bench-fhirpath BLOB SUITE MILLISECONDS [CASE...] */
#include <stdio.h>
#include <stdlib.h>

#include "fhirpath/fhirpath.h"

#define FILE_LIMIT ((size_t)64 << 20)
#define CASES_MOST 2000
#define TURN       10000 /* microseconds, as in bench/fhirpath */

static struct definitions *definitions;
static struct arena *lasting;

struct work {
    struct slice id;
    const struct fhirpath *expression;
    struct fhirpath_node focus;
    bool has_focus;
};

static yyjson_val *read_file(const char *path)
{
    struct slice text;
    struct json *json = ARENA_NEW(lasting, struct json);
    if (disk_read_file(path, FILE_LIMIT, lasting, &text) != STATUS_OK ||
        (resource_read_any(definitions, text, &json_limits_default, lasting, NULL, json) !=
             STATUS_OK &&
         json_read(text, &json_limits_default, lasting, NULL, json) != STATUS_OK)) {
        return NULL;
    }
    return json->root;
}

static bool prepare(struct work *work, struct slice expression, yyjson_val *resource,
                    unsigned flags)
{
    const struct type_row *type = NULL;
    if (resource != NULL) {
        work->focus = fhirpath_root(
            definitions, resource_type_find(definitions, json_get_string(resource, "resourceType")),
            resource);
        work->has_focus = true;
        type = work->focus.type;
    }
    return fhirpath_compile(definitions, expression, type, flags, lasting, NULL,
                            &work->expression) == STATUS_OK;
}

/* The cases that end without an error. */
static size_t read_cases(const char *suite, struct work *works)
{
    size_t count = 0, i, max;
    yyjson_val *test;
    yyjson_val *cases = read_file(arena_print(lasting, "%s/cases.json", suite));
    yyjson_arr_foreach(cases, i, max, test)
    {
        struct slice file = json_get_string(test, "file");
        file = slice_head(file, slice_index(file, '.')); /* the other engine reads JSON only */
        struct work *work = &works[count];
        if (!yyjson_is_null(json_get(test, "mustFail")) ||
            yyjson_is_true(json_get(test, "contested")) || count == CASES_MOST) {
            continue;
        }
        yyjson_val *resource = NULL;
        if (file.length > 0) {
            resource =
                read_file(arena_print(lasting, "%s/input/%.*s.json", suite, SLICE_ARGS(file)));
            if (resource == NULL) {
                continue;
            }
        }
        *work = (struct work){.id = json_get_string(test, "id")};
        count += prepare(work, json_get_string(test, "expression"), resource, 0) ? 1 : 0;
    }
    return count;
}

static void evaluate_all(const struct work *works, size_t count, bool test, struct arena *arena)
{
    const struct fhirpath_environment environment = {.definitions = definitions, .now = time_now()};
    for (size_t i = 0; i < count; i++) {
        struct fhirpath_collection values;
        bool truth;
        struct arena_mark mark = arena_mark(arena);
        const struct fhirpath_node *focus = works[i].has_focus ? &works[i].focus : NULL;
        enum status status =
            test
                ? fhirpath_test(works[i].expression, &environment, focus, arena, NULL, &truth)
                : fhirpath_evaluate(works[i].expression, &environment, focus, arena, NULL, &values);
        if (status != STATUS_OK) {
            (void)fprintf(stderr, "%.*s: %s\n", SLICE_ARGS(works[i].id), status_name(status));
            exit(1);
        }
        arena_rewind(arena, mark);
    }
}

/* Nanoseconds of one evaluation of each of them, in the best of short turns: in the others the
 * machine did something else too. */
static double measure(const struct work *works, size_t count, int64_t microseconds, bool test)
{
    struct arena *arena = arena_create((size_t)64 << 20);
    double best = 0;
    int64_t first = time_monotonic(), start = first, now = first;
    evaluate_all(works, count, test, arena);
    while (now - first < microseconds) {
        uint64_t rounds = 0;
        for (start = now; now - start < TURN && now - first < microseconds; rounds++) {
            evaluate_all(works, count, test, arena);
            now = time_monotonic();
        }
        double mean = (double)(now - start) * 1000.0 / (double)rounds;
        best = best == 0 || mean < best ? mean : best;
    }
    arena_destroy(arena);
    return best;
}

/* What every Patient is asked (R4 patient.html, domainresource.html), and its elements. */
static size_t read_invariants(const char *suite, struct work *works)
{
    static const char *const invariants[] = {
        "contained.contained.empty()",
        "contained.meta.versionId.empty() and contained.meta.lastUpdated.empty()",
        "contained.where((('#'+id in (%resource.descendants().reference | "
        "%resource.descendants().as(canonical) | %resource.descendants().as(uri) | "
        "%resource.descendants().as(url))) or descendants().where(reference = '#').exists() or "
        "descendants().where(as(canonical) = '#').exists() or "
        "descendants().where(as(canonical) = '#').exists()).not()).trace('unmatched', id).empty()",
        "contained.meta.security.empty()",
        "text.`div`.exists()",
        "contact.all(name.exists() or telecom.exists() or address.exists() or "
        "organization.exists())",
        "identifier.period.all(start.hasValue().not() or end.hasValue().not() or (start <= end))",
        "telecom.all(value.empty() or system.exists())",
        "name.all(hasValue() or (children().count() > id.count()))",
        "extension.all(extension.exists() != value.exists())",
        "managingOrganization.all(reference.startsWith('#').not() or "
        "(reference.substring(1).trace('url') in %rootResource.contained.id.trace('ids')))"};
    size_t count = 0;
    yyjson_val *resource = read_file(arena_print(lasting, "%s/input/patient-example.json", suite));
    for (size_t i = 0; resource != NULL && i < sizeof invariants / sizeof invariants[0]; i++) {
        works[count] = (struct work){.id = slice_text(invariants[i])};
        count += prepare(&works[count], slice_text(invariants[i]), resource, FHIRPATH_LENIENT);
    }
    return count;
}

static void list_slowest(const struct work *works, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)printf("%8.0f %.*s\n", measure(&works[i], 1, 2000, false), SLICE_ARGS(works[i].id));
    }
}

/* All cases; those that read the resource, with their names; the invariants. */
static void print_all(struct work *works, size_t count, const char *suite, int64_t microseconds)
{
    size_t reading = 0;
    double all = measure(works, count, microseconds, false) / (double)count;
    (void)printf("{\"cases\":%zu,\"nanoseconds\":%.1f,\"reading\":[", count, all);
    for (size_t i = 0; i < count; i++) {
        if (!fhirpath_is_constant(works[i].expression)) {
            works[reading++] = works[i];
            (void)printf("%s\"%.*s\"", reading > 1 ? "," : "", SLICE_ARGS(works[i].id));
        }
    }
    double others = measure(works, reading, microseconds, false) / (double)reading;
    count = read_invariants(suite, works);
    (void)printf("],\"nanoseconds_of_reading\":%.1f,\"invariants\":%zu,"
                 "\"nanoseconds_of_invariants\":%.0f}\n",
                 others, count, measure(works, count, microseconds, true));
}

int main(int argc, char **argv)
{
    uint64_t milliseconds = 0;
    if (argc < 4 || !slice_to_unsigned(slice_text(argv[3]), 60000, &milliseconds)) {
        (void)fputs("usage: carelayer-bench-fhirpath BLOB SUITE MILLISECONDS [list]\n", stderr);
        return 2;
    }
    lasting = arena_create(0);
    if (lasting == NULL || definitions_open(argv[1], NULL, &definitions) != STATUS_OK) {
        (void)fputs("carelayer-bench-fhirpath: the definitions cannot be opened\n", stderr);
        return 3;
    }
    struct work *works = arena_array(lasting, CASES_MOST, sizeof *works);
    size_t count = read_cases(argv[2], works);
    if (argc > 4) {
        list_slowest(works, count);
    } else {
        print_all(works, count, argv[2], (int64_t)milliseconds * 1000);
    }
    definitions_close(definitions);
    arena_destroy(lasting);
    return 0;
}
