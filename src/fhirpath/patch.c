/* SPDX-License-Identifier: MIT */
/* FHIRPath Patch (R4 fhirpatch.html). An operation's path is asked of the resource as it is by
 * then; the nodes found say which member of which object is changed in the copy that becomes the
 * result. A member is handled as a list of pairs, value and `_name` sibling, whether it repeats or
 * not. */
#include "fhirpath/fhirpath_int.h"

#define OPERATIONS_MOST 1000

struct patch {
    const struct definitions *definitions;
    const struct element_tables *tables;
    resource_type type;
    struct arena *arena;
    struct arena *scratch; /* of one operation */
    struct outcome *outcome;
    yyjson_mut_doc *doc;
    size_t index; /* of the operation */
};

/* The parts of an operation. */
struct operation_parts {
    struct slice type, path, name;
    yyjson_val *value; /* the part, whose value[x], resource or parts are the content */
    int64_t index, source, destination;
    bool has_index, has_source, has_destination;
};

static enum status malformed(struct patch *patch, const char *text)
{
    return outcome_fail(patch->outcome, STATUS_STRUCTURE, "", "Operation %zu of the patch: %s",
                        patch->index, text);
}

static enum status refused(struct patch *patch, const char *text)
{
    return outcome_fail(patch->outcome, STATUS_UNPROCESSABLE, "", "Operation %zu of the patch: %s",
                        patch->index, text);
}

/* ---- members as lists -------------------------------------------------------------------------
 */

struct pair {
    yyjson_mut_val *value, *sibling; /* NULL: not there */
};

struct pairs {
    yyjson_mut_val *object;
    struct slice name;
    bool array; /* the member repeats */
    struct pair *items;
    size_t count, capacity;
};

static struct slice sibling_name(struct patch *patch, struct slice name)
{
    return slice_text(arena_print(patch->scratch, "_%.*s", SLICE_ARGS(name)));
}

static yyjson_mut_val *item_of(yyjson_mut_val *member, size_t i)
{
    yyjson_mut_val *item = yyjson_mut_is_arr(member) ? yyjson_mut_arr_get(member, i)
                           : i == 0                  ? member
                                                     : NULL;
    return yyjson_mut_is_null(item) ? NULL : item;
}

static size_t length_of(yyjson_mut_val *member)
{
    return yyjson_mut_is_arr(member) ? yyjson_mut_arr_size(member) : member != NULL ? 1 : 0;
}

/* The pairs of a member, with room for one more. */
static enum status pairs_read(struct patch *patch, yyjson_mut_val *object,
                              const struct element_row *element, struct pairs *ret_pairs)
{
    struct slice name = table_text(patch->tables, element->name);
    struct slice beside = sibling_name(patch, name);
    yyjson_mut_val *value = yyjson_mut_obj_getn(object, name.at, name.length);
    yyjson_mut_val *sibling = yyjson_mut_obj_getn(object, beside.at, beside.length);
    size_t values = length_of(value), siblings = length_of(sibling);
    *ret_pairs = (struct pairs){.object = object,
                                .name = name,
                                .array = (element->flags & ELEMENT_ARRAY) != 0,
                                .count = values > siblings ? values : siblings};
    ret_pairs->capacity = ret_pairs->count + 1;
    ret_pairs->items = arena_array(patch->scratch, ret_pairs->capacity, sizeof *ret_pairs->items);
    if (ret_pairs->items == NULL) {
        return STATUS_TOO_COSTLY;
    }
    /* What repeats and stands there without its array goes into one: a copy of it does. */
    bool bare = ret_pairs->array && value != NULL && !yyjson_mut_is_arr(value);
    bool bare_sibling = ret_pairs->array && sibling != NULL && !yyjson_mut_is_arr(sibling);
    value = bare ? yyjson_mut_val_mut_copy(patch->doc, value) : value;
    sibling = bare_sibling ? yyjson_mut_val_mut_copy(patch->doc, sibling) : sibling;
    for (size_t i = 0; i < ret_pairs->count; i++) {
        ret_pairs->items[i] = (struct pair){item_of(value, i), item_of(sibling, i)};
    }
    return STATUS_OK;
}

static yyjson_mut_val *or_null(struct patch *patch, yyjson_mut_val *value)
{
    return value != NULL ? value : yyjson_mut_null(patch->doc);
}

/* One of the two members that the pairs are written as: gone when nothing is in it. */
static bool member_write(struct patch *patch, const struct pairs *pairs, struct slice name,
                         bool siblings)
{
    yyjson_mut_val *member = yyjson_mut_obj_getn(pairs->object, name.at, name.length);
    yyjson_mut_val *key = yyjson_mut_strncpy(patch->doc, name.at, name.length);
    yyjson_mut_val *array = yyjson_mut_arr(patch->doc), *last = NULL;
    for (size_t i = 0; i < pairs->count; i++) {
        yyjson_mut_val *item = siblings ? pairs->items[i].sibling : pairs->items[i].value;
        last = item != NULL ? item : last;
        if (pairs->array) {
            (void)yyjson_mut_arr_append(array, or_null(patch, item));
        }
    }
    if (last == NULL) {
        (void)yyjson_mut_obj_remove_keyn(pairs->object, name.at, name.length);
        return true;
    }
    /* A value is a link of the list that its object is: it must not be put where it stands. */
    return key != NULL && ((!pairs->array && member == last) ||
                           yyjson_mut_obj_put(pairs->object, key, pairs->array ? array : last));
}

static enum status pairs_write(struct patch *patch, const struct pairs *pairs)
{
    bool written = member_write(patch, pairs, pairs->name, false) &&
                   member_write(patch, pairs, sibling_name(patch, pairs->name), true);
    bool full = arena_full(patch->arena) || arena_full(patch->scratch);
    return written && !full ? STATUS_OK : STATUS_TOO_COSTLY;
}

static void pairs_insert(struct pairs *pairs, size_t at, struct pair pair)
{
    memmove(&pairs->items[at + 1], &pairs->items[at], (pairs->count - at) * sizeof pair);
    pairs->items[at] = pair;
    pairs->count++;
}

static struct pair pairs_remove(struct pairs *pairs, size_t at)
{
    struct pair pair = pairs->items[at];
    pairs->count--;
    memmove(&pairs->items[at], &pairs->items[at + 1], (pairs->count - at) * sizeof pair);
    return pair;
}

/* ---- from nodes to the copy -------------------------------------------------------------------
 */

/* The object in the copy that holds the members of NODE; of a primitive its sibling, which is made
 * when there is none. */
static enum status object_of(struct patch *patch, const struct fhirpath_node *node,
                             yyjson_mut_val **ret_object)
{
    struct pairs pairs;
    yyjson_mut_val *holder;
    if (node->parent == NULL) {
        *ret_object = yyjson_mut_doc_get_root(patch->doc);
        return STATUS_OK;
    }
    TRY(object_of(patch, node->parent, &holder));
    TRY(pairs_read(patch, holder, node->element, &pairs));
    if (node->index >= pairs.count) {
        return STATUS_INTERNAL;
    }
    struct pair *pair = &pairs.items[node->index];
    if (node->type->kind != TYPE_PRIMITIVE) {
        *ret_object = pair->value;
        return STATUS_OK;
    }
    if (pair->sibling == NULL) {
        pair->sibling = yyjson_mut_obj(patch->doc);
        TRY(pairs_write(patch, &pairs));
    }
    *ret_object = pair->sibling;
    return STATUS_OK;
}

/* No object may be empty: what lost its last member goes too, and so on upwards. */
static enum status prune(struct patch *patch, const struct fhirpath_node *node)
{
    yyjson_mut_val *holder;
    struct pairs pairs;
    if (node == NULL || node->parent == NULL) {
        return STATUS_OK;
    }
    TRY(object_of(patch, node->parent, &holder));
    TRY(pairs_read(patch, holder, node->element, &pairs));
    if (node->index >= pairs.count) {
        return STATUS_OK;
    }
    struct pair *pair = &pairs.items[node->index];
    bool empty_value = yyjson_mut_is_obj(pair->value) && yyjson_mut_obj_size(pair->value) == 0;
    bool empty_sibling =
        yyjson_mut_is_obj(pair->sibling) && yyjson_mut_obj_size(pair->sibling) == 0;
    if (!empty_value && !empty_sibling) {
        return STATUS_OK;
    }
    pair->value = empty_value ? NULL : pair->value;
    pair->sibling = empty_sibling ? NULL : pair->sibling;
    if (pair->value == NULL && pair->sibling == NULL) {
        (void)pairs_remove(&pairs, node->index);
    }
    TRY(pairs_write(patch, &pairs));
    return prune(patch, node->parent);
}

/* ---- content ----------------------------------------------------------------------------------
 */

static enum status content_members(struct patch *patch, const struct type_row *type,
                                   yyjson_val *part, unsigned depth, yyjson_mut_val *object);

/* The value[x] of a part: *RET_SUFFIX is what its name has behind "value". */
static yyjson_val *value_of(yyjson_val *part, struct slice *ret_suffix, yyjson_val **ret_sibling)
{
    size_t i, max;
    yyjson_val *key, *value, *found = NULL;
    *ret_sibling = NULL;
    *ret_suffix = (struct slice){NULL, 0};
    yyjson_obj_foreach(part, i, max, key, value)
    {
        struct slice name = slice_of(yyjson_get_str(key), yyjson_get_len(key));
        if (slice_starts(name, SLICE("value"))) {
            found = value;
            *ret_suffix = slice_from(name, 5);
        } else if (slice_starts(name, SLICE("_value"))) {
            *ret_sibling = value;
            *ret_suffix = slice_from(name, 6);
        }
    }
    return found;
}

/* The element NAME of TYPE that a content of type SUFFIX goes to; NULL: there is none. */
static const struct element_row *element_for(struct patch *patch, const struct type_row *type,
                                             struct slice name, struct slice suffix)
{
    const struct element_row *exact = type_find_element(patch->tables, type, name.at, name.length);
    if (exact != NULL) {
        return exact;
    }
    struct member member = type_member(patch->tables, type, name);
    if (member.first == NULL || suffix.length == 0) {
        return NULL;
    }
    const char *spelt = arena_print(patch->arena, "%.*s%.*s", SLICE_ARGS(name), SLICE_ARGS(suffix));
    return type_find_element(patch->tables, type, spelt, strlen(spelt));
}

/* What the part `value` of an operation, or a part inside of it, holds, as one pair. */
static enum status content_of(struct patch *patch, const struct element_row *element,
                              yyjson_val *part, unsigned depth, struct pair *ret_pair)
{
    struct slice suffix;
    yyjson_val *sibling;
    yyjson_val *value = value_of(part, &suffix, &sibling);
    yyjson_val *resource = json_get(part, "resource");
    value = value != NULL ? value : resource;
    *ret_pair = (struct pair){NULL, NULL};
    if (value != NULL || sibling != NULL) {
        ret_pair->value = value != NULL ? yyjson_val_mut_copy(patch->doc, value) : NULL;
        ret_pair->sibling = sibling != NULL ? yyjson_val_mut_copy(patch->doc, sibling) : NULL;
        return arena_full(patch->arena) ? STATUS_TOO_COSTLY : STATUS_OK;
    }
    if (yyjson_arr_size(json_get(part, "part")) == 0) {
        return malformed(patch, "the part value has neither a value, a resource nor parts.");
    }
    ret_pair->value = yyjson_mut_obj(patch->doc);
    return content_members(patch, element_type_row(patch->tables, element), part, depth,
                           ret_pair->value);
}

/* Parts of parts: an element of a type without a name (fhirpatch.html, "value"). */
static enum status content_members(struct patch *patch, const struct type_row *type,
                                   yyjson_val *part, unsigned depth, yyjson_mut_val *object)
{
    size_t i, max;
    yyjson_val *inner;
    if (depth > 32) {
        return malformed(patch, "its parts are nested too deeply.");
    }
    yyjson_arr_foreach(json_get(part, "part"), i, max, inner)
    {
        struct slice suffix;
        yyjson_val *sibling;
        struct pairs pairs;
        struct pair pair;
        (void)value_of(inner, &suffix, &sibling);
        const struct element_row *element =
            element_for(patch, type, json_get_string(inner, "name"), suffix);
        if (element == NULL) {
            return refused(patch, "a part of its value names no element of the type.");
        }
        TRY(content_of(patch, element, inner, depth + 1, &pair));
        TRY(pairs_read(patch, object, element, &pairs));
        pairs_insert(&pairs, pairs.count, pair);
        TRY(pairs_write(patch, &pairs));
    }
    return STATUS_OK;
}

/* ---- operations -------------------------------------------------------------------------------
 */

static enum status find(struct patch *patch, const struct operation_parts *parts,
                        struct fhirpath_collection *ret_nodes)
{
    const struct fhirpath *path;
    const struct fhirpath_environment environment = {.definitions = patch->definitions};
    yyjson_doc *current = yyjson_mut_doc_imut_copy(patch->doc, json_allocator(patch->scratch));
    if (current == NULL) {
        return STATUS_TOO_COSTLY;
    }
    struct fhirpath_node root =
        fhirpath_root(patch->definitions, patch->type, yyjson_doc_get_root(current));
    TRY(fhirpath_compile(patch->definitions, parts->path, root.type, 0, patch->scratch,
                         patch->outcome, &path));
    TRY(fhirpath_evaluate(path, &environment, &root, patch->scratch, patch->outcome, ret_nodes));
    for (size_t i = 0; i < ret_nodes->count; i++) {
        if (ret_nodes->items[i].kind != FHIRPATH_NODE) {
            return refused(patch, "its path gives something that is no element.");
        }
    }
    return STATUS_OK;
}

static enum status find_one(struct patch *patch, const struct operation_parts *parts,
                            const struct fhirpath_node **ret_node)
{
    struct fhirpath_collection nodes;
    TRY(find(patch, parts, &nodes));
    if (nodes.count != 1) {
        return refused(patch, nodes.count == 0 ? "its path finds nothing."
                                               : "its path finds several elements, not one.");
    }
    *ret_node = &nodes.items[0].node;
    return STATUS_OK;
}

static enum status operation_add(struct patch *patch, const struct operation_parts *parts)
{
    const struct fhirpath_node *node = NULL;
    struct slice suffix;
    yyjson_val *sibling;
    yyjson_mut_val *object;
    struct pairs pairs;
    struct pair pair;
    if (parts->name.length == 0 || parts->value == NULL) {
        return malformed(patch, "add takes path, name and value.");
    }
    TRY(find_one(patch, parts, &node));
    (void)value_of(parts->value, &suffix, &sibling);
    const struct element_row *element = element_for(patch, node->type, parts->name, suffix);
    if (element == NULL) {
        return refused(patch, "its name is no element of what its path finds.");
    }
    TRY(content_of(patch, element, parts->value, 0, &pair));
    TRY(object_of(patch, node, &object));
    TRY(pairs_read(patch, object, element, &pairs));
    if (!pairs.array && pairs.count > 0) {
        return refused(patch, "the element is there already and does not repeat: use replace.");
    }
    pairs_insert(&pairs, pairs.count, pair);
    return pairs_write(patch, &pairs);
}

/* The one list that all nodes are items of. */
static enum status find_list(struct patch *patch, const struct operation_parts *parts,
                             const struct fhirpath_node **ret_node, struct pairs *ret_pairs)
{
    struct fhirpath_collection nodes;
    yyjson_mut_val *object;
    TRY(find(patch, parts, &nodes));
    if (nodes.count == 0) {
        return refused(patch, "its path finds no list: the first item of one is added with add.");
    }
    const struct fhirpath_node *first = &nodes.items[0].node;
    for (size_t i = 0; i < nodes.count; i++) {
        const struct fhirpath_node *node = &nodes.items[i].node;
        if (node->parent == NULL || node->element != first->element ||
            node->parent->value != first->parent->value) {
            return refused(patch, "its path finds items of more than one list.");
        }
    }
    if ((first->element->flags & ELEMENT_ARRAY) == 0) {
        return refused(patch, "its path finds an element that does not repeat.");
    }
    TRY(object_of(patch, first->parent, &object));
    *ret_node = first;
    return pairs_read(patch, object, first->element, ret_pairs);
}

static enum status operation_insert(struct patch *patch, const struct operation_parts *parts)
{
    const struct fhirpath_node *node = NULL;
    struct pairs pairs;
    struct pair pair;
    if (!parts->has_index || parts->value == NULL) {
        return malformed(patch, "insert takes path, index and value.");
    }
    TRY(find_list(patch, parts, &node, &pairs));
    if (parts->index < 0 || (uint64_t)parts->index > pairs.count) {
        return refused(patch, "its index is outside of the list.");
    }
    TRY(content_of(patch, node->element, parts->value, 0, &pair));
    pairs_insert(&pairs, (size_t)parts->index, pair);
    return pairs_write(patch, &pairs);
}

static enum status operation_move(struct patch *patch, const struct operation_parts *parts)
{
    const struct fhirpath_node *node = NULL;
    struct pairs pairs;
    if (!parts->has_source || !parts->has_destination) {
        return malformed(patch, "move takes path, source and destination.");
    }
    TRY(find_list(patch, parts, &node, &pairs));
    if (parts->source < 0 || (uint64_t)parts->source >= pairs.count || parts->destination < 0 ||
        (uint64_t)parts->destination >= pairs.count) {
        return refused(patch, "its source or destination is outside of the list.");
    }
    struct pair pair = pairs_remove(&pairs, (size_t)parts->source);
    pairs_insert(&pairs, (size_t)parts->destination, pair);
    return pairs_write(patch, &pairs);
}

/* Nothing to delete is no error; several things are. */
static enum status operation_delete(struct patch *patch, const struct operation_parts *parts)
{
    struct fhirpath_collection nodes;
    yyjson_mut_val *object;
    struct pairs pairs;
    TRY(find(patch, parts, &nodes));
    if (nodes.count == 0) {
        return STATUS_OK;
    }
    const struct fhirpath_node *node = &nodes.items[0].node;
    if (nodes.count > 1) {
        return refused(patch, "its path finds several elements, not one.");
    }
    if (node->parent == NULL) {
        return refused(patch, "the resource itself cannot be deleted by a patch.");
    }
    TRY(object_of(patch, node->parent, &object));
    TRY(pairs_read(patch, object, node->element, &pairs));
    if (node->index < pairs.count) {
        (void)pairs_remove(&pairs, node->index);
    }
    TRY(pairs_write(patch, &pairs));
    return prune(patch, node->parent);
}

static enum status operation_replace(struct patch *patch, const struct operation_parts *parts)
{
    const struct fhirpath_node *node = NULL;
    const struct element_row *element;
    yyjson_mut_val *object;
    struct slice suffix;
    yyjson_val *sibling;
    struct pairs pairs;
    struct pair pair;
    if (parts->value == NULL) {
        return malformed(patch, "replace takes path and value.");
    }
    TRY(find_one(patch, parts, &node));
    if (node->parent == NULL) {
        return refused(patch, "the resource itself cannot be replaced by a patch: use PUT.");
    }
    element = node->element;
    TRY(object_of(patch, node->parent, &object));
    TRY(pairs_read(patch, object, element, &pairs));
    if ((element->flags & ELEMENT_CHOICE) != 0) {
        /* The member's name says the type: the old one goes. */
        struct slice stem =
            slice_head(table_text(patch->tables, element->name), element->stem_length);
        pairs.count = 0;
        TRY(pairs_write(patch, &pairs));
        (void)value_of(parts->value, &suffix, &sibling);
        element = element_for(patch, node->parent->type, stem, suffix);
        if (element == NULL) {
            return refused(patch, "the type of its value is none of those of the element.");
        }
        TRY(pairs_read(patch, object, element, &pairs));
    }
    TRY(content_of(patch, element, parts->value, 0, &pair));
    if (node->index < pairs.count) {
        pairs.items[node->index] = pair;
    } else {
        pairs_insert(&pairs, pairs.count, pair);
    }
    return pairs_write(patch, &pairs);
}

/* ---- Parameters -------------------------------------------------------------------------------
 */

static bool part_number(yyjson_val *part, int64_t *ret_number)
{
    struct decimal number;
    return decimal_parse(json_number(json_get(part, "valueInteger")), &number) &&
           decimal_to_integer(number, ret_number);
}

/* Which of two parts of one name was meant cannot be told. */
static bool has_twice(yyjson_val *parts, struct slice name)
{
    size_t i, max, count = 0;
    yyjson_val *part;
    yyjson_arr_foreach(parts, i, max, part)
    {
        count += slice_equals(json_get_string(part, "name"), name);
    }
    return count > 1;
}

static enum status read_operation(struct patch *patch, yyjson_val *parameter,
                                  struct operation_parts *ret_parts)
{
    size_t i, max;
    yyjson_val *part;
    yyjson_val *list = json_get(parameter, "part");
    *ret_parts = (struct operation_parts){.has_index = false};
    if (!slice_is(json_get_string(parameter, "name"), "operation")) {
        return malformed(patch, "the parameters of a patch are called operation.");
    }
    yyjson_arr_foreach(list, i, max, part)
    {
        struct slice name = json_get_string(part, "name");
        if (has_twice(list, name)) {
            return malformed(patch, "a part appears twice.");
        }
        struct slice text = json_get_string(part, "valueString");
        if (slice_is(name, "type")) {
            ret_parts->type = json_get_string(part, "valueCode");
            ret_parts->type = ret_parts->type.length > 0 ? ret_parts->type : text;
        } else if (slice_is(name, "path")) {
            ret_parts->path = text;
        } else if (slice_is(name, "name")) {
            ret_parts->name = text;
        } else if (slice_is(name, "value")) {
            ret_parts->value = part;
        } else if (slice_is(name, "index")) {
            ret_parts->has_index = part_number(part, &ret_parts->index);
        } else if (slice_is(name, "source")) {
            ret_parts->has_source = part_number(part, &ret_parts->source);
        } else if (slice_is(name, "destination")) {
            ret_parts->has_destination = part_number(part, &ret_parts->destination);
        } else {
            return malformed(patch, "it has a part that no operation has.");
        }
    }
    return ret_parts->path.length > 0 ? STATUS_OK : malformed(patch, "the part path is missing.");
}

static enum status apply(struct patch *patch, yyjson_val *parameter)
{
    static const struct {
        const char *type;
        enum status (*apply)(struct patch *patch, const struct operation_parts *parts);
    } operations[] = {{"add", operation_add},
                      {"delete", operation_delete},
                      {"insert", operation_insert},
                      {"move", operation_move},
                      {"replace", operation_replace}};
    struct operation_parts parts;
    TRY(read_operation(patch, parameter, &parts));
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (slice_is(parts.type, operations[i].type)) {
            return operations[i].apply(patch, &parts);
        }
    }
    return malformed(patch, "its type is none of add, insert, delete, replace and move.");
}

static void destroy_arena(void *thing)
{
    arena_destroy(thing);
}

enum status fhirpath_patch_apply(const struct definitions *definitions, resource_type type,
                                 yyjson_val *resource, yyjson_val *parameters, struct arena *arena,
                                 struct outcome *outcome, yyjson_mut_doc **ret_result)
{
    struct patch patch = {.definitions = definitions,
                          .tables = definitions_tables(definitions),
                          .type = type,
                          .arena = arena,
                          .outcome = outcome};
    size_t i, max;
    yyjson_val *parameter;
    yyjson_val *list = json_get(parameters, "parameter");
    if (!slice_is(json_get_string(parameters, "resourceType"), "Parameters")) {
        return outcome_fail(outcome, STATUS_STRUCTURE, "",
                            "A FHIRPath Patch is a Parameters resource (R4 fhirpatch.html).");
    }
    if (yyjson_arr_size(list) > OPERATIONS_MOST) {
        return outcome_fail(outcome, STATUS_TOO_COSTLY, "",
                            "A patch has at most %d operations: send several.", OPERATIONS_MOST);
    }
    patch.doc = json_mutable(arena, resource);
    patch.scratch = arena_create(arena_limit(arena));
    if (patch.doc == NULL || patch.scratch == NULL) {
        arena_destroy(patch.scratch);
        return STATUS_TOO_COSTLY;
    }
    TRY(arena_defer(arena, destroy_arena, patch.scratch));
    yyjson_arr_foreach(list, i, max, parameter)
    {
        patch.index = i;
        arena_reset(patch.scratch, arena_limit(arena));
        TRY(apply(&patch, parameter));
    }
    *ret_result = patch.doc;
    return arena_full(arena) ? STATUS_TOO_COSTLY : STATUS_OK;
}
