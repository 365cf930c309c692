/* SPDX-License-Identifier: MIT */
/* XML and JSON of the same resource: every example of the R4 specification from JSON to XML and
 * back, every XML example of the suites to JSON and back. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "fhir/compile_int.h"

#define PACKAGE ".cache/definitions/hl7.fhir.r4.examples-4.0.1.tgz"

struct tally {
    const struct definitions *definitions;
    unsigned done, wrong, skipped, refused;
    size_t xml_bytes;
    unsigned seen, stride; /* every so many of the specification's examples */
};

static const struct json_limits limits = {
    .bytes = (size_t)256 << 20, .depth = 200, .values = 40000000};

static void complain(struct tally *tally, struct slice name, const char *what,
                     const struct outcome *outcome)
{
    printf("%.*s %s", SLICE_ARGS(name), what);
    if (outcome != NULL && outcome->first != NULL) {
        const struct issue *issue = outcome->first;
        printf(": %u:%u %.*s: %.*s", issue->line, issue->column, SLICE_ARGS(issue->path),
               SLICE_ARGS(issue->text));
    }
    printf("\n");
    tally->wrong++;
}

/* ---- from JSON --------------------------------------------------------------------------------
 */

/* An object as XML writes it: members in one order, primitives whose values are all null without
 * them. Enough to compare two documents that say the same. */
static bool says_nothing(yyjson_val *value)
{
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(value, i, max, item)
    {
        if (!yyjson_is_null(item)) {
            return false;
        }
    }
    return yyjson_is_arr(value);
}

static bool same(yyjson_val *a, yyjson_val *b);

static bool same_arrays(yyjson_val *a, yyjson_val *b)
{
    yyjson_arr_iter left, right;
    yyjson_arr_iter_init(a, &left);
    yyjson_arr_iter_init(b, &right);
    while (yyjson_arr_iter_has_next(&left) || yyjson_arr_iter_has_next(&right)) {
        yyjson_val *one = yyjson_arr_iter_next(&left);
        yyjson_val *other = yyjson_arr_iter_next(&right);
        bool empty = (one == NULL || yyjson_is_null(one)) &&
                     (other == NULL || yyjson_is_null(other)); /* `_x` may be shorter than x */
        if (!empty && (one == NULL || other == NULL || !same(one, other))) {
            return false;
        }
    }
    return true;
}

static bool covers(yyjson_val *a, yyjson_val *b)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(a, i, max, key, value)
    {
        yyjson_val *other = yyjson_obj_getn(b, yyjson_get_str(key), yyjson_get_len(key));
        if (!says_nothing(value) && (other == NULL || !same(value, other))) {
            return false;
        }
    }
    return true;
}

static bool same(yyjson_val *a, yyjson_val *b)
{
    if (yyjson_is_obj(a) && yyjson_is_obj(b)) {
        return covers(a, b) && covers(b, a);
    }
    return yyjson_is_arr(a) && yyjson_is_arr(b) ? same_arrays(a, b) : yyjson_equals(a, b);
}

static void from_json(struct tally *tally, struct slice name, struct slice text)
{
    struct arena *arena = arena_create(0);
    struct outcome outcome;
    struct json first, second, third;
    struct buffer xml = {.arena = arena}, again = {.arena = arena};
    struct buffer second_text = {.arena = arena}, third_text = {.arena = arena};
    outcome_init(&outcome, arena);
    if (json_read(text, &limits, arena, &outcome, &first) != STATUS_OK ||
        resource_type_find(tally->definitions, json_get_string(first.root, "resourceType")) ==
            RESOURCE_TYPE_NONE) {
        tally->skipped++; /* an index of the package */
    } else if (xml_write(tally->definitions, first.root, false, &outcome, &xml) != STATUS_OK) {
        complain(tally, name, "cannot be written", &outcome);
    } else if (xml_read(tally->definitions, buffer_slice(&xml), &limits, arena, &outcome,
                        &second) != STATUS_OK) {
        complain(tally, name, "cannot be read back", &outcome);
    } else if (!same(first.root, second.root)) {
        complain(tally, name, "says something else in XML", NULL);
    } else if (xml_write(tally->definitions, second.root, true, &outcome, &again) != STATUS_OK ||
               xml_read(tally->definitions, buffer_slice(&again), &limits, arena, &outcome,
                        &third) != STATUS_OK) {
        complain(tally, name, "cannot be read when it is indented", &outcome);
    } else {
        json_write(second.root, NULL, NULL, &second_text);
        json_write(third.root, NULL, NULL, &third_text);
        if (!slice_equals(buffer_slice(&second_text), buffer_slice(&third_text))) {
            complain(tally, name, "changes with its indentation", NULL);
        }
        tally->xml_bytes += xml.length;
        tally->done++;
    }
    arena_destroy(arena);
}

static enum status visit(void *context, struct slice name, struct slice text)
{
    struct tally *tally = context;
    if (tally->seen++ % tally->stride == 0) {
        from_json(tally, name, text);
    }
    return STATUS_OK;
}

/* ---- from XML ---------------------------------------------------------------------------------
 */

/* Files whose only fault is the order of their elements are read whole. */
static bool only_order(const struct outcome *outcome)
{
    const struct issue *issue = outcome->first;
    while (issue != NULL && slice_is(issue->rule, "order")) {
        issue = issue->next;
    }
    return issue == NULL;
}

/* To JSON and back: the JSON of what is read again is the same, byte by byte. */
static void from_xml(struct tally *tally, const char *path, bool bad)
{
    struct arena *arena = arena_create(0);
    struct outcome outcome;
    struct slice text = {NULL, 0}, name = slice_text(path);
    struct json first, second, middle;
    struct buffer json = {.arena = arena}, again = {.arena = arena}, xml = {.arena = arena};
    outcome_init(&outcome, arena);
    enum status status = disk_read_file(path, (size_t)64 << 20, arena, &text);
    if (status == STATUS_OK) {
        status = xml_read(tally->definitions, text, &limits, arena, &outcome, &first);
    }
    if (bad != (status != STATUS_OK && !only_order(&outcome)) || (!bad && first.root == NULL)) {
        complain(tally, name, bad ? "must be refused" : "cannot be read", &outcome);
    }
    tally->refused += status != STATUS_OK;
    if (bad || first.root == NULL) {
        arena_destroy(arena);
        return;
    }
    json_write(first.root, NULL, NULL, &json);
    if (json_read(buffer_slice(&json), &limits, arena, &outcome, &middle) != STATUS_OK ||
        xml_write(tally->definitions, middle.root, true, &outcome, &xml) != STATUS_OK ||
        xml_read(tally->definitions, buffer_slice(&xml), &limits, arena, &outcome, &second) !=
            STATUS_OK) {
        complain(tally, name, "does not come back", &outcome);
    } else {
        json_write(second.root, NULL, NULL, &again);
        if (status == STATUS_OK && !slice_equals(buffer_slice(&json), buffer_slice(&again))) {
            complain(tally, name, "comes back changed", NULL);
        }
        if (!same(first.root, second.root)) {
            complain(tally, name, "says something else", NULL);
        }
        tally->xml_bytes += text.length;
        tally->done++;
    }
    arena_destroy(arena);
}

/* Files of the validation suite that are no FHIR XML, on purpose. */
static bool is_known_bad(const char *name)
{
    static const char *const bad[] = {
        "xml-bad-entities.xml",                     /* an entity that only HTML knows */
        "patient-extension-bad2.xml",               /* an empty attribute */
        "bundle-dual-subject.xml",                  /* one element too many */
        "patient-id-only.xml",                      /* an element with an id and nothing else */
        "Observation-ex-pain.xml",                  /* an attribute that there is not */
        "capabilitystatement-measure-processor.xml" /* an element that R4 does not have */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (strcmp(bad[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void folder(struct tally *tally, const char *suites, const char *name)
{
    char path[8192];
    (void)snprintf(path, sizeof path, "%s/%s", suites, name);
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (slice_ends(slice_text(entry->d_name), SLICE(".xml"))) {
            (void)snprintf(path, sizeof path, "%s/%s/%s", suites, name, entry->d_name);
            from_xml(tally, path, is_known_bad(entry->d_name));
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
}

int main(int count, char **arguments)
{
    const char *suites = getenv("CARELAYER_SUITES");
    suites = suites != NULL ? suites : count > 1 ? arguments[1] : ".";
    struct definitions *definitions;
    if (definitions_open(getenv("CARELAYER_DEFINITIONS"), NULL, &definitions) != STATUS_OK) {
        return 1;
    }
    struct tally json = {.definitions = definitions, .stride = count > 2 ? 1 : 10};
    struct tally xml = {.definitions = definitions};
    if (package_read(PACKAGE, visit, &json, NULL) != STATUS_OK) {
        json.wrong++;
    }
    folder(&xml, suites, "ukcore-examples");
    folder(&xml, suites, "validator");
    definitions_close(definitions);
    printf("%u resources to XML and back (%zu bytes), %u files passed over; "
           "%u files of XML to JSON and back, %u with faults; %u wrong\n",
           json.done, json.xml_bytes, json.skipped, xml.done, xml.refused, json.wrong + xml.wrong);
    return json.wrong + xml.wrong > 0 ? 1 : 0;
}
