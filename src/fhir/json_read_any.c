/* SPDX-License-Identifier: MIT */
/* A resource in JSON, and all that is wrong with its JSON when it is none. */
#include "fhir/json_broken_int.h"
#include "fhir/walk_int.h"

/* ---- where ------------------------------------------------------------------------------------
 */

static bool holds(const yyjson_val *value, const yyjson_val *inner)
{
    bool container = (value->tag & 6) == 6; /* arrays are 110 and objects 111 */
    const char *end = (const char *)value + (container ? value->uni.ofs : sizeof *value);
    return (const char *)inner >= (const char *)value && (const char *)inner < end;
}

static void write_step(const struct element_tables *tables, const struct element_row *element,
                       struct buffer *out)
{
    struct slice name = table_text(tables, element->name);
    buffer_add_byte(out, '.');
    buffer_add(out, slice_head(name, element->stem_length));
    if ((element->flags & ELEMENT_CHOICE) != 0) {
        struct slice type = table_text(tables, element_type_row(tables, element)->name);
        buffer_print(out, ".ofType(%.*s)", SLICE_ARGS(type));
    }
}

/* Looks at members and items, for all the faults of a text; past it paths are left out. */
#define STEPS_MOST 8000000u

/* The path to INNER, from ROOT, of TYPE (NULL: unknown), down as far as the definitions know the
 * members on the way. */
static struct slice path_to(const struct definitions *definitions, yyjson_val *root,
                            const struct type_row *type, const yyjson_val *inner,
                            struct arena *arena, size_t *steps)
{
    const struct element_tables *tables = definitions_tables(definitions);
    struct buffer out = {.arena = arena};
    yyjson_val *at = root;
    if (type != NULL) {
        buffer_add(&out, table_text(tables, type->name));
    }
    while (type != NULL && yyjson_is_obj(at) && at != inner) {
        const struct element_row *element = NULL;
        size_t i, max;
        yyjson_val *key, *value, *item, *next = NULL;
        bool sibling;
        yyjson_obj_foreach(at, i, max, key, value)
        {
            if (holds(value, inner)) {
                element = member_element(tables, type, json_string(key), &sibling);
                next = value;
                break;
            }
        }
        *steps += i + yyjson_arr_size(next);
        if (*steps > STEPS_MOST) {
            return (struct slice){NULL, 0};
        }
        if (element == NULL) {
            break;
        }
        write_step(tables, element, &out);
        if (yyjson_is_arr(next)) {
            yyjson_val *array = next;
            yyjson_arr_foreach(array, i, max, item)
            {
                if (holds(item, inner)) {
                    buffer_print(&out, "[%zu]", i);
                    next = item;
                    break;
                }
            }
        }
        type = object_type(definitions, element_type_row(tables, element), next);
        at = next;
    }
    return buffer_slice(&out);
}

/* ---- the whole --------------------------------------------------------------------------------
 */

static bool begin(struct mender *mender, struct slice text, const struct json_limits *limits,
                  struct arena *arena, struct json *ret_json)
{
    if (slice_starts(text, SLICE("\xEF\xBB\xBF"))) {
        text = slice_from(text, 3);
    }
    mender->text = text;
    mender->arena = arena;
    mender->comments = limits->comments;
    mender->value_limit = limits->values;
    mender->depth_limit = limits->depth < JSON_DEPTH_MOST ? limits->depth : JSON_DEPTH_MOST;
    bool fine = json_begin(text, arena, ret_json);
    mender->pool = (char *)(uintptr_t)ret_json->pool;
    return fine;
}

static void tell_faults(const struct definitions *definitions, const struct mender *mender,
                        const struct json *json, struct outcome *outcome)
{
    yyjson_val *root = mender->values;
    resource_type resource = resource_type_find(definitions, json_get_string(root, "resourceType"));
    const struct type_row *type = resource != RESOURCE_TYPE_NONE
                                      ? resource_row(definitions_tables(definitions), resource)
                                      : NULL;
    size_t steps = 0;
    for (size_t i = 0; i < mender->fault_count; i++) {
        const struct mender_fault *fault = &mender->faults[i];
        struct issue issue = {.severity = SEVERITY_ERROR,
                              .code = status_issue(STATUS_STRUCTURE),
                              .rule = SLICE("json"),
                              .text = slice_text(fault->text)};
        uint32_t value = fault->value < mender->count ? fault->value : 0;
        issue.path = path_to(definitions, root, type, root + value, outcome->arena, &steps);
        json_offset_position(json, fault->offset, &issue.line, &issue.column);
        outcome_add(outcome, &issue);
    }
}

/* Everything that keeps TEXT from being JSON; false: nothing can be said of it here. */
static bool mend(const struct definitions *definitions, struct slice text,
                 const struct json_limits *limits, struct arena *arena, struct outcome *outcome,
                 struct json *ret_json)
{
    struct mender *mender = ARENA_NEW(arena, struct mender);
    struct json json;
    if (arena_limit(arena) > 0 && text.length > arena_limit(arena) / 4) {
        return false;
    }
    if (mender == NULL || !begin(mender, text, limits, arena, &json) || !mender_read(mender) ||
        mender->fault_count == 0 || arena_full(arena)) {
        return false;
    }
    tell_faults(definitions, mender, &json, outcome);
    yyjson_doc *doc = ARENA_NEW(arena, yyjson_doc);
    if (mender->whole && doc != NULL) {
        *doc = (yyjson_doc){
            .root = mender->values, .dat_read = json.text.length, .val_read = mender->count};
        json.doc = doc;
        json.root = mender->values;
        *ret_json = json;
    }
    return true;
}

enum status resource_read_json(const struct definitions *definitions, struct slice text,
                               const struct json_limits *limits, struct arena *arena,
                               struct outcome *outcome, struct json *ret_json)
{
    if (outcome == NULL) {
        return json_read(text, limits, arena, NULL, ret_json);
    }
    struct arena_mark mark = arena_mark(arena);
    enum status status = json_read(text, limits, arena, NULL, ret_json);
    if (status != STATUS_STRUCTURE || arena_full(arena)) {
        return status == STATUS_OK ? status : json_read(text, limits, arena, outcome, ret_json);
    }
    arena_rewind(arena, mark);
    if (mend(definitions, text, limits, arena, outcome, ret_json)) {
        return status;
    }
    return json_read(text, limits, arena, outcome, ret_json);
}

enum status resource_read_any(const struct definitions *definitions, struct slice text,
                              const struct json_limits *limits, struct arena *arena,
                              struct outcome *outcome, struct json *ret_json)
{
    return xml_is_likely(text)
               ? xml_read(definitions, text, limits, arena, outcome, ret_json)
               : resource_read_json(definitions, text, limits, arena, outcome, ret_json);
}
