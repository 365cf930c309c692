/* SPDX-License-Identifier: MIT */
/* Expressions from outside: what compiles is asked of a small resource, of none, and leniently. */
#include <stdlib.h>

#include "fhirpath/fhirpath.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char patient[] =
    "{\"resourceType\":\"Patient\",\"id\":\"p\",\"active\":true,\"birthDate\":\"1974-12-25\","
    "\"_birthDate\":{\"extension\":[{\"url\":\"http://x\",\"valueQuantity\":{\"value\":1.5,"
    "\"unit\":\"kg\"}}]},\"name\":[{\"given\":[\"a\",null],\"_given\":[null,{\"id\":\"g\"}]},"
    "{\"family\":\"b\"}],\"contained\":[{\"resourceType\":\"Organization\",\"id\":\"o\"}],"
    "\"managingOrganization\":{\"reference\":\"#o\"},\"multipleBirthInteger\":2}";

static struct definitions *definitions;

static void ask(struct slice text, bool with_resource, unsigned flags)
{
    struct arena *arena = arena_create((size_t)8 << 20);
    struct outcome outcome;
    struct json json;
    const struct fhirpath *compiled;
    struct fhirpath_environment environment = {.definitions = definitions, .step_limit = 20000};
    if (arena == NULL) {
        return;
    }
    outcome_init(&outcome, arena);
    enum status status = json_read(SLICE(patient), &json_limits_default, arena, &outcome, &json);
    resource_type type = resource_type_find(definitions, SLICE("Patient"));
    struct fhirpath_node root = fhirpath_root(definitions, type, json.root);
    if (status == STATUS_OK && fhirpath_compile(definitions, text, with_resource ? root.type : NULL,
                                                flags, arena, &outcome, &compiled) == STATUS_OK) {
        struct fhirpath_collection values;
        struct buffer out = {.arena = arena};
        status = fhirpath_evaluate(compiled, &environment, with_resource ? &root : NULL, arena,
                                   &outcome, &values);
        for (size_t i = 0; status == STATUS_OK && i < values.count; i++) {
            fhirpath_write(&values.items[i], &out);
            if (values.items[i].kind == FHIRPATH_NODE) {
                fhirpath_write_path(definitions, &values.items[i].node, &out);
            }
        }
    }
    if (status != STATUS_OK && outcome.errors == 0 && !arena_full(arena)) {
        abort(); /* an error without words */
    }
    arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size);
    const char *path = getenv("CARELAYER_DEFINITIONS");
    if (definitions == NULL &&
        (path == NULL || definitions_open(path, NULL, &definitions) != STATUS_OK)) {
        return 0;
    }
    ask(text, true, 0);
    ask(text, true, FHIRPATH_LENIENT);
    ask(text, false, 0);
    return 0;
}
