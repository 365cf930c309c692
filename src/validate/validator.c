/* SPDX-License-Identifier: MIT */
/* Rules compiled from StructureDefinitions and kept: the base's by type and element, and profiles.
 */
#include "validate/profile_int.h"

#define STRUCTURE_PREFIX   "http://hl7.org/fhir/StructureDefinition/"
#define MOST_EXTENSION     STRUCTURE_PREFIX "elementdefinition-maxValueSet"
#define PRACTICE_EXTENSION STRUCTURE_PREFIX "elementdefinition-bestpractice"

/* ---- parts of an ElementDefinition ------------------------------------------------------------
 */

static yyjson_val *extension_of(yyjson_val *element, const char *url)
{
    size_t i, max;
    yyjson_val *each;
    yyjson_arr_foreach(json_get(element, "extension"), i, max, each)
    {
        if (slice_is(json_get_string(each, "url"), url)) {
            return each;
        }
    }
    return NULL;
}

/* vitalsigns requires the units of components to be among those of the vital signs themselves, and
 * so leaves no unit for what is measured with them; HL7's own pulse oximetry of US Core 3.1, which
 * builds on it, asks for oxygen flow in L/min. Read as what it must be: extensible. */
static bool is_too_strong(yyjson_val *element)
{
    struct slice set = json_get_string(json_get(element, "binding"), "valueSet");
    return slice_is(json_get_string(element, "path"), "Observation.component.value[x]") &&
           slice_is(slice_head(set, slice_index(set, '|')),
                    "http://hl7.org/fhir/ValueSet/ucum-vitals-common");
}

void read_binding(yyjson_val *element, struct arena *arena, struct binding *ret_binding)
{
    static const char *const names[] = {[STRENGTH_EXAMPLE] = "example",
                                        [STRENGTH_PREFERRED] = "preferred",
                                        [STRENGTH_EXTENSIBLE] = "extensible",
                                        [STRENGTH_REQUIRED] = "required"};
    yyjson_val *binding = json_get(element, "binding");
    struct slice strength = json_get_string(binding, "strength");
    *ret_binding = (struct binding){.strength = STRENGTH_NONE};
    for (int i = STRENGTH_EXAMPLE; i <= STRENGTH_REQUIRED; i++) {
        if (slice_is(strength, names[i])) {
            ret_binding->strength = (enum strength)i;
        }
    }
    if (binding == NULL) {
        return;
    }
    if (ret_binding->strength == STRENGTH_REQUIRED && is_too_strong(element)) {
        ret_binding->strength = STRENGTH_EXTENSIBLE;
    }
    ret_binding->value_set = arena_copy(arena, json_get_string(binding, "valueSet"));
    ret_binding->most =
        arena_copy(arena, json_get_string(extension_of(binding, MOST_EXTENSION), "valueCanonical"));
}

/* ele-1, ext-1, dom-2, txt-1 and txt-2 are structure's; bdl-7 is quadratic as an expression,
 * csd-1 takes too much memory; the others of this list are asked of every resource or reference and
 * are quicker in C. */
bool constraint_is_native(struct slice key)
{
    static const char *const keys[] = {"ele-1", "ext-1", "txt-1", "txt-2", "dom-2",
                                       "dom-3", "dom-4", "dom-5", "dom-6", "ref-1",
                                       "per-1", "bdl-7", "csd-1"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (slice_is(key, keys[i])) {
            return true;
        }
    }
    return false;
}

/* Expressions that say something else than the rule they stand for. */
static struct slice corrected(struct slice key, struct slice expression)
{
    /* "If there are more than one enableWhen"; the expression says more than two. */
    if (slice_is(key, "que-12") &&
        slice_is(expression, "enableWhen.count() > 2 implies enableBehavior.exists()")) {
        return SLICE("enableWhen.count() > 1 implies enableBehavior.exists()");
    }
    return expression;
}

struct constraint *read_constraint(const struct definitions *definitions, yyjson_val *constraint,
                                   const struct type_row *context, struct arena *arena)
{
    struct slice expression =
        corrected(json_get_string(constraint, "key"), json_get_string(constraint, "expression"));
    struct constraint *made = ARENA_NEW(arena, struct constraint);
    if (made == NULL) {
        return NULL;
    }
    made->key = arena_copy(arena, json_get_string(constraint, "key"));
    made->human = arena_copy(arena, json_get_string(constraint, "human"));
    bool error = slice_is(json_get_string(constraint, "severity"), "error");
    bool practice =
        yyjson_get_bool(json_get(extension_of(constraint, PRACTICE_EXTENSION), "valueBoolean"));
    made->severity = error && !practice ? SEVERITY_ERROR : SEVERITY_WARNING;
    /* One that does not compile is no rule that a record could break: who asks is told that it was
     * not asked. */
    if (expression.length == 0 ||
        fhirpath_compile(definitions, expression, context, FHIRPATH_LENIENT, arena, NULL,
                         &made->expression) != STATUS_OK) {
        made->expression = NULL;
    }
    return made;
}

/* ---- the base ---------------------------------------------------------------------------------
 */

static struct type_rules *type_rules_make(struct validator *validator, const struct type_row *type)
{
    _Atomic(struct type_rules *) *place = &validator->type_rules[type - validator->tables->types];
    struct type_rules *rules = atomic_load_explicit(place, memory_order_relaxed);
    if (rules == NULL) {
        rules = ARENA_NEW(validator->arena, struct type_rules);
    }
    return rules;
}

static void add_constraints(struct validator *validator, yyjson_val *element,
                            const struct type_row *context, struct constraint **list)
{
    size_t i, max;
    yyjson_val *each;
    while (*list != NULL) {
        list = &(*list)->next;
    }
    yyjson_arr_foreach(json_get(element, "constraint"), i, max, each)
    {
        if (constraint_is_native(json_get_string(each, "key"))) {
            continue;
        }
        struct constraint *made =
            read_constraint(validator->definitions, each, context, validator->arena);
        if (made != NULL) {
            *list = made;
            list = &made->next;
        }
    }
}

/* The rules of one member, or of each member of a choice. */
static void add_element_rules(struct validator *validator, yyjson_val *element,
                              const struct type_row *owner, struct slice name, bool backbone)
{
    bool choice = slice_ends(name, SLICE("[x]"));
    struct slice stem = slice_head(name, name.length - (choice ? 3 : 0));
    struct binding binding;
    read_binding(element, validator->arena, &binding);
    struct slice profile = json_string(
        yyjson_arr_get_first(json_get(yyjson_arr_get_first(json_get(element, "type")), "profile")));
    for (size_t i = 0; i < owner->element_count; i++) {
        const struct element_row *row = type_element(validator->tables, owner, i);
        struct slice member = table_text(validator->tables, row->name);
        if (row->stem_length != stem.length ||
            !slice_equals(slice_head(member, row->stem_length), stem)) {
            continue;
        }
        struct element_rules *rules = ARENA_NEW(validator->arena, struct element_rules);
        if (rules == NULL) {
            return;
        }
        rules->binding = binding;
        rules->binding.listed = row->code_set != 0;
        rules->profile = arena_copy(validator->arena, profile);
        if (!backbone) {
            add_constraints(validator, element, element_type_row(validator->tables, row),
                            &rules->constraints);
        }
        if (rules->constraints != NULL || rules->binding.strength >= STRENGTH_EXTENSIBLE ||
            rules->binding.most.length > 0 || rules->profile.length > 0) {
            atomic_store_explicit(&validator->element_rules[row - validator->tables->elements],
                                  rules, memory_order_release);
        }
    }
}

static void compile_base(struct validator *validator, yyjson_val *definition)
{
    size_t i, max;
    yyjson_val *element;
    yyjson_arr_foreach(json_get(json_get(definition, "snapshot"), "element"), i, max, element)
    {
        struct slice path = json_get_string(element, "path");
        const struct type_row *type = type_find(validator->definitions, path);
        if (type != NULL) {
            struct type_rules *rules = type_rules_make(validator, type);
            if (rules == NULL) {
                return;
            }
            add_constraints(validator, element, type, &rules->constraints);
            atomic_store_explicit(&validator->type_rules[type - validator->tables->types], rules,
                                  memory_order_relaxed);
        }
        size_t dot = path.length;
        while (dot > 0 && path.at[dot - 1] != '.') {
            dot--;
        }
        const struct type_row *owner =
            dot > 0 ? type_find(validator->definitions, slice_head(path, dot - 1)) : NULL;
        if (owner != NULL) {
            add_element_rules(validator, element, owner, slice_from(path, dot), type != NULL);
        }
    }
}

/* Whether a type's rules are whole is said last of all, by its own flag. */
static bool is_compiled(const struct validator *validator, const struct type_row *type)
{
    return atomic_load_explicit(&validator->compiled[type - validator->tables->types],
                                memory_order_acquire);
}

static const struct type_row *home_of(const struct validator *validator,
                                      const struct type_row *type)
{
    struct slice name = table_text(validator->tables, type->name);
    size_t dot = slice_index(name, '.');
    return dot == name.length ? type : type_find(validator->definitions, slice_head(name, dot));
}

static void mark_compiled(struct validator *validator, const struct type_row *home)
{
    for (uint32_t i = 0; i < validator->tables->type_count; i++) {
        const struct type_row *each = &validator->tables->types[i];
        if (home_of(validator, each) == home) {
            atomic_store_explicit(&validator->compiled[i], true, memory_order_release);
        }
    }
}

const struct type_rules *rules_of(struct validator *validator, const struct type_row *type)
{
    if (!is_compiled(validator, type)) {
        const struct type_row *home = home_of(validator, type);
        struct slice name = table_text(validator->tables, home->name);
        char url[160];
        int length = snprintf(url, sizeof url, STRUCTURE_PREFIX "%.*s", SLICE_ARGS(name));
        const struct canonical *definition =
            conformance_hold(validator->conformance, SLICE("StructureDefinition"),
                             slice_of(url, length > 0 ? (size_t)length : 0));
        pthread_mutex_lock(&validator->lock);
        if (!is_compiled(validator, type)) {
            if (definition != NULL) {
                compile_base(validator, definition->json->root);
            }
            mark_compiled(validator, home);
        }
        pthread_mutex_unlock(&validator->lock);
        conformance_release(validator->conformance, definition);
    }
    return atomic_load_explicit(&validator->type_rules[type - validator->tables->types],
                                memory_order_relaxed);
}

/* ---- profiles ---------------------------------------------------------------------------------
 */

#define PROFILES_ADDED_MOST 16u /* until it is looked at which were replaced */

static struct profile *profile_known(struct validator *validator, uint64_t serial)
{
    struct profile *each = validator->profiles[serial % PROFILE_BUCKETS];
    while (each != NULL && each->serial != serial) {
        each = each->next;
    }
    return each;
}

static struct profile *profile_keep(struct validator *validator, struct profile *made)
{
    struct profile *other = profile_known(validator, made->serial);
    if (other != NULL) {
        arena_destroy(made->arena); /* somebody was quicker */
        return other;
    }
    struct profile **bucket = &validator->profiles[made->serial % PROFILE_BUCKETS];
    made->next = *bucket;
    *bucket = made;
    validator->added += made->added;
    return made;
}

static bool is_replaced(struct validator *validator, const struct profile *profile)
{
    struct arena *arena = arena_create(0);
    const char *name =
        arena_print(arena, "%.*s%s%.*s", SLICE_ARGS(profile->url),
                    profile->version.length > 0 ? "|" : "", SLICE_ARGS(profile->version));
    const struct canonical *found =
        name != NULL ? conformance_hold(validator->conformance, SLICE("StructureDefinition"),
                                        slice_text(name))
                     : NULL;
    bool replaced = name != NULL && (found == NULL || found->serial != profile->serial);
    conformance_release(validator->conformance, found);
    arena_destroy(arena);
    return replaced;
}

/* Nobody has a profile in hand. */
static void drop_replaced(struct validator *validator)
{
    for (size_t i = 0; i < PROFILE_BUCKETS; i++) {
        struct profile **link = &validator->profiles[i];
        while (*link != NULL) {
            struct profile *each = *link;
            if (each->added && !each->pinned && is_replaced(validator, each)) {
                *link = each->next;
                arena_destroy(each->arena);
            } else {
                link = &each->next;
            }
        }
    }
}

void validator_enter(struct validator *validator)
{
    (void)pthread_rwlock_rdlock(&validator->use);
}

void validator_leave(struct validator *validator)
{
    (void)pthread_rwlock_unlock(&validator->use);
    if (validator->added >= PROFILES_ADDED_MOST && pthread_rwlock_trywrlock(&validator->use) == 0) {
        validator->added = 0;
        drop_replaced(validator);
        (void)pthread_rwlock_unlock(&validator->use);
    }
}

const struct profile *profile_find(struct validator *validator, struct slice canonical)
{
    const struct canonical *found =
        conformance_hold(validator->conformance, SLICE("StructureDefinition"), canonical);
    if (found == NULL) {
        return NULL;
    }
    pthread_mutex_lock(&validator->lock);
    struct profile *profile = profile_known(validator, found->serial);
    pthread_mutex_unlock(&validator->lock);
    if (profile == NULL) {
        profile = profile_compile(validator, found);
        if (profile != NULL) {
            pthread_mutex_lock(&validator->lock);
            profile = profile_keep(validator, profile);
            pthread_mutex_unlock(&validator->lock);
        }
    }
    conformance_release(validator->conformance, found);
    return profile;
}

/* ---- opening ----------------------------------------------------------------------------------
 */

enum status validator_open(const struct definitions *definitions, struct conformance *conformance,
                           struct terms *terms, struct validator **ret_validator)
{
    struct arena *arena = arena_create(0);
    struct validator *validator = arena != NULL ? ARENA_NEW(arena, struct validator) : NULL;
    if (validator == NULL) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    const struct element_tables *tables = definitions_tables(definitions);
    *validator = (struct validator){.arena = arena,
                                    .definitions = definitions,
                                    .tables = tables,
                                    .conformance = conformance,
                                    .terms = terms};
    validator->type_rules = arena_array(arena, tables->type_count, sizeof *validator->type_rules);
    validator->element_rules =
        arena_array(arena, tables->element_count, sizeof *validator->element_rules);
    validator->compiled = arena_array(arena, tables->type_count, sizeof *validator->compiled);
    if (validator->compiled == NULL || arena_full(arena) ||
        pthread_mutex_init(&validator->lock, NULL) != 0) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    if (pthread_rwlock_init(&validator->use, NULL) != 0) {
        pthread_mutex_destroy(&validator->lock);
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    *ret_validator = validator;
    return STATUS_OK;
}

void validator_lend(const struct validator *validator, struct validate_options *options)
{
    if (options->conformance == NULL) {
        options->conformance = validator->conformance;
        options->terms = validator->terms;
    }
}

void validator_close(struct validator *validator)
{
    if (validator == NULL) {
        return;
    }
    for (size_t i = 0; i < PROFILE_BUCKETS; i++) {
        for (struct profile *each = validator->profiles[i], *next; each != NULL; each = next) {
            next = each->next;
            arena_destroy(each->arena);
        }
    }
    pthread_rwlock_destroy(&validator->use);
    pthread_mutex_destroy(&validator->lock);
    arena_destroy(validator->arena);
}

enum status validator_require(struct validator *validator, struct slice type, struct slice profile,
                              struct outcome *outcome)
{
    struct profile *found = (struct profile *)(uintptr_t)profile_find(validator, profile);
    struct policy *policy = ARENA_NEW(validator->arena, struct policy);
    if (found == NULL || !slice_equals(found->type_name, type)) {
        return outcome_fail(outcome, STATUS_NOT_FOUND, "",
                            "The profile %.*s for %.*s is not loaded, or not one of that type: "
                            "give its package with --package.",
                            SLICE_ARGS(profile), SLICE_ARGS(type));
    }
    if (policy == NULL) {
        return STATUS_MEMORY;
    }
    *policy = (struct policy){arena_copy(validator->arena, type), found, validator->policies};
    validator->policies = policy;
    found->pinned = true;
    return STATUS_OK;
}
