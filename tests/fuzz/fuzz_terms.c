/* SPDX-License-Identifier: MIT */
/* Terminology from outside. The first byte says what the rest is: an expression constraint ('e'),
 * the Parameters of an operation ('0' to '7'), a release's zip ('z'), or its concepts and
 * relationships
 * ('c', 'r'). An answer must be JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "terms/terms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ANSWER_ROOM ((size_t)32 << 20)

static struct definitions *definitions;
static struct conformance *conformance;
static struct terms *terms;
static char folder[256], source[300];

static void write_file(const char *name, struct slice text)
{
    char path[400];
    (void)snprintf(path, sizeof path, "%s/%s", source, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(text.at, 1, text.length, file) != text.length) {
        abort();
    }
    (void)fclose(file);
}

#define CONCEPTS      "sct2_Concept_Snapshot_GB_20250101.txt"
#define RELATIONSHIPS "sct2_Relationship_Snapshot_GB_20250101.txt"

static void load(const char *path)
{
    struct arena *arena = arena_create((size_t)64 << 20);
    struct outcome outcome;
    const char *name;
    outcome_init(&outcome, arena);
    (void)terms_load(path, folder, &outcome, arena, &name);
    arena_destroy(arena);
}

static void write_small_release(void)
{
    write_file(CONCEPTS, SLICE("h\n138875005\t20250101\t1\t900000000000207008\t900000000000074008\n"
                               "64572001\t20250101\t1\t900000000000207008\t900000000000074008\n"
                               "73211009\t20250101\t1\t900000000000207008\t900000000000074008\n"
                               "116680003\t20250101\t1\t900000000000207008\t900000000000074008\n"));
    write_file(
        RELATIONSHIPS,
        SLICE("h\n1\t20250101\t1\t1\t73211009\t64572001\t0\t116680003\t900000000000011006\t1\n"
              "2\t20250101\t1\t1\t73211009\t138875005\t1\t64572001\t900000000000011006\t1\n"
              "3\t20250101\t1\t1\t73211009\t#5\t1\t64572001\t900000000000011006\t1\n"));
}

static void start(void)
{
    const char *blob = getenv("CARELAYER_DEFINITIONS");
    const char *root = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/carelayer-fuzz-XXXXXX",
                   root != NULL ? root : P_tmpdir);
    if (blob == NULL || mkdtemp(folder) == NULL ||
        definitions_open(blob, NULL, &definitions) != STATUS_OK ||
        conformance_open(definitions, &conformance) != STATUS_OK ||
        terms_open(conformance, NULL, &terms) != STATUS_OK) {
        abort();
    }
    (void)snprintf(source, sizeof source, "%s/source", folder);
    if (disk_make_directory(source) != STATUS_OK) {
        abort();
    }
    write_small_release();
    load(source);
    terms_use_releases(terms, folder);
}

static void ask(enum terms_operation operation, struct slice parameters)
{
    struct arena *arena = arena_create(ANSWER_ROOM);
    struct terms_question question = {.operation = operation};
    struct terms_parameter *all;
    struct buffer out = {.arena = arena};
    struct json json;
    int http;
    if (json_read(parameters, &json_limits_default, arena, NULL, &json) == STATUS_OK &&
        terms_parameters_read(json.root, arena, &all, &question.count) == STATUS_OK) {
        question.parameters = all;
        if (terms_answer(terms, &question, arena, &out, &http) == STATUS_OK &&
            json_read(buffer_slice(&out), &json_limits_default, arena, NULL, &json) ==
                STATUS_STRUCTURE) {
            abort();
        }
    }
    arena_destroy(arena);
}

static void ask_expression(struct slice text)
{
    struct arena *arena = arena_create(ANSWER_ROOM);
    struct buffer parameters = {.arena = arena};
    buffer_add_text(&parameters, "{\"parameter\":[{\"name\":\"url\",\"valueUri\":"
                                 "\"http://snomed.info/sct?fhir_vs=ecl/");
    buffer_add_url(&parameters, text, false);
    buffer_add_text(&parameters, "\"}]}");
    ask(TERMS_EXPAND, buffer_slice(&parameters));
    arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (terms == NULL) {
        start();
    }
    if (size == 0) {
        return 0;
    }
    struct slice rest = slice_of((const char *)data + 1, size - 1);
    if (data[0] >= '0' && data[0] <= '7') {
        ask((enum terms_operation)(data[0] - '0'), rest);
    } else if (data[0] == 'z') {
        char path[400];
        write_file("release.zip", rest);
        (void)snprintf(path, sizeof path, "%s/release.zip", source);
        load(path);
    } else if (data[0] == 'c' || data[0] == 'r') {
        write_file(data[0] == 'c' ? CONCEPTS : RELATIONSHIPS, rest);
        load(source);
        write_small_release();
    } else {
        ask_expression(rest);
    }
    return 0;
}
