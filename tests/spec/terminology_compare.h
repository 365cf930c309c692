/* SPDX-License-Identifier: MIT */
/* Comparing an answer with what a terminology test expects: neither arrays nor members have an
 * order, and $words$ of the expected file allow for what differs between servers. */
#ifndef CARELAYER_TESTS_SPEC_TERMINOLOGY_COMPARE_H
#define CARELAYER_TESTS_SPEC_TERMINOLOGY_COMPARE_H

#include "base/base.h"

#define R5_PROPERTY                                                                                \
    "http://hl7.org/fhir/5.0/StructureDefinition/extension-ValueSet.expansion.property"
#define R5_CONTAINS_PROPERTY                                                                       \
    "http://hl7.org/fhir/5.0/StructureDefinition/extension-ValueSet.expansion.contains.property"

/* ---- R4 to R5 ---------------------------------------------------------------------------------
 */

/* {"url":...,"extension":[{"url":"code","valueCode":c},{"url":"uri","valueUri":u}]} becomes
 * {"code":c,"uri":u}; the value keeps its type. */
static inline yyjson_mut_val *as_property(yyjson_mut_doc *doc, yyjson_val *extension)
{
    yyjson_mut_val *property = yyjson_mut_obj(doc);
    size_t at, max, inner, count;
    yyjson_val *part, *name, *value;
    yyjson_arr_foreach(json_get(extension, "extension"), at, max, part)
    {
        struct slice url = json_get_string(part, "url");
        yyjson_obj_foreach(part, inner, count, name, value)
        {
            if (slice_starts(json_string(name), SLICE("value"))) {
                const char *key = slice_is(url, "value") ? yyjson_get_str(name) : url.at;
                yyjson_mut_obj_add(property, yyjson_mut_strcpy(doc, key),
                                   yyjson_val_mut_copy(doc, value));
            }
        }
    }
    return property;
}

static inline yyjson_mut_val *converted(yyjson_mut_doc *doc, yyjson_val *value);

static inline void convert_object(yyjson_mut_doc *doc, yyjson_val *value, yyjson_mut_val *object)
{
    size_t at, max, inner, count;
    yyjson_val *name, *member, *extension;
    yyjson_mut_val *properties = yyjson_mut_arr(doc), *extensions = yyjson_mut_arr(doc);
    yyjson_obj_foreach(value, at, max, name, member)
    {
        if (!slice_is(json_string(name), "extension")) {
            yyjson_mut_obj_add(object, yyjson_val_mut_copy(doc, name), converted(doc, member));
            continue;
        }
        yyjson_arr_foreach(member, inner, count, extension)
        {
            struct slice url = json_get_string(extension, "url");
            if (slice_is(url, R5_PROPERTY) || slice_is(url, R5_CONTAINS_PROPERTY)) {
                yyjson_mut_arr_append(properties, as_property(doc, extension));
            } else {
                yyjson_mut_arr_append(extensions, converted(doc, extension));
            }
        }
    }
    if (yyjson_mut_arr_size(properties) > 0) {
        yyjson_mut_obj_add_val(doc, object, "property", properties);
    }
    if (yyjson_mut_arr_size(extensions) > 0) {
        yyjson_mut_obj_add_val(doc, object, "extension", extensions);
    }
}

static inline yyjson_mut_val *converted(yyjson_mut_doc *doc, yyjson_val *value)
{
    size_t at, max;
    yyjson_val *member;
    if (yyjson_is_arr(value)) {
        yyjson_mut_val *array = yyjson_mut_arr(doc);
        yyjson_arr_foreach(value, at, max, member)
        {
            yyjson_mut_arr_append(array, converted(doc, member));
        }
        return array;
    }
    if (!yyjson_is_obj(value)) {
        return yyjson_val_mut_copy(doc, value);
    }
    yyjson_mut_val *object = yyjson_mut_obj(doc);
    convert_object(doc, value, object);
    return object;
}

static inline yyjson_val *as_r5(yyjson_val *value, struct arena *arena)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(json_allocator(arena));
    yyjson_mut_doc_set_root(doc, converted(doc, value));
    struct buffer out = {.arena = arena};
    struct json json;
    json_write_mutable(yyjson_mut_doc_get_root(doc), &out);
    return json_read(buffer_slice(&out), &json_limits_default, arena, NULL, &json) == STATUS_OK
               ? json.root
               : NULL;
}

/* ---- comparing --------------------------------------------------------------------------------
 */

static inline bool has(struct slice text, struct slice part)
{
    for (size_t i = 0; i + part.length <= text.length; i++) {
        if (slice_equals(slice_of(text.at + i, part.length), part)) {
            return true;
        }
    }
    return part.length == 0;
}

/* "$choice:a|b$", "$fragments:a|b$", "$external:1:a$", "$uuid$": does the text fit? */
static inline bool fits_word(struct slice word, struct slice text)
{
    struct slice inside = slice_of(word.at + 1, word.length - 2);
    struct slice kind = slice_head(inside, slice_index(inside, ':'));
    struct slice rest = slice_from(inside, kind.length + 1);
    if (slice_is(kind, "choice")) {
        while (rest.at != NULL) {
            if (slice_equals(slice_cut(&rest, '|'), text)) {
                return true;
            }
        }
        return false;
    }
    if (slice_is(kind, "fragments")) {
        while (rest.at != NULL) {
            if (!has(text, slice_cut(&rest, '|'))) {
                return false;
            }
        }
        return true;
    }
    if (slice_is(kind, "external")) { /* words of the server's own, about this */
        return has(text, slice_from(rest, slice_index(rest, ':') + 1));
    }
    if (slice_is(kind, "uuid")) {
        return slice_starts(text, SLICE("urn:uuid:")) && text.length == 45;
    }
    if (slice_is(kind, "instant")) {
        return slice_index(text, 'T') == 10;
    }
    return text.length > 0;
}

static inline bool fits_text(struct slice expected, struct slice text)
{
    size_t first = slice_index(expected, '$');
    if (first == 0 && expected.length >= 2 && expected.at[expected.length - 1] == '$') {
        return expected.length == 2 || fits_word(expected, text);
    }
    if (slice_ends(expected, SLICE("$version$"))) {
        return slice_starts(text, slice_head(expected, expected.length - 9));
    }
    return slice_equals(expected, text);
}

/* May what is expected be missing? "!tx.fhir.org": where it is not that server; "warning:x" always;
 * "version:4": in R4, too, as R5 and R4 have different parts. */
static inline bool is_optional(yyjson_val *expected)
{
    return json_get(expected, "$optional$") != NULL;
}

static inline bool compare_at(yyjson_val *expected, yyjson_val *actual, const char *path,
                              struct arena *arena, struct buffer *why);

static inline bool differs(struct buffer *why, const char *path, const char *what)
{
    if (why != NULL) {
        buffer_print(why, "%s %s", path, what);
    }
    return false;
}

/* `location` is what `expression` was called before; a file may have one or both. */
static inline bool is_location(struct slice name, yyjson_val *object)
{
    return slice_is(name, "location") && json_get(object, "expression") != NULL;
}

static inline bool compare_objects(yyjson_val *expected, yyjson_val *actual, const char *path,
                                   struct arena *arena, struct buffer *why)
{
    size_t at, max;
    yyjson_val *name, *value;
    yyjson_obj_foreach(expected, at, max, name, value)
    {
        struct slice key = json_string(name);
        const char *below = arena_print(arena, "%s.%.*s", path, SLICE_ARGS(key));
        yyjson_val *other = json_get(actual, key.at);
        if (key.at[0] == '$') {
            continue;
        }
        if (other == NULL) {
            bool optional = false;
            size_t inner, count;
            yyjson_val *item;
            yyjson_arr_foreach(json_get(expected, "$optional-properties$"), inner, count, item)
            {
                optional |= slice_equals(json_string(item), key);
            }
            optional |= yyjson_is_obj(value) && is_optional(value);
            if (yyjson_is_arr(value)) {
                bool all = true;
                yyjson_arr_foreach(value, inner, count, item)
                {
                    all &= is_optional(item);
                }
                optional |= all;
            }
            if (!optional && !is_location(key, actual)) {
                return differs(why, below, "is missing");
            }
        } else if (!compare_at(value, other, below, arena, why)) {
            return false;
        }
    }
    yyjson_obj_foreach(actual, at, max, name, value)
    {
        struct slice key = json_string(name);
        bool optional = false;
        size_t inner, count;
        yyjson_val *item;
        yyjson_arr_foreach(json_get(expected, "$optional-properties$"), inner, count, item)
        {
            optional |= slice_equals(json_string(item), key);
        }
        if (json_get(expected, key.at) == NULL && !optional && !is_location(key, actual)) {
            return differs(why, arena_print(arena, "%s.%.*s", path, SLICE_ARGS(key)),
                           "is not expected");
        }
    }
    return true;
}

/* Each expected item that is not optional has one of its own, and no other is left over. */
static inline bool compare_arrays(yyjson_val *expected, yyjson_val *actual, const char *path,
                                  struct arena *arena, struct buffer *why)
{
    size_t count = yyjson_arr_size(actual), at, max;
    bool *taken = arena_array(arena, count + 1, sizeof *taken);
    yyjson_val *item;
    yyjson_arr_foreach(expected, at, max, item)
    {
        bool found = false;
        for (size_t i = 0; i < count && !found; i++) {
            struct arena_mark mark = arena_mark(arena);
            if (!taken[i] && compare_at(item, yyjson_arr_get(actual, i), path, arena, NULL)) {
                taken[i] = found = true;
            }
            arena_rewind(arena, mark);
        }
        if (!found && !is_optional(item)) {
            if (why != NULL && count > at) { /* the one in its place says most */
                (void)compare_at(item, yyjson_arr_get(actual, at),
                                 arena_print(arena, "%s[%zu]", path, at), arena, why);
                buffer_add_text(why, "; ");
            }
            return differs(why, arena_print(arena, "%s[%zu]", path, at), "has no match");
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!taken[i]) {
            return differs(why, arena_print(arena, "%s[%zu]", path, i), "is one too many");
        }
    }
    return true;
}

static inline bool compare_at(yyjson_val *expected, yyjson_val *actual, const char *path,
                              struct arena *arena, struct buffer *why)
{
    if (yyjson_is_obj(expected)) {
        return yyjson_is_obj(actual) ? compare_objects(expected, actual, path, arena, why)
                                     : differs(why, path, "is no object");
    }
    if (yyjson_is_arr(expected)) {
        return yyjson_is_arr(actual) ? compare_arrays(expected, actual, path, arena, why)
                                     : differs(why, path, "is no array");
    }
    if (yyjson_is_bool(expected)) {
        return yyjson_is_bool(actual) && yyjson_get_bool(expected) == yyjson_get_bool(actual)
                   ? true
                   : differs(why, path, "differs");
    }
    struct slice left = json_string(expected), right = json_string(actual);
    if (left.at == NULL) {
        left = json_number(expected);
        right = json_number(actual);
    }
    return fits_text(left, right) ? true : differs(why, path, "differs");
}

static inline bool compare(yyjson_val *expected, yyjson_val *actual, struct arena *arena,
                           struct buffer *why)
{
    return compare_at(expected, actual, "", arena, why);
}

#endif
