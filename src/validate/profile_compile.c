/* SPDX-License-Identifier: MIT */
/* A StructureDefinition's snapshot becomes a tree of rules, of which only what the base does not
 * say already is kept: the walk passes over everything else. */
#include "validate/profile_int.h"

#define STRUCTURE_PREFIX "http://hl7.org/fhir/StructureDefinition/"
#define SYSTEM_PREFIX    "http://hl7.org/fhirpath/System."
#define DEPTH_LIMIT      40u

struct compiling {
    struct validator *validator;
    struct profile *profile;
    struct arena *arena;
};

/* ---- values -----------------------------------------------------------------------------------
 */

/* A copy of VALUE that lives as long as the profile; the StructureDefinition need not. */
static yyjson_val *copy_value(struct arena *arena, yyjson_val *value)
{
    struct buffer text = {.arena = arena};
    struct json json;
    if (value == NULL) {
        return NULL;
    }
    json_write(value, NULL, NULL, &text);
    if (!buffer_ok(&text) ||
        json_read(buffer_slice(&text), &json_limits_default, arena, NULL, &json) != STATUS_OK) {
        return NULL;
    }
    return json.root;
}

/* The member "fixedCode", "patternCodeableConcept" ...: STEM and a type. */
static yyjson_val *typed_member(yyjson_val *element, struct slice stem)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(element, i, max, key, value)
    {
        struct slice name = json_string(key);
        if (name.length > stem.length && slice_starts(name, stem) && name.at[stem.length] >= 'A' &&
            name.at[stem.length] <= 'Z') {
            return value;
        }
    }
    return NULL;
}

static const struct slice *copy_list(struct arena *arena, yyjson_val *list, size_t *ret_count)
{
    size_t i, max;
    yyjson_val *each;
    struct slice *copies = arena_array(arena, yyjson_arr_size(list), sizeof *copies);
    *ret_count = 0;
    if (copies == NULL) {
        return NULL;
    }
    yyjson_arr_foreach(list, i, max, each)
    {
        copies[(*ret_count)++] = arena_copy(arena, json_string(each));
    }
    return copies;
}

static uint32_t number_of(struct slice text, uint32_t otherwise)
{
    uint64_t value;
    return slice_to_unsigned(text, UINT32_MAX - 1, &value) ? (uint32_t)value : otherwise;
}

/* ---- types ------------------------------------------------------------------------------------
 */

static void read_types(struct compiling *compiling, yyjson_val *element, struct rule_element *rule)
{
    yyjson_val *types = json_get(element, "type");
    size_t i, max, at, most;
    yyjson_val *type, *kind;
    rule->types = arena_array(compiling->arena, yyjson_arr_size(types), sizeof *rule->types);
    if (rule->types == NULL) {
        return;
    }
    yyjson_arr_foreach(types, i, max, type)
    {
        struct slice code = json_get_string(type, "code");
        if (slice_starts(code, SLICE(SYSTEM_PREFIX))) {
            continue; /* ids, urls and values of primitives: structure knows */
        }
        struct allowed_type *allowed = &rule->types[rule->type_count++];
        allowed->code = arena_copy(compiling->arena, code);
        allowed->row = type_find(compiling->validator->definitions, code);
        allowed->profiles =
            copy_list(compiling->arena, json_get(type, "profile"), &allowed->profile_count);
        allowed->targets =
            copy_list(compiling->arena, json_get(type, "targetProfile"), &allowed->target_count);
        yyjson_arr_foreach(json_get(type, "aggregation"), at, most, kind)
        {
            struct slice name = json_string(kind);
            rule->aggregation |= (uint8_t)(slice_is(name, "contained")    ? AGGREGATION_CONTAINED
                                           : slice_is(name, "referenced") ? AGGREGATION_REFERENCED
                                                                          : AGGREGATION_BUNDLED);
        }
    }
}

/* How many members the choice has in the base. */
static size_t choice_size(const struct element_tables *tables, const struct type_row *owner,
                          const struct element_row *row)
{
    size_t count = 0;
    for (size_t i = 0; i < owner->element_count; i++) {
        count += type_element(tables, owner, i)->group == row->group;
    }
    return count;
}

/* Are the target profiles just the base's target types? */
static bool base_targets(const struct allowed_type *type, const struct element_row *row)
{
    for (size_t i = 0; i < type->target_count; i++) {
        struct slice target = type->targets[i];
        if (slice_is(target, STRUCTURE_PREFIX "Resource")) {
            return true;
        }
        struct slice name = slice_from(target, sizeof(STRUCTURE_PREFIX) - 1);
        if (!slice_starts(target, SLICE(STRUCTURE_PREFIX)) || name.length == 0 ||
            name.at[0] < 'A' || name.at[0] > 'Z' || slice_index(name, '-') < name.length) {
            return false;
        }
    }
    return row != NULL && type->target_count == row->target_count;
}

static bool types_are_own(const struct element_tables *tables, const struct rule_element *rule,
                          const struct type_row *owner)
{
    if (rule->row == NULL || rule->type_count == 0) {
        return false;
    }
    bool choice = (rule->row->flags & ELEMENT_CHOICE) != 0;
    if (choice && rule->type_count < choice_size(tables, owner, rule->row)) {
        return true;
    }
    for (size_t i = 0; i < rule->type_count; i++) {
        const struct allowed_type *type = &rule->types[i];
        if (type->profile_count > 0 || rule->aggregation != 0 ||
            (type->target_count > 0 && !base_targets(type, rule->row))) {
            return true;
        }
    }
    const struct type_row *own = element_type_row(tables, rule->row);
    return !choice && own->kind == TYPE_ABSTRACT && rule->types[0].row != own;
}

/* The type that the rule's children are looked up in. */
static const struct type_row *type_of_values(const struct validator *validator,
                                             const struct rule_element *rule)
{
    const struct type_row *only = rule->type_count == 1 ? rule->types[0].row : NULL;
    if ((rule->row->flags & ELEMENT_CHOICE) != 0) {
        return rule->type_count == 1 ? only : NULL;
    }
    const struct type_row *own = element_type_row(validator->tables, rule->row);
    return own->kind == TYPE_ABSTRACT ? only : own;
}

static const struct element_row *row_of(const struct validator *validator,
                                        const struct type_row *owner, struct slice stem)
{
    for (size_t i = 0; owner != NULL && i < owner->element_count; i++) {
        const struct element_row *row = type_element(validator->tables, owner, i);
        struct slice name = table_text(validator->tables, row->name);
        if (row->stem_length == stem.length &&
            slice_equals(slice_head(name, row->stem_length), stem)) {
            return row;
        }
    }
    return NULL;
}

/* ---- rules ------------------------------------------------------------------------------------
 */

static bool base_has(const struct constraint *list, struct slice key)
{
    while (list != NULL && !slice_equals(list->key, key)) {
        list = list->next;
    }
    return list != NULL;
}

static void read_constraints(struct compiling *compiling, yyjson_val *element,
                             struct rule_element *rule, const struct type_row *type)
{
    struct validator *validator = compiling->validator;
    const struct type_rules *of_type = type != NULL ? rules_of(validator, type) : NULL;
    const struct element_rules *of_element =
        rule->row != NULL ? element_rules_of(validator, rule->row) : NULL;
    struct constraint **link = &rule->constraints;
    size_t i, max;
    yyjson_val *each;
    yyjson_arr_foreach(json_get(element, "constraint"), i, max, each)
    {
        struct slice key = json_get_string(each, "key");
        if (constraint_is_native(key) || (of_type != NULL && base_has(of_type->constraints, key)) ||
            (of_element != NULL && base_has(of_element->constraints, key))) {
            continue;
        }
        struct constraint *made =
            read_constraint(validator->definitions, each, type, compiling->arena);
        if (made != NULL) {
            *link = made;
            link = &made->next;
        }
    }
}

static struct slice bare(struct slice canonical)
{
    return slice_head(canonical, slice_index(canonical, '|'));
}

static void read_own_binding(struct compiling *compiling, yyjson_val *element,
                             struct rule_element *rule)
{
    const struct element_rules *base =
        rule->row != NULL ? element_rules_of(compiling->validator, rule->row) : NULL;
    read_binding(element, compiling->arena, &rule->binding);
    bool same = base != NULL && base->binding.strength == rule->binding.strength &&
                slice_equals(bare(base->binding.value_set), bare(rule->binding.value_set)) &&
                slice_equals(base->binding.most, rule->binding.most);
    if (same || (rule->binding.strength < STRENGTH_EXTENSIBLE && rule->binding.most.length == 0)) {
        rule->binding.strength = STRENGTH_NONE;
    }
}

static void read_slicing(struct compiling *compiling, yyjson_val *element,
                         struct rule_element *rule)
{
    yyjson_val *slicing = json_get(element, "slicing");
    yyjson_val *list = json_get(slicing, "discriminator");
    struct slice rules = json_get_string(slicing, "rules");
    size_t i, max;
    yyjson_val *each;
    if (slicing == NULL) {
        return;
    }
    rule->sliced = true;
    rule->ordered = yyjson_get_bool(json_get(slicing, "ordered"));
    rule->rules = slice_is(rules, "closed")      ? SLICING_CLOSED
                  : slice_is(rules, "openAtEnd") ? SLICING_OPEN_AT_END
                                                 : SLICING_OPEN;
    rule->discriminators =
        arena_array(compiling->arena, yyjson_arr_size(list), sizeof *rule->discriminators);
    if (rule->discriminators == NULL) {
        return;
    }
    yyjson_arr_foreach(list, i, max, each)
    {
        struct slice kind = json_get_string(each, "type");
        rule->discriminators[rule->discriminator_count++] = (struct discriminator){
            .kind = slice_is(kind, "type")      ? DISCRIMINATE_TYPE
                    : slice_is(kind, "profile") ? DISCRIMINATE_PROFILE
                    : slice_is(kind, "exists")  ? DISCRIMINATE_EXISTS
                                                : DISCRIMINATE_VALUE,
            .path = arena_copy(compiling->arena, json_get_string(each, "path"))};
    }
}

/* Slices of extensions are told apart by url and those of a choice by type, also unsaid. */
static void imply_slicing(struct compiling *compiling, struct rule_element *rule)
{
    if (rule->sliced || rule->slices == NULL || rule->row == NULL) {
        return;
    }
    bool choice = (rule->row->flags & ELEMENT_CHOICE) != 0;
    if (!choice && rule->row->fhir_type != FHIR_TYPE_EXTENSION) {
        return;
    }
    rule->discriminators = arena_array(compiling->arena, 1, sizeof *rule->discriminators);
    if (rule->discriminators != NULL) {
        rule->discriminator_count = 1;
        rule->sliced = true;
        rule->discriminators[0] = choice ? (struct discriminator){DISCRIMINATE_TYPE, SLICE("$this")}
                                         : (struct discriminator){DISCRIMINATE_VALUE, SLICE("url")};
    }
}

static void read_element(struct compiling *compiling, yyjson_val *element,
                         struct rule_element *rule, const struct type_row *owner)
{
    struct validator *validator = compiling->validator;
    rule->id = arena_copy(compiling->arena, json_get_string(element, "id"));
    rule->min = number_of(json_number(json_get(element, "min")), 0);
    rule->max = number_of(json_get_string(element, "max"), UINT32_MAX);
    rule->must_support = yyjson_get_bool(json_get(element, "mustSupport"));
    rule->fixed = copy_value(compiling->arena, typed_member(element, SLICE("fixed")));
    rule->pattern = copy_value(compiling->arena, typed_member(element, SLICE("pattern")));
    rule->least = copy_value(compiling->arena, typed_member(element, SLICE("minValue")));
    rule->greatest = copy_value(compiling->arena, typed_member(element, SLICE("maxValue")));
    rule->longest = number_of(json_number(json_get(element, "maxLength")), 0);
    read_types(compiling, element, rule);
    read_slicing(compiling, element, rule);
    if (rule->row == NULL) {
        rule->type = compiling->profile->type;
    } else {
        rule->type = type_of_values(validator, rule);
        uint32_t most = rule->row->max == UINT16_MAX ? UINT32_MAX : rule->row->max;
        rule->own_min = rule->min > rule->row->min || (rule->slice.length > 0 && rule->min > 0);
        rule->own_max = rule->max < most;
        rule->own_types = types_are_own(validator->tables, rule, owner);
    }
    if (rule->type != NULL) {
        (void)rules_of(validator, rule->type); /* element rules of its members */
    }
    read_own_binding(compiling, element, rule);
    read_constraints(compiling, element, rule, rule->type);
}

/* ---- the tree ---------------------------------------------------------------------------------
 */

static void add_child(struct rule_element *parent, struct rule_element *child)
{
    if (parent->last_child == NULL) {
        parent->children = child;
    } else {
        parent->last_child->next = child;
    }
    parent->last_child = child;
}

static void add_slice(struct rule_element *unsliced, struct rule_element *slice)
{
    struct rule_element **link = &unsliced->slices;
    while (*link != NULL) {
        struct rule_element *each = *link;
        if (slice_starts(slice->slice, each->slice) && slice->slice.length > each->slice.length &&
            slice->slice.at[each->slice.length] == '/') {
            add_slice(each, slice); /* a slice of a slice */
            return;
        }
        link = &each->next;
    }
    *link = slice;
}

static void number_slices(struct rule_element *sliced, struct rule_element *rule)
{
    for (struct rule_element *each = rule->slices; each != NULL; each = each->next) {
        each->number = sliced->slice_total++;
        number_slices(sliced, each);
    }
}

static struct rule_element *child_of(struct rule_element *parent, struct slice stem)
{
    struct rule_element *each = parent->children;
    while (each != NULL && !slice_equals(each->stem, stem)) {
        each = each->next;
    }
    return each;
}

/* "valueQuantity" beside value[x] in snapshots of old: the choice's row, and a slice. */
static const struct element_row *choice_row(const struct validator *validator,
                                            const struct type_row *owner, struct slice name)
{
    const struct element_row *row =
        owner != NULL ? type_find_element(validator->tables, owner, name.at, name.length) : NULL;
    return row != NULL && (row->flags & ELEMENT_CHOICE) != 0 ? row : NULL;
}

static struct rule_element *add_element(struct compiling *compiling, yyjson_val *element,
                                        struct rule_element *parent, struct slice name)
{
    struct validator *validator = compiling->validator;
    struct rule_element *rule = ARENA_NEW(compiling->arena, struct rule_element);
    struct slice slice = json_get_string(element, "sliceName");
    if (rule == NULL) {
        return NULL;
    }
    bool choice = slice_ends(name, SLICE("[x]"));
    struct slice stem = slice_head(name, name.length - (choice ? 3 : 0));
    const struct type_row *owner =
        parent->type != NULL ? parent->type : type_find(validator->definitions, SLICE("Element"));
    rule->row = row_of(validator, owner, stem);
    if (rule->row == NULL) {
        rule->row = choice_row(validator, owner, name);
        if (rule->row == NULL) {
            return NULL; /* not an element of R4: nothing can be asked of it */
        }
        stem = slice_head(stem, rule->row->stem_length);
        slice = slice.length > 0 ? slice : name;
    }
    rule->stem = arena_copy(compiling->arena, stem);
    rule->slice = arena_copy(compiling->arena, slice);
    rule->parent = parent;
    read_element(compiling, element, rule, owner);
    struct rule_element *unsliced = child_of(parent, stem);
    if (slice.length > 0 && unsliced != NULL) {
        add_slice(unsliced, rule);
    } else {
        add_child(parent, rule);
    }
    return rule;
}

/* What is asked anywhere below; and the table of children by group. */
static void finish(struct compiling *compiling, struct rule_element *rule)
{
    imply_slicing(compiling, rule);
    rule->asks = rule->own_min || rule->own_max || rule->own_types || rule->must_support ||
                 rule->fixed != NULL || rule->pattern != NULL || rule->least != NULL ||
                 rule->greatest != NULL || rule->longest > 0 || rule->constraints != NULL ||
                 rule->binding.strength != STRENGTH_NONE;
    for (struct rule_element *each = rule->slices; each != NULL; each = each->next) {
        finish(compiling, each);
        rule->asks = true;
    }
    if (rule->type != NULL && rule->children != NULL) {
        rule->by_group =
            arena_array(compiling->arena, rule->type->group_count, sizeof(struct rule_element *));
    }
    for (struct rule_element *each = rule->children; each != NULL; each = each->next) {
        number_slices(each, each);
        finish(compiling, each);
        rule->asks = rule->asks || each->asks;
        if (rule->by_group != NULL && each->asks) {
            rule->by_group[each->row->group] = each;
        }
    }
}

static void read_snapshot(struct compiling *compiling, yyjson_val *definition)
{
    struct rule_element *stack[DEPTH_LIMIT] = {compiling->profile->root};
    size_t i, max;
    yyjson_val *element;
    yyjson_arr_foreach(json_get(json_get(definition, "snapshot"), "element"), i, max, element)
    {
        struct slice path = json_get_string(element, "path");
        size_t depth = 0, start = 0;
        for (size_t at = 0; at < path.length; at++) {
            if (path.at[at] == '.') {
                depth++;
                start = at + 1;
            }
        }
        if (depth == 0) {
            read_element(compiling, element, compiling->profile->root, NULL);
        } else if (depth < DEPTH_LIMIT && stack[depth - 1] != NULL) {
            stack[depth] =
                add_element(compiling, element, stack[depth - 1], slice_from(path, start));
        }
        for (size_t below = depth + 1; below < DEPTH_LIMIT; below++) {
            stack[below] = NULL;
        }
    }
    finish(compiling, compiling->profile->root);
}

/* ---- extensions -------------------------------------------------------------------------------
 */

static void read_contexts(struct compiling *compiling, yyjson_val *definition)
{
    struct profile *profile = compiling->profile;
    yyjson_val *contexts = json_get(definition, "context");
    size_t i, max;
    yyjson_val *each;
    profile->contexts =
        arena_array(compiling->arena, yyjson_arr_size(contexts), sizeof *profile->contexts);
    if (profile->contexts == NULL) {
        return;
    }
    yyjson_arr_foreach(contexts, i, max, each)
    {
        struct slice expression = json_get_string(each, "expression");
        bool element = slice_is(json_get_string(each, "type"), "element") ||
                       slice_is(json_get_string(each, "type"), "extension");
        bool simple = element && slice_index(expression, '#') == expression.length;
        profile->any_context = profile->any_context || !simple;
        profile->contexts[profile->context_count++] = arena_copy(compiling->arena, expression);
    }
}

struct profile *profile_compile(struct validator *validator, const struct canonical *canonical)
{
    struct arena *arena = arena_create(0);
    struct profile *profile = arena != NULL ? ARENA_NEW(arena, struct profile) : NULL;
    if (profile == NULL) {
        arena_destroy(arena);
        return NULL;
    }
    yyjson_val *definition = canonical->json->root;
    struct compiling compiling = {validator, profile, arena};
    *profile = (struct profile){.arena = arena,
                                .serial = canonical->serial,
                                .url = arena_copy(arena, canonical->url),
                                .version = arena_copy(arena, canonical->version),
                                .added = canonical->package.length == 0,
                                .type_name = arena_copy(arena, json_get_string(definition, "type")),
                                .root = ARENA_NEW(arena, struct rule_element)};
    profile->type = type_find(validator->definitions, profile->type_name);
    if (profile->type == NULL || profile->root == NULL ||
        json_get(definition, "snapshot") == NULL) {
        arena_destroy(arena);
        return NULL;
    }
    profile->resource = profile->type->resource;
    if (slice_is(json_get_string(definition, "derivation"), "constraint")) {
        (void)rules_of(validator, profile->type);
        read_snapshot(&compiling, definition);
    }
    yyjson_val *first = yyjson_arr_get_first(json_get(json_get(definition, "snapshot"), "element"));
    profile->modifier = yyjson_get_bool(json_get(first, "isModifier"));
    read_contexts(&compiling, definition);
    if (arena_full(arena)) {
        arena_destroy(arena);
        return NULL;
    }
    return profile;
}
