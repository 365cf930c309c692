/* SPDX-License-Identifier: MIT */
/* JSON Patch. yyjson's own yyjson_mut_patch compares numbers kept as text byte by byte and cannot
 * say which rule an operation broke, so the operations are our own, on yyjson's lists. */
#include "fhir/walk_int.h"

/* yyjson's containers are lists: an index or a member costs its distance. A patch that would take
 * more list steps than this in all is refused rather than allowed to hold a worker. */
#define PATCH_WORK_LIMIT ((size_t)200 * 1000 * 1000)

enum operation_kind { ADD, REMOVE, REPLACE, MOVE, COPY, TEST };

static const char *const operation_names[] = {"add", "remove", "replace", "move", "copy", "test"};

struct operation {
    enum operation_kind kind;
    struct slice path;
    struct slice from;
    yyjson_val *value;
};

struct patch {
    yyjson_mut_doc *doc;
    struct arena *arena;
    struct outcome *outcome;
    size_t index; /* of the operation at work, for messages */
    const char *name;
    size_t work;
};

/* Where a pointer leads: PARENT is NULL for the root. VALUE is NULL when the parent exists and the
 * last step names nothing in it. */
struct place {
    yyjson_mut_val *parent;
    yyjson_mut_val *value;
    struct slice key; /* unescaped, of an object parent */
    size_t index;     /* of an array parent; its size for "-" */
    uint32_t depth;   /* of the value; the root is at 1 */
};

static enum status malformed(const struct patch *patch, const char *text)
{
    return outcome_fail(patch->outcome, STATUS_STRUCTURE, "", "Operation %zu of the patch: %s",
                        patch->index, text);
}

static enum status refused(const struct patch *patch, const char *text)
{
    return outcome_fail(patch->outcome, STATUS_UNPROCESSABLE, "",
                        "Operation %zu of the patch (%s): %s", patch->index, patch->name, text);
}

static enum status spend(struct patch *patch, size_t steps)
{
    patch->work += steps;
    if (patch->work <= PATCH_WORK_LIMIT) {
        return STATUS_OK;
    }
    return outcome_fail(patch->outcome, STATUS_TOO_COSTLY, "",
                        "Operation %zu of the patch: the patch takes too much work. Send fewer "
                        "operations, or update the whole resource.",
                        patch->index);
}

/* The arena is bounded; what does not fit is the caller's patch, not our bug. */
static enum status no_room(const struct patch *patch)
{
    return outcome_fail(patch->outcome, STATUS_TOO_COSTLY, "",
                        "Operation %zu of the patch: the result grows too large.", patch->index);
}

/* ---- numbers and equality ---------------------------------------------------------------------
 */

/* A number as 0.DIGITS x 10^exponent without superfluous zeros: one form for each value, so no
 * precision is lost however many digits there are. */
struct number {
    bool negative;
    struct slice whole, fraction; /* digits */
    size_t first, last;           /* significant digits of whole and fraction together: [,) */
    int64_t exponent;
};

#define EXPONENT_LIMIT INT64_C(1000000000000000)

static int64_t exponent_read(struct slice text)
{
    bool negative = text.length > 0 && text.at[0] == '-';
    int64_t value = 0;
    for (size_t i = text.length > 0 && (negative || text.at[0] == '+') ? 1 : 0; i < text.length;
         i++) {
        if (value < EXPONENT_LIMIT) {
            value = value * 10 + (text.at[i] - '0');
        }
    }
    return negative ? -value : value;
}

static char number_digit(const struct number *number, size_t place)
{
    return place < number->whole.length ? number->whole.at[place]
                                        : number->fraction.at[place - number->whole.length];
}

/* TEXT is known to be a JSON number. */
static struct number number_read(struct slice text)
{
    struct number number = {.negative = text.length > 0 && text.at[0] == '-'};
    text = slice_from(text, number.negative ? 1 : 0);
    size_t mark = 0;
    while (mark < text.length && text.at[mark] != 'e' && text.at[mark] != 'E') {
        mark++;
    }
    number.exponent = exponent_read(slice_from(text, mark + 1));
    struct slice digits = slice_head(text, mark);
    size_t point = slice_index(digits, '.');
    number.whole = slice_head(digits, point);
    number.fraction = slice_from(digits, point + 1);
    number.last = number.whole.length + number.fraction.length;
    while (number.first < number.last && number_digit(&number, number.first) == '0') {
        number.first++;
    }
    while (number.last > number.first && number_digit(&number, number.last - 1) == '0') {
        number.last--;
    }
    number.exponent += (int64_t)number.whole.length - (int64_t)number.first;
    return number;
}

static bool number_equals(struct slice a_text, struct slice b_text)
{
    struct number a = number_read(a_text);
    struct number b = number_read(b_text);
    if (a.last - a.first != b.last - b.first) {
        return false;
    }
    if (a.first == a.last) {
        return true; /* both zero, and -0 is 0 */
    }
    if (a.negative != b.negative || a.exponent != b.exponent) {
        return false;
    }
    for (size_t i = 0; i < a.last - a.first; i++) {
        if (number_digit(&a, a.first + i) != number_digit(&b, b.first + i)) {
            return false;
        }
    }
    return true;
}

static struct slice mutable_text(const yyjson_mut_val *value)
{
    return slice_of(value->uni.str, (size_t)(value->tag >> YYJSON_TAG_BIT));
}

static bool equals(struct patch *patch, yyjson_mut_val *a, yyjson_val *b);

/* Order is no matter (RFC 6902 4.6). Both sides are walked together first, because equal objects
 * are mostly in the same order. */
static bool object_equals(struct patch *patch, yyjson_mut_val *a, yyjson_val *b)
{
    size_t count = yyjson_obj_size(b);
    if (yyjson_mut_obj_size(a) != count) {
        return false;
    }
    yyjson_mut_obj_iter members;
    yyjson_mut_obj_iter_init(a, &members);
    yyjson_mut_val *key;
    size_t at, max;
    yyjson_val *other_key, *other;
    yyjson_obj_foreach(b, at, max, other_key, other)
    {
        struct slice name = known_text(other_key);
        key = yyjson_mut_obj_iter_next(&members);
        yyjson_mut_val *value = yyjson_mut_obj_iter_get_val(key);
        if (!slice_equals(mutable_text(key), name)) {
            patch->work += count;
            value = yyjson_mut_obj_getn(a, name.at, name.length);
        }
        if (value == NULL || !equals(patch, value, other)) {
            return false;
        }
    }
    return true;
}

static bool array_equals(struct patch *patch, yyjson_mut_val *a, yyjson_val *b)
{
    if (yyjson_mut_arr_size(a) != yyjson_arr_size(b)) {
        return false;
    }
    yyjson_mut_arr_iter items;
    yyjson_mut_arr_iter_init(a, &items);
    size_t at, max;
    yyjson_val *item;
    yyjson_arr_foreach(b, at, max, item)
    {
        if (!equals(patch, yyjson_mut_arr_iter_next(&items), item)) {
            return false;
        }
    }
    return true;
}

/* The depth of recursion is that of B, which came through json_read's limit. */
static bool equals(struct patch *patch, yyjson_mut_val *a, yyjson_val *b)
{
    patch->work++;
    if (patch->work > PATCH_WORK_LIMIT || yyjson_mut_get_type(a) != yyjson_get_type(b)) {
        return false;
    }
    switch (yyjson_get_type(b)) {
    case YYJSON_TYPE_OBJ:
        return object_equals(patch, a, b);
    case YYJSON_TYPE_ARR:
        return array_equals(patch, a, b);
    case YYJSON_TYPE_RAW:
        return number_equals(mutable_text(a), known_text(b));
    case YYJSON_TYPE_STR:
        return slice_equals(mutable_text(a), known_text(b));
    default:
        return yyjson_mut_get_tag(a) == yyjson_get_tag(b);
    }
}

/* ---- pointers ----------------------------------------------------------------------------------
 */

/* RFC 6901 3: empty, or every token after a slash, and ~ only before 0 or 1. */
static bool pointer_valid(struct slice pointer)
{
    if (pointer.length > 0 && pointer.at[0] != '/') {
        return false;
    }
    for (size_t i = 0; i < pointer.length; i++) {
        if (pointer.at[i] == '~' &&
            (i + 1 == pointer.length || (pointer.at[i + 1] != '0' && pointer.at[i + 1] != '1'))) {
            return false;
        }
    }
    return true;
}

/* ~1 before ~0 would turn ~01 into a slash (RFC 6901 4): one pass does neither first. */
static struct slice unescape(struct arena *arena, struct slice token)
{
    if (slice_index(token, '~') == token.length) {
        return token;
    }
    char *copy = arena_alloc(arena, token.length);
    size_t length = 0;
    for (size_t i = 0; copy != NULL && i < token.length; i++) {
        char byte = token.at[i];
        if (byte == '~') {
            i++;
            byte = token.at[i] == '0' ? '~' : '/';
        }
        copy[length++] = byte;
    }
    return slice_of(copy, length);
}

/* Is INNER strictly below OUTER? Tokens have one spelling each, so text decides. */
static bool pointer_below(struct slice inner, struct slice outer)
{
    return inner.length > outer.length && slice_starts(inner, outer) &&
           inner.at[outer.length] == '/';
}

static enum status array_step(struct patch *patch, struct slice token, struct place *place)
{
    size_t size = yyjson_mut_arr_size(place->parent);
    place->index = size;
    place->value = NULL;
    if (slice_is(token, "-")) {
        return STATUS_OK;
    }
    uint64_t index = 0;
    if ((token.length > 1 && token.at[0] == '0') || !slice_to_unsigned(token, SIZE_MAX, &index)) {
        return refused(patch, "an array is addressed by a number without sign or leading zeros, or "
                              "by '-'.");
    }
    if (index > size) {
        return refused(patch, "the index is past the end of the array.");
    }
    place->index = (size_t)index;
    TRY(spend(patch, place->index));
    place->value = yyjson_mut_arr_get(place->parent, place->index);
    return STATUS_OK;
}

static enum status object_step(struct patch *patch, struct slice token, struct place *place)
{
    place->key = unescape(patch->arena, token);
    if (place->key.at == NULL && token.length > 0) {
        return no_room(patch);
    }
    TRY(spend(patch, yyjson_mut_obj_size(place->parent)));
    place->value = yyjson_mut_obj_getn(place->parent, place->key.at, place->key.length);
    return STATUS_OK;
}

static enum status pointer_find(struct patch *patch, struct slice pointer, struct place *ret_place)
{
    struct place place = {.value = yyjson_mut_doc_get_root(patch->doc), .depth = 1};
    struct slice rest = slice_from(pointer, 1);
    while (pointer.length > 0 && rest.at != NULL) {
        struct slice token = slice_cut(&rest, '/');
        place.parent = place.value;
        place.depth++;
        if (yyjson_mut_is_arr(place.parent)) {
            TRY(array_step(patch, token, &place));
        } else if (yyjson_mut_is_obj(place.parent)) {
            TRY(object_step(patch, token, &place));
        } else {
            return refused(patch, "the path leads through something that is not there, or that is "
                                  "neither object nor array. Add the parent first.");
        }
    }
    *ret_place = place;
    return STATUS_OK;
}

static enum status pointer_find_value(struct patch *patch, struct slice pointer,
                                      struct place *ret_place)
{
    TRY(pointer_find(patch, pointer, ret_place));
    return ret_place->value != NULL ? STATUS_OK
                                    : refused(patch, "there is no value at the path given.");
}

/* ---- operations --------------------------------------------------------------------------------
 */

/* Levels of VALUE, at most LIMIT + 1: deeper ones are too deep all the same. */
static uint32_t height(struct patch *patch, yyjson_mut_val *value, uint32_t limit)
{
    patch->work++;
    if (!yyjson_mut_is_ctn(value) || limit == 0 || patch->work > PATCH_WORK_LIMIT) {
        return 1;
    }
    uint32_t deepest = 0;
    size_t at, max;
    yyjson_mut_val *key, *child;
    if (yyjson_mut_is_arr(value)) {
        yyjson_mut_arr_foreach(value, at, max, child)
        {
            uint32_t levels = height(patch, child, limit - 1);
            deepest = levels > deepest ? levels : deepest;
        }
    } else {
        yyjson_mut_obj_foreach(value, at, max, key, child)
        {
            uint32_t levels = height(patch, child, limit - 1);
            deepest = levels > deepest ? levels : deepest;
        }
    }
    return deepest + 1;
}

/* Copies of a value into itself would otherwise make a document that nobody can walk. */
static enum status depth_check(struct patch *patch, const struct place *place,
                               yyjson_mut_val *value)
{
    uint32_t limit = json_limits_default.depth;
    if (place->depth > limit || place->depth - 1 + height(patch, value, limit) > limit) {
        return refused(patch, "the result would be nested too deeply.");
    }
    return spend(patch, 0);
}

static enum status put_root(struct patch *patch, yyjson_mut_val *value)
{
    yyjson_mut_doc_set_root(patch->doc, value);
    return STATUS_OK;
}

static enum status object_add(struct patch *patch, const struct place *place, yyjson_mut_val *value)
{
    yyjson_mut_val *key = yyjson_mut_strncpy(patch->doc, place->key.at != NULL ? place->key.at : "",
                                             place->key.length);
    if (key == NULL) {
        return no_room(patch);
    }
    bool done = place->value != NULL ? yyjson_mut_obj_replace(place->parent, key, value)
                                     : yyjson_mut_obj_add(place->parent, key, value);
    return done ? STATUS_OK : no_room(patch);
}

static enum status add(struct patch *patch, struct slice path, yyjson_mut_val *value)
{
    struct place place;
    if (value == NULL) {
        return no_room(patch);
    }
    TRY(pointer_find(patch, path, &place));
    TRY(depth_check(patch, &place, value));
    if (place.parent == NULL) {
        return put_root(patch, value);
    }
    if (yyjson_mut_is_obj(place.parent)) {
        return object_add(patch, &place, value);
    }
    return yyjson_mut_arr_insert(place.parent, value, place.index) ? STATUS_OK : no_room(patch);
}

static enum status replace(struct patch *patch, struct slice path, yyjson_mut_val *value)
{
    struct place place;
    if (value == NULL) {
        return no_room(patch);
    }
    TRY(pointer_find_value(patch, path, &place));
    TRY(depth_check(patch, &place, value));
    if (place.parent == NULL) {
        return put_root(patch, value);
    }
    if (yyjson_mut_is_obj(place.parent)) {
        return object_add(patch, &place, value);
    }
    return yyjson_mut_arr_replace(place.parent, place.index, value) != NULL ? STATUS_OK
                                                                            : no_room(patch);
}

static enum status take(struct patch *patch, struct slice path, yyjson_mut_val **ret_value)
{
    struct place place;
    TRY(pointer_find_value(patch, path, &place));
    if (place.parent == NULL) {
        return refused(patch, "the whole document cannot be removed. Delete the resource instead.");
    }
    if (yyjson_mut_is_obj(place.parent)) {
        (void)yyjson_mut_obj_remove_keyn(place.parent, place.key.at != NULL ? place.key.at : "",
                                         place.key.length);
    } else {
        (void)yyjson_mut_arr_remove(place.parent, place.index);
    }
    *ret_value = place.value;
    return STATUS_OK;
}

static enum status move(struct patch *patch, const struct operation *operation)
{
    struct place place;
    if (pointer_below(operation->path, operation->from)) {
        return refused(patch, "a value cannot be moved into itself.");
    }
    TRY(pointer_find_value(patch, operation->from, &place));
    if (slice_equals(operation->path, operation->from)) {
        return STATUS_OK;
    }
    yyjson_mut_val *value = NULL;
    TRY(take(patch, operation->from, &value));
    return add(patch, operation->path, value);
}

static enum status copy(struct patch *patch, const struct operation *operation)
{
    struct place place;
    TRY(pointer_find_value(patch, operation->from, &place));
    return add(patch, operation->path, yyjson_mut_val_mut_copy(patch->doc, place.value));
}

static enum status test(struct patch *patch, const struct operation *operation)
{
    struct place place;
    TRY(pointer_find_value(patch, operation->path, &place));
    bool same = equals(patch, place.value, operation->value);
    TRY(spend(patch, 0));
    return same ? STATUS_OK : refused(patch, "the value there is not the value tested for.");
}

static enum status apply(struct patch *patch, const struct operation *operation)
{
    yyjson_mut_val *value = NULL;
    switch (operation->kind) {
    case ADD:
        return add(patch, operation->path, yyjson_val_mut_copy(patch->doc, operation->value));
    case REMOVE:
        return take(patch, operation->path, &value);
    case REPLACE:
        return replace(patch, operation->path, yyjson_val_mut_copy(patch->doc, operation->value));
    case MOVE:
        return move(patch, operation);
    case COPY:
        return copy(patch, operation);
    case TEST:
        break;
    }
    return test(patch, operation);
}

/* ---- reading the patch -------------------------------------------------------------------------
 */

static enum status pointer_read(const struct patch *patch, yyjson_val *value, const char *missing,
                                struct slice *ret_pointer)
{
    if (!yyjson_is_str(value)) {
        return malformed(patch, missing);
    }
    *ret_pointer = known_text(value);
    return pointer_valid(*ret_pointer)
               ? STATUS_OK
               : malformed(patch, "a path is a JSON Pointer: empty, or tokens each after '/', with "
                                  "'~' written ~0 and '/' written ~1.");
}

static enum status kind_read(struct patch *patch, yyjson_val *value, enum operation_kind *ret_kind)
{
    for (size_t i = 0; i < sizeof(operation_names) / sizeof(operation_names[0]); i++) {
        if (yyjson_is_str(value) && slice_is(known_text(value), operation_names[i])) {
            *ret_kind = (enum operation_kind)i;
            patch->name = operation_names[i];
            return STATUS_OK;
        }
    }
    return malformed(patch, "'op' must be one of add, remove, replace, move, copy, test.");
}

/* Members by name; a second one of the same name would leave the meaning to chance. */
static enum status members_read(const struct patch *patch, yyjson_val *item,
                                yyjson_val *ret_members[static 4])
{
    static const char *const names[] = {"op", "path", "from", "value"};
    size_t at, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(item, at, max, key, value)
    {
        for (size_t i = 0; i < 4; i++) {
            if (!slice_is(known_text(key), names[i])) {
                continue;
            }
            if (ret_members[i] != NULL) {
                return malformed(patch, "a member appears twice.");
            }
            ret_members[i] = value;
        }
    }
    return STATUS_OK;
}

static enum status operation_read(struct patch *patch, yyjson_val *item,
                                  struct operation *ret_operation)
{
    yyjson_val *members[4] = {NULL};
    if (!yyjson_is_obj(item)) {
        return malformed(patch, "an operation is an object.");
    }
    TRY(members_read(patch, item, members));
    TRY(kind_read(patch, members[0], &ret_operation->kind));
    TRY(pointer_read(patch, members[1], "'path' is missing or no string.", &ret_operation->path));
    if (ret_operation->kind == MOVE || ret_operation->kind == COPY) {
        return pointer_read(patch, members[2], "'from' is missing or no string.",
                            &ret_operation->from);
    }
    ret_operation->value = members[3];
    return members[3] != NULL || ret_operation->kind == REMOVE
               ? STATUS_OK
               : malformed(patch, "'value' is missing.");
}

enum status patch_json_apply(yyjson_val *target, yyjson_val *patch_value, struct arena *arena,
                             struct outcome *outcome, yyjson_mut_doc **ret_result)
{
    struct patch patch = {.arena = arena, .outcome = outcome};
    if (!yyjson_is_arr(patch_value)) {
        return outcome_fail(outcome, STATUS_STRUCTURE, "",
                            "A JSON Patch is an array of operations.");
    }
    /* A patch malformed anywhere is refused as malformed, whatever its first operations do. */
    size_t at, max;
    yyjson_val *item;
    yyjson_arr_foreach(patch_value, at, max, item)
    {
        struct operation operation = {.value = NULL};
        patch.index = at;
        TRY(operation_read(&patch, item, &operation));
    }
    patch.index = 0;
    patch.doc = json_mutable(arena, target);
    if (patch.doc == NULL) {
        return no_room(&patch);
    }
    yyjson_arr_foreach(patch_value, at, max, item)
    {
        struct operation operation = {.value = NULL};
        patch.index = at;
        TRY(operation_read(&patch, item, &operation));
        TRY(apply(&patch, &operation));
    }
    *ret_result = patch.doc;
    return arena_full(arena) ? no_room(&patch) : STATUS_OK;
}
