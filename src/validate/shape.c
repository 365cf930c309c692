/* SPDX-License-Identifier: MIT */
/* Rules of single data types that the definitions give as prose or invariants and that every
 * reader relies on: references, extensions, required bindings, contained resources. */
#include "validate/validate_int.h"

/* ---- contained resources ----------------------------------------------------------------------
 */

/* The slot of an id: the resource's, or the free one where it would go. */
static size_t id_slot(const struct container *container, struct slice id)
{
    size_t slot = slice_hash(id) & container->mask;
    while (container->ids[slot] != NULL &&
           !slice_equals(json_get_string(container->ids[slot], "id"), id)) {
        slot = (slot + 1) & container->mask;
    }
    return slot;
}

void check_contained(struct checker *checker, const struct frame *frame,
                     struct container *container)
{
    size_t size = 8;
    while (size < yyjson_arr_size(container->contained) * 2) {
        size *= 2;
    }
    container->mask = size - 1;
    container->ids = arena_array(checker->arena, size, sizeof(yyjson_val *));
    if (container->ids == NULL) {
        return;
    }
    container->ready = true;
    size_t i, max;
    yyjson_val *resource;
    yyjson_arr_foreach(container->contained, i, max, resource)
    {
        struct slice id = json_get_string(resource, "id");
        if (id.length == 0) {
            continue;
        }
        size_t slot = id_slot(container, id);
        if (container->ids[slot] != NULL) {
            report(checker, frame, json_get(resource, "id"), RULE_CONTAINED,
                   "Two contained resources have one id: give each its own.");
        } else {
            container->ids[slot] = resource;
        }
    }
}

/* ---- references -------------------------------------------------------------------------------
 */

static bool may_target(const struct checker *checker, const struct element_row *element,
                       resource_type type)
{
    for (uint16_t i = 0; i < element->target_count; i++) {
        if (checker->tables->targets[element->first_target + i] == type) {
            return true;
        }
    }
    return element->target_count == 0;
}

static void check_target(struct checker *checker, const struct frame *frame, yyjson_val *text,
                         resource_type type)
{
    if (type != RESOURCE_TYPE_NONE && !may_target(checker, frame->element, type)) {
        report(checker, frame, text, RULE_TARGET,
               say(checker, "A reference to %.*s may not stand here.",
                   SLICE_ARGS(resource_type_name(checker->definitions, type))));
    }
}

static void check_fragment(struct checker *checker, const struct frame *frame, yyjson_val *text,
                           struct slice id)
{
    const struct container *container = checker->container;
    if (id.length == 0) {
        return; /* "#": the container itself */
    }
    yyjson_val *resource = container->ready ? container->ids[id_slot(container, id)] : NULL;
    if (resource == NULL) {
        /* A container may be named by its own id from within (R4 references.html). */
        if (checker->inside_contained && slice_equals(json_get_string(container->root, "id"), id)) {
            return;
        }
        report(checker, frame, text, RULE_REFERENCE,
               "No contained resource has the id that this reference names.");
        return;
    }
    check_target(
        checker, frame, text,
        resource_type_find(checker->definitions, json_get_string(resource, "resourceType")));
}

#define STRUCTURE_PREFIX "http://hl7.org/fhir/StructureDefinition/"

void check_reference(struct checker *checker, const struct frame *frame, yyjson_val *reference)
{
    yyjson_val *text = NULL, *type = NULL;
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(reference, i, max, key, value)
    {
        const char *name = yyjson_get_str(key);
        if (yyjson_get_len(key) == 9 && memcmp(name, "reference", 9) == 0) {
            text = value;
        } else if (yyjson_get_len(key) == 4 && memcmp(name, "type", 4) == 0) {
            type = value;
        }
    }
    if (yyjson_get_len(text) == 0 || !yyjson_is_str(text)) {
        return; /* none, or reported as an empty or mistyped string already */
    }
    struct reference parsed =
        reference_parse(checker->definitions, json_string(text), (struct slice){NULL, 0});
    if (parsed.kind == REFERENCE_BROKEN) {
        report(checker, frame, text, RULE_REFERENCE,
               "Write a reference as Type/id, Type/id/_history/version, an absolute URL, "
               "urn:uuid:, urn:oid:, or # and the id of a contained resource.");
        return;
    }
    if (parsed.kind == REFERENCE_FRAGMENT) {
        check_fragment(checker, frame, text, parsed.id);
    } else if (parsed.kind == REFERENCE_LOCAL || parsed.kind == REFERENCE_QUERY) {
        check_target(checker, frame, text, parsed.type);
        struct slice stated = json_string(type), prefix = SLICE(STRUCTURE_PREFIX);
        if (slice_starts(stated, prefix)) {
            stated = slice_from(stated, prefix.length);
        }
        if (stated.length > 0 &&
            !slice_equals(stated, resource_type_name(checker->definitions, parsed.type))) {
            report(checker, frame, type, RULE_TARGET,
                   "Reference.type and the type in Reference.reference differ.");
        }
    }
}

/* ---- identifiers ---- */

void check_identifier(struct checker *checker, const struct frame *frame, yyjson_val *identifier)
{
    yyjson_val *value = json_get(identifier, "value");
    struct slice number = json_string(value);
    if (number.length == 10 && slice_starts(number, SLICE("999")) &&
        slice_is(json_get_string(identifier, "system"), "https://fhir.nhs.uk/Id/nhs-number")) {
        report(checker, frame, value, RULE_TEST_NUMBER,
               "NHS numbers that begin with 999 are for demonstrations and tests: give the "
               "person's own number, or switch test-numbers on where everybody is made up.");
    }
}

/* ---- extensions -------------------------------------------------------------------------------
 */

static bool is_absolute(struct slice url)
{
    size_t colon = slice_index(url, ':');
    return colon > 0 && colon < url.length && slice_index(url, '/') > colon;
}

void check_extension(struct checker *checker, const struct frame *frame, yyjson_val *extension,
                     uint64_t seen)
{
    bool value = (seen & checker->extension_value) != 0;
    bool nested = (seen & checker->extension_nested) != 0;
    if (value == nested) {
        report(checker, frame, extension, RULE_EXTENSION,
               value ? "An extension has a value or extensions of its own, not both."
                     : "An extension needs a value or extensions of its own.");
    }
    const struct frame *up = frame->up;
    bool inner = up->element != NULL && up->element->fhir_type == FHIR_TYPE_EXTENSION;
    struct slice url = json_get_string(extension, "url");
    if (!inner && url.length > 0 && !is_absolute(url)) {
        report(checker, frame, json_get(extension, "url"), RULE_EXTENSION,
               "The url of an extension is absolute; only extensions within an extension have a "
               "plain name.");
    }
}

/* ---- bindings ---------------------------------------------------------------------------------
 */

static void report_code(struct checker *checker, const struct frame *frame, yyjson_val *at,
                        const struct code_set_row *set)
{
    report(checker, frame, at, RULE_BINDING,
           say(checker, "Give a code of the value set %.*s, with its system where there is one.",
               SLICE_ARGS(table_text(checker->tables, set->url))));
}

static bool coding_fits(const struct checker *checker, const struct code_set_row *set,
                        yyjson_val *coding)
{
    struct slice code = json_get_string(coding, "code");
    struct slice system = json_get_string(coding, "system");
    return code.length > 0 && system.length > 0 && code_set_has(checker->tables, set, code, system);
}

static bool concept_fits(const struct checker *checker, const struct code_set_row *set,
                         yyjson_val *concept)
{
    size_t i, max;
    yyjson_val *coding;
    yyjson_arr_foreach(json_get(concept, "coding"), i, max, coding)
    {
        if (coding_fits(checker, set, coding)) {
            return true;
        }
    }
    return false;
}

void check_binding(struct checker *checker, const struct frame *frame, yyjson_val *value)
{
    const struct code_set_row *set = &checker->tables->code_sets[frame->element->code_set - 1];
    /* Without a code an extension may say why (data-absent-reason). */
    bool excused = yyjson_is_obj(value) && json_get(value, "extension") != NULL;
    switch (frame->element->fhir_type) {
    case FHIR_TYPE_CODING:
        if (!coding_fits(checker, set, value) && !(excused && json_get(value, "code") == NULL)) {
            report_code(checker, frame, value, set);
        }
        break;
    case FHIR_TYPE_CODEABLECONCEPT:
        if (!concept_fits(checker, set, value) && !(excused && json_get(value, "coding") == NULL)) {
            report_code(checker, frame, value, set);
        }
        break;
    case FHIR_TYPE_QUANTITY:
        if (json_get(value, "code") != NULL && !coding_fits(checker, set, value)) {
            report_code(checker, frame, value, set);
        }
        break;
    default:
        if (yyjson_is_str(value) && yyjson_get_len(value) > 0 &&
            !code_set_has(checker->tables, set, json_string(value), (struct slice){NULL, 0})) {
            report_code(checker, frame, value, set);
        }
    }
}
