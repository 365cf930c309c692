/* SPDX-License-Identifier: MIT */
#include "validate/validate_int.h"

#define DEPTH_DEFAULT 64u

static void check_object(struct checker *checker, const struct frame *frame,
                         const struct type_row *type, yyjson_val *object, uint64_t *ret_seen);
static resource_type check_resource(struct checker *checker, const struct frame *frame,
                                    yyjson_val *resource, bool contained);

static bool is_primitive(const struct checker *checker, const struct element_row *element)
{
    return element_type_row(checker->tables, element)->kind == TYPE_PRIMITIVE;
}

/* The value of member NAME or, UNDERSCORE, of its sibling `_NAME`. */
static yyjson_val *member_of(const struct checker *checker, yyjson_val *object,
                             const struct element_row *element, bool underscore)
{
    struct slice name = table_text(checker->tables, element->name);
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        const char *at = yyjson_get_str(key) + underscore;
        if (yyjson_get_len(key) == name.length + underscore && (!underscore || at[-1] == '_') &&
            memcmp(at, name.at, name.length) == 0) {
            return value;
        }
    }
    return NULL;
}

/* Does `_x` say something in place of a value: an extension? */
static bool has_extension(yyjson_val *sibling)
{
    return yyjson_arr_size(json_get(sibling, "extension")) > 0;
}

/* ---- values -----------------------------------------------------------------------------------
 */

static void check_complex(struct checker *checker, const struct frame *frame, yyjson_val *value)
{
    const struct type_row *type = element_type_row(checker->tables, frame->element);
    if (type->kind == TYPE_ABSTRACT || type->kind == TYPE_RESOURCE) {
        struct slice name = table_text(checker->tables, frame->element->name);
        (void)check_resource(checker, frame, value, slice_is(name, "contained"));
        return;
    }
    if (!yyjson_is_obj(value)) {
        report(checker, frame, value, RULE_TYPE,
               say(checker, "Write this element as a JSON object: its type is %.*s.",
                   SLICE_ARGS(table_text(checker->tables, type->name))));
        return;
    }
    uint64_t seen;
    check_object(checker, frame, type, value, &seen);
    if (type->fhir_type == FHIR_TYPE_EXTENSION) {
        check_extension(checker, frame, value, seen);
    } else if (type->fhir_type == FHIR_TYPE_REFERENCE) {
        check_reference(checker, frame, value);
    } else if (type->fhir_type == FHIR_TYPE_IDENTIFIER && checker->options->refuse_test_numbers) {
        check_identifier(checker, frame, value);
    }
    if (frame->element->code_set != 0) {
        check_binding(checker, frame, value);
    }
}

static void check_item(struct checker *checker, const struct frame *frame, yyjson_val *value)
{
    if (yyjson_is_null(value)) {
        report(checker, frame, value, RULE_NULL,
               "null stands only in an array of primitive values whose `_` sibling has an object "
               "at the same place: leave the element out.");
        return;
    }
    if (!is_primitive(checker, frame->element)) {
        check_complex(checker, frame, value);
        return;
    }
    check_primitive(checker, frame, (enum fhir_type)frame->element->fhir_type, value);
    if (frame->element->code_set != 0) {
        check_binding(checker, frame, value);
    }
}

/* ELEMENT as an array. SIBLING: the `_` array when there is one, looked up only for nulls. */
static void check_array(struct checker *checker, struct frame *frame, yyjson_val *object,
                        yyjson_val *array)
{
    size_t i, max;
    yyjson_val *item;
    yyjson_val *sibling = NULL;
    bool looked = false;
    if (yyjson_arr_size(array) == 0) {
        report(checker, frame, array, RULE_EMPTY,
               "An empty array says nothing: leave the element out.");
        return;
    }
    frame->indexed = true;
    yyjson_arr_foreach(array, i, max, item)
    {
        frame->index = (uint32_t)i;
        if (yyjson_is_null(item) && is_primitive(checker, frame->element)) {
            if (!looked) {
                sibling = member_of(checker, object, frame->element, true);
                looked = true;
            }
            if (has_extension(yyjson_arr_get(sibling, i))) {
                continue;
            }
        }
        check_item(checker, frame, item);
    }
}

static void check_member(struct checker *checker, const struct frame *up,
                         const struct element_row *element, yyjson_val *object, yyjson_val *key,
                         yyjson_val *value)
{
    struct frame frame = {.up = up, .element = element};
    bool array = (element->flags & ELEMENT_ARRAY) != 0;
    if (array != yyjson_is_arr(value) && !yyjson_is_null(value)) {
        report(checker, &frame, key, RULE_TYPE,
               array ? "This element repeats: write it as a JSON array, even for one value."
                     : "This element does not repeat: write its value without an array.");
        return;
    }
    if (array && !yyjson_is_null(value)) {
        check_array(checker, &frame, object, value);
        if (element->max != UINT16_MAX && yyjson_arr_size(value) > element->max) {
            frame.indexed = false;
            report(checker, &frame, key, RULE_CARDINALITY,
                   say(checker, "At most %u values may stand here.", element->max));
        }
    } else {
        check_item(checker, &frame, value);
    }
}

/* ---- the `_` siblings -------------------------------------------------------------------------
 */

/* One object of `_x`; VALUE is what stands at the same place of `x`, or NULL. */
static void check_sibling_object(struct checker *checker, const struct frame *frame,
                                 yyjson_val *sibling, yyjson_val *value)
{
    if (!yyjson_is_obj(sibling)) {
        report(checker, frame, sibling, RULE_TYPE,
               "The `_` sibling of a primitive element is an object with id and extension.");
        return;
    }
    uint64_t seen;
    check_object(checker, frame, element_type_row(checker->tables, frame->element), sibling, &seen);
    bool valued = value != NULL && !yyjson_is_null(value);
    if (!valued && !has_extension(sibling) && yyjson_obj_size(sibling) > 0) {
        report(checker, frame, sibling, RULE_EMPTY,
               "An element without a value needs an extension; an id alone says nothing.");
    }
}

static void check_sibling(struct checker *checker, const struct frame *up,
                          const struct element_row *element, yyjson_val *object, yyjson_val *key,
                          yyjson_val *sibling)
{
    struct frame frame = {.up = up, .element = element};
    bool array = (element->flags & ELEMENT_ARRAY) != 0;
    yyjson_val *value = member_of(checker, object, element, false);
    if (array != yyjson_is_arr(sibling)) {
        report(checker, &frame, key, RULE_TYPE,
               array ? "This element repeats: write its `_` sibling as a JSON array."
                     : "This element does not repeat: write its `_` sibling as a JSON object.");
        return;
    }
    if (!array) {
        check_sibling_object(checker, &frame, sibling, value);
        return;
    }
    if (yyjson_arr_size(sibling) == 0) {
        report(checker, &frame, key, RULE_EMPTY,
               "An empty array says nothing: leave the `_` sibling out.");
    }
    frame.indexed = true;
    size_t i, max;
    yyjson_val *item;
    yyjson_val *values = yyjson_arr_get_first(value);
    size_t left = yyjson_arr_size(value);
    yyjson_arr_foreach(sibling, i, max, item)
    {
        frame.index = (uint32_t)i;
        yyjson_val *own = left > 0 ? values : NULL;
        if (left > 0) {
            left--;
            values = unsafe_yyjson_get_next(values);
        }
        if (!yyjson_is_null(item)) {
            check_sibling_object(checker, &frame, item, own);
        } else if (own == NULL) {
            report(checker, &frame, key, RULE_NULL,
                   "null here stands beside no value: shorten the `_` sibling.");
        }
    }
}

/* ---- objects ----------------------------------------------------------------------------------
 */

static void report_unknown(struct checker *checker, const struct frame *frame,
                           const struct type_row *type, yyjson_val *key)
{
    report(checker, frame, key, RULE_UNKNOWN,
           say(checker,
               "%.*s has no element of the name on this line: correct its spelling, remove it, or "
               "say it as an extension.",
               SLICE_ARGS(table_text(checker->tables, type->name))));
}

/* Which members have been met, by group. */
struct members {
    uint64_t values, siblings;
    uint32_t content; /* members that are more than an id */
    bool resource_type;
};

static void report_repeat(struct checker *checker, const struct frame *up,
                          const struct element_row *element, yyjson_val *key)
{
    struct frame frame = {.up = up, .element = element};
    if ((element->flags & ELEMENT_CHOICE) != 0) {
        report(checker, &frame, key, RULE_CHOICE, "Give the element in one type only, and once.");
    } else {
        report(checker, &frame, key, RULE_DUPLICATE, "This key stands twice in its object.");
    }
}

/* The two members of a choice's value and its sibling must be of one type: valueString with
 * _valueCode is two choices. */
static bool mixes_choices(const struct checker *checker, const struct element_row *element,
                          yyjson_val *object, bool sibling, const struct members *members)
{
    uint64_t bit = UINT64_C(1) << element->group;
    uint64_t others = sibling ? members->values : members->siblings;
    return (element->flags & ELEMENT_CHOICE) != 0 && (others & bit) != 0 &&
           member_of(checker, object, element, !sibling) == NULL;
}

/* A member that is not listed under its own name: resourceType, or a `_` sibling. */
static void check_other_member(struct checker *checker, const struct frame *frame,
                               const struct type_row *type, yyjson_val *object, yyjson_val *key,
                               yyjson_val *value, struct members *members)
{
    const char *name = yyjson_get_str(key);
    size_t length = yyjson_get_len(key);
    if (type->kind == TYPE_RESOURCE && length == 12 && memcmp(name, "resourceType", 12) == 0) {
        if (members->resource_type) {
            report(checker, frame, key, RULE_DUPLICATE, "resourceType stands twice.");
        }
        members->resource_type = true;
        return;
    }
    const struct element_row *element =
        length > 1 && name[0] == '_'
            ? type_find_element(checker->tables, type, name + 1, length - 1)
            : NULL;
    if (element == NULL || !is_primitive(checker, element)) {
        report_unknown(checker, frame, type, key);
        return;
    }
    uint64_t bit = UINT64_C(1) << element->group;
    if ((members->siblings & bit) != 0 || mixes_choices(checker, element, object, true, members)) {
        report_repeat(checker, frame, element, key);
        return;
    }
    members->siblings |= bit;
    members->content++;
    check_sibling(checker, frame, element, object, key, value);
}

static void report_missing(struct checker *checker, const struct frame *up,
                           const struct type_row *type, yyjson_val *object, uint64_t missing)
{
    for (size_t i = 0; i < type->element_count; i++) {
        const struct element_row *element = type_element(checker->tables, type, i);
        uint64_t bit = UINT64_C(1) << element->group;
        if ((missing & bit) == 0) {
            continue;
        }
        missing &= ~bit;
        struct slice name = table_text(checker->tables, element->name);
        report(checker, up, object, RULE_CARDINALITY,
               say(checker, "%.*s needs the element %.*s%s.",
                   SLICE_ARGS(table_text(checker->tables, type->name)),
                   SLICE_ARGS(slice_head(name, element->stem_length)),
                   (element->flags & ELEMENT_CHOICE) != 0 ? "[x]" : ""));
    }
}

static void check_members(struct checker *checker, const struct frame *frame,
                          const struct type_row *type, yyjson_val *object, struct members *members)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        const char *name = unsafe_yyjson_get_str(key);
        size_t length = unsafe_yyjson_get_len(key);
        const struct element_row *element = type_find_element(checker->tables, type, name, length);
        if (element == NULL) {
            check_other_member(checker, frame, type, object, key, value, members);
            continue;
        }
        uint64_t bit = UINT64_C(1) << element->group;
        if ((members->values & bit) != 0 ||
            ((members->siblings & bit) != 0 &&
             mixes_choices(checker, element, object, false, members))) {
            report_repeat(checker, frame, element, key);
            continue;
        }
        members->values |= bit;
        members->content += !(length == 2 && name[0] == 'i' && name[1] == 'd');
        check_member(checker, frame, element, object, key, value);
    }
}

static void check_object(struct checker *checker, const struct frame *frame,
                         const struct type_row *type, yyjson_val *object, uint64_t *ret_seen)
{
    struct members members = {0};
    *ret_seen = 0;
    if (++checker->depth > checker->depth_limit) {
        report(checker, frame, object, RULE_DEPTH,
               say(checker, "Elements may be nested %u deep: flatten the content.",
                   checker->depth_limit));
        checker->depth--;
        return;
    }
    check_members(checker, frame, type, object, &members);
    /* ele-1 is a rule of elements; a resource of its type alone is legal, and the sibling of a
     * primitive may hold an id alone when there is a value (the caller knows). */
    if (type->kind != TYPE_RESOURCE && members.content == 0 &&
        (type->kind != TYPE_PRIMITIVE || members.values == 0)) {
        report(checker, frame, object, RULE_EMPTY,
               "An object needs content besides its id: leave the element out.");
    }
    *ret_seen = members.values | members.siblings;
    uint64_t missing = type->required & ~*ret_seen;
    if (missing != 0) {
        report_missing(checker, frame, type, object, missing);
    }
    if (checker->options->rules != NULL) {
        check_rules(checker, frame, type, object);
    }
    checker->depth--;
}

/* ---- resources --------------------------------------------------------------------------------
 */

static void check_contained_shape(struct checker *checker, const struct frame *frame,
                                  yyjson_val *resource)
{
    if (checker->inside_contained) {
        report(checker, frame, resource, RULE_CONTAINED,
               "A contained resource contains no resources: put them beside it.");
    }
    if (!yyjson_is_str(json_get(resource, "id"))) {
        report(checker, frame, resource, RULE_CONTAINED,
               "A contained resource needs an id, for references to it.");
    }
}

/* RESOURCE_TYPE_NONE when it cannot be told. */
static resource_type type_of(struct checker *checker, const struct frame *frame,
                             yyjson_val *resource)
{
    yyjson_val *name = json_get(resource, "resourceType");
    if (!yyjson_is_obj(resource)) {
        report(checker, frame, resource, RULE_TYPE, "A resource is a JSON object.");
        return RESOURCE_TYPE_NONE;
    }
    if (!yyjson_is_str(name)) {
        report(checker, frame, resource, RULE_RESOURCE,
               "A resource needs the member resourceType with the name of its type.");
        return RESOURCE_TYPE_NONE;
    }
    resource_type type = resource_type_find(checker->definitions, json_string(name));
    if (type == RESOURCE_TYPE_NONE) {
        report(checker, frame, name, RULE_RESOURCE,
               "FHIR R4 has no resource type of this name: correct resourceType.");
    }
    return type;
}

static void check_typed(struct checker *checker, const struct frame *frame, yyjson_val *resource,
                        resource_type type)
{
    uint64_t seen;
    check_object(checker, frame, resource_row(checker->tables, type), resource, &seen);
}

/* Rules across elements of one resource type. */
static const struct {
    const char *type;
    void (*check)(struct checker *checker, const struct frame *frame, const struct type_row *type,
                  yyjson_val *resource);
} resource_rules[] = {
    {"Bundle", check_bundle},
    {"Measure", check_measure},
    {"Questionnaire", check_questionnaire},
    {"MeasureReport", check_measure_report},
    {"QuestionnaireResponse", check_questionnaire_response},
    {"SearchParameter", check_search_parameter},
    {"StructureDefinition", check_structure_definition},
};

static void check_resource_rules(struct checker *checker, const struct frame *frame,
                                 yyjson_val *resource, resource_type type)
{
    struct slice name = resource_type_name(checker->definitions, type);
    for (size_t i = 0; i < sizeof resource_rules / sizeof resource_rules[0]; i++) {
        if (slice_is(name, resource_rules[i].type)) {
            resource_rules[i].check(checker, frame, resource_row(checker->tables, type), resource);
        }
    }
}

static resource_type check_resource(struct checker *checker, const struct frame *frame,
                                    yyjson_val *resource, bool contained)
{
    if (frame->up == NULL && checker->prefix.length == 0) {
        checker->root_name = SLICE("Resource");
    }
    resource_type type = type_of(checker, frame, resource);
    if (type == RESOURCE_TYPE_NONE) {
        return type;
    }
    if (frame->up == NULL) {
        checker->root_name = resource_type_name(checker->definitions, type);
    }
    if (contained) {
        check_contained_shape(checker, frame, resource);
        bool before = checker->inside_contained;
        checker->inside_contained = true;
        check_typed(checker, frame, resource, type);
        if (checker->options->conformance != NULL) {
            check_resource_rules(checker, frame, resource, type);
        }
        checker->inside_contained = before;
        return type;
    }
    struct container container = {.root = resource, .contained = json_get(resource, "contained")};
    struct container *outer = checker->container;
    bool before = checker->inside_contained;
    checker->container = &container;
    checker->inside_contained = false;
    if (container.contained != NULL) {
        check_contained(checker, frame, &container);
    }
    check_typed(checker, frame, resource, type);
    if (checker->options->conformance != NULL) {
        check_resource_rules(checker, frame, resource, type);
    }
    checker->container = outer;
    checker->inside_contained = before;
    return type;
}

/* What the caller asked for beyond the definitions. */
static void check_wishes(struct checker *checker, const struct frame *frame, yyjson_val *root,
                         resource_type type)
{
    const struct validate_options *options = checker->options;
    yyjson_val *id = json_get(root, "id");
    if (options->type != RESOURCE_TYPE_NONE && type != options->type) {
        report(checker, frame, json_get(root, "resourceType"), RULE_RESOURCE,
               say(checker, "A resource of type %.*s belongs here.",
                   SLICE_ARGS(resource_type_name(checker->definitions, options->type))));
    }
    if (id == NULL ? options->id_required
                   : options->id.length > 0 && !slice_equals(json_string(id), options->id)) {
        report(checker, frame, id != NULL ? id : root, RULE_ID,
               "The resource must carry the id that the request names.");
    }
}

static void find_extension_groups(struct checker *checker)
{
    const struct type_row *type = type_find(checker->definitions, SLICE("Extension"));
    const struct element_row *nested =
        type != NULL ? type_find_element(checker->tables, type, "extension", 9) : NULL;
    const struct element_row *value =
        type != NULL ? type_find_element(checker->tables, type, "valueString", 11) : NULL;
    if (nested != NULL && value != NULL) {
        checker->extension_nested = UINT64_C(1) << nested->group;
        checker->extension_value = UINT64_C(1) << value->group;
    }
}

enum status validate_resource(const struct validate_options *options, const struct json *json,
                              yyjson_val *root, struct slice path, struct arena *arena,
                              struct outcome *outcome, resource_type *ret_type)
{
    struct validate_options whole = *options;
    if (options->validator != NULL) {
        validator_lend(options->validator, &whole);
    }
    struct checker checker = {.options = &whole,
                              .definitions = options->definitions,
                              .tables = definitions_tables(options->definitions),
                              .json = json,
                              .prefix = path,
                              .root_name = SLICE("Resource"),
                              .arena = arena,
                              .outcome = outcome,
                              .depth_limit = options->depth > 0 ? options->depth : DEPTH_DEFAULT};
    struct frame frame = {.up = NULL};
    find_extension_groups(&checker);
    *ret_type = check_resource(&checker, &frame, root, false);
    if (*ret_type != RESOURCE_TYPE_NONE) {
        check_wishes(&checker, &frame, root, *ret_type);
        if (options->validator != NULL) {
            review_resource(&checker, root, *ret_type);
        }
    }
    if (checker.status == STATUS_OK && (arena_full(arena) || arena_full(outcome->arena))) {
        return STATUS_TOO_COSTLY;
    }
    return checker.status;
}
