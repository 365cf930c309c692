/* SPDX-License-Identifier: MIT */
/* SNOMED CT's Expression Constraint Language (version 2.1, without its filters, history supplements
 * and nested cardinalities): what is read becomes bitmaps at once; only refinements are asked of
 * each concept. And R4's own filters on SNOMED CT (snomedct.html). */
#include <roaring/roaring.h>
#include <stdlib.h>

#include "terms/ecl.h"
#include "terms/release.h"

#define TEXT_LONGEST 20000u
#define DEPTH_MOST   64u
#define PARTS_MOST   64u

enum comparison { EQUAL, UNEQUAL, LESS, AT_MOST, MORE, AT_LEAST };

enum refinement_kind { REFINE_ATTRIBUTE, REFINE_AND, REFINE_OR, REFINE_GROUP, REFINE_IN };

/* What a concept's attributes must be. */
struct refinement {
    enum refinement_kind kind;
    const roaring_bitmap_t *names, *values; /* ATTRIBUTE; IN: the concepts themselves */
    bool concrete;                          /* the value is NUMBER or TEXT */
    enum comparison comparison;
    struct decimal number;
    struct slice text;
    bool is_text;
    uint32_t least, most; /* cardinality */
    const struct refinement *parts[PARTS_MOST];
    size_t part_count;
};

struct reading {
    struct scope *scope;
    const struct code_system *system;
    const struct release *release;
    struct arena *arena;
    struct slice text;
    size_t at;
    unsigned depth;
    enum status status;
};

static roaring_bitmap_t *read_expression(struct reading *reading);
static struct refinement *read_refinement(struct reading *reading);

/* ---- letters ----------------------------------------------------------------------------------
 */

static void *fail(struct reading *reading, enum status status)
{
    if (reading->status == STATUS_OK) {
        reading->status = status;
    }
    return NULL;
}

/* The number of concepts that were looked at since the last look at the clock is not known: a walk
 * over all of them takes milliseconds. */
static bool in_time(struct reading *reading)
{
    if (scope_late(reading->scope)) {
        (void)fail(reading, STATUS_TOO_COSTLY);
    }
    return reading->status == STATUS_OK;
}

static void skip_space(struct reading *reading)
{
    const struct slice text = reading->text;
    while (reading->at < text.length) {
        char byte = text.at[reading->at];
        if (byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n') {
            reading->at++;
        } else if (slice_starts(slice_from(text, reading->at), SLICE("/*"))) {
            reading->at += 2;
            while (reading->at < text.length &&
                   !slice_starts(slice_from(text, reading->at), SLICE("*/"))) {
                reading->at++;
            }
            reading->at += reading->at < text.length ? 2 : 0;
        } else {
            return;
        }
    }
}

static bool take(struct reading *reading, const char *token)
{
    skip_space(reading);
    struct slice wanted = slice_text(token);
    if (!slice_starts(slice_from(reading->text, reading->at), wanted)) {
        return false;
    }
    reading->at += wanted.length;
    return true;
}

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* A word of the language, in any case, that ends there. */
static bool take_word(struct reading *reading, const char *word)
{
    skip_space(reading);
    struct slice rest = slice_from(reading->text, reading->at), wanted = slice_text(word);
    if (!slice_equals_ignoring_case(slice_head(rest, wanted.length), wanted) ||
        (rest.length > wanted.length && is_letter(rest.at[wanted.length]))) {
        return false;
    }
    reading->at += wanted.length;
    return true;
}

static char peek(struct reading *reading)
{
    skip_space(reading);
    return reading->at < reading->text.length ? reading->text.at[reading->at] : '\0';
}

static struct slice take_digits(struct reading *reading)
{
    skip_space(reading);
    size_t from = reading->at;
    while (reading->at < reading->text.length && reading->text.at[reading->at] >= '0' &&
           reading->text.at[reading->at] <= '9') {
        reading->at++;
    }
    return slice_of(reading->text.at + from, reading->at - from);
}

/* ---- concepts ---------------------------------------------------------------------------------
 */

static void skip_term(struct reading *reading)
{
    if (take(reading, "|")) {
        size_t end = slice_index(slice_from(reading->text, reading->at), '|');
        reading->at += end;
        if (!take(reading, "|")) {
            (void)fail(reading, STATUS_INVALID);
        }
    }
}

/* The number of the concept, or CODE_NONE when the release does not have it. */
static uint32_t read_concept(struct reading *reading)
{
    struct slice id = take_digits(reading);
    if (id.length < 6 || id.length > 18) {
        (void)fail(reading, STATUS_INVALID);
        return CODE_NONE;
    }
    skip_term(reading);
    return code_find(reading->system, id);
}

static const struct release_set *find_set(const struct release *release, uint32_t concept)
{
    size_t low = 0, high = release->set_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (release->sets[middle].concept < concept) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < release->set_count && release->sets[low].concept == concept ? &release->sets[low]
                                                                             : NULL;
}

static void add_members(const struct release *release, uint32_t concept, roaring_bitmap_t *set)
{
    const struct release_set *found = find_set(release, concept);
    if (found != NULL) {
        roaring_bitmap_add_many(set, found->count, release->members + found->first);
    }
}

enum walk {
    SELF,
    BELOW,
    SELF_BELOW,
    CHILDREN,
    SELF_CHILDREN,
    ABOVE,
    SELF_ABOVE,
    PARENTS,
    SELF_PARENTS
};

static enum walk take_walk(struct reading *reading)
{
    static const struct {
        const char *token;
        enum walk walk;
    } walks[] = {{"<<!", SELF_CHILDREN}, {"<<", SELF_BELOW}, {"<!", CHILDREN}, {"<", BELOW},
                 {">>!", SELF_PARENTS},  {">>", SELF_ABOVE}, {">!", PARENTS},  {">", ABOVE}};
    static const struct {
        const char *word;
        enum walk walk;
    } words[] = {{"descendantOrSelfOf", SELF_BELOW}, {"descendantOf", BELOW},
                 {"childOrSelfOf", SELF_CHILDREN},   {"childOf", CHILDREN},
                 {"ancestorOrSelfOf", SELF_ABOVE},   {"ancestorOf", ABOVE},
                 {"parentOrSelfOf", SELF_PARENTS},   {"parentOf", PARENTS}};
    for (size_t i = 0; i < sizeof walks / sizeof walks[0]; i++) {
        if (take(reading, walks[i].token)) {
            return walks[i].walk;
        }
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (take_word(reading, words[i].word)) {
            return words[i].walk;
        }
    }
    return SELF;
}

static roaring_bitmap_t *walk_from(struct reading *reading, const roaring_bitmap_t *from,
                                   enum walk walk)
{
    static void (*const steps[])(const struct code_system *, uint32_t, roaring_bitmap_t *) = {
        [BELOW] = code_add_descendants, [SELF_BELOW] = code_add_descendants,
        [CHILDREN] = code_add_children, [SELF_CHILDREN] = code_add_children,
        [ABOVE] = code_add_ancestors,   [SELF_ABOVE] = code_add_ancestors,
        [PARENTS] = code_add_parents,   [SELF_PARENTS] = code_add_parents};
    bool self = walk == SELF || walk == SELF_BELOW || walk == SELF_CHILDREN || walk == SELF_ABOVE ||
                walk == SELF_PARENTS;
    roaring_bitmap_t *set = self ? bitmap_copy(from, reading->arena) : bitmap_make(reading->arena);
    if (set == NULL) {
        return fail(reading, STATUS_TOO_COSTLY);
    }
    if (walk == SELF) {
        return set;
    }
    size_t count;
    roaring_bitmap_t *reached = bitmap_make(reading->arena);
    struct arena_mark mark = arena_mark(reading->arena);
    const uint32_t *list = bitmap_list(from, reading->arena, &count);
    for (size_t i = 0; reached != NULL && i < count; i++) {
        /* What is below something that was reached already was reached with it. */
        bool deep = walk == BELOW || walk == SELF_BELOW || walk == ABOVE || walk == SELF_ABOVE;
        if (!deep || !roaring_bitmap_contains(reached, list[i])) {
            steps[walk](reading->system, list[i], reached);
        }
        if (i % CLOCK_EVERY == 0 && !in_time(reading)) {
            break;
        }
    }
    if (list != NULL) {
        arena_rewind(reading->arena, mark);
    }
    if (reached == NULL || list == NULL) {
        return fail(reading, STATUS_TOO_COSTLY);
    }
    roaring_bitmap_or_inplace(set, reached);
    return set;
}

/* "*", a concept, or an expression in brackets. */
static roaring_bitmap_t *read_focus(struct reading *reading)
{
    if (take(reading, "*") || take_word(reading, "any")) {
        return bitmap_all(reading->system, reading->arena);
    }
    if (take(reading, "(")) {
        roaring_bitmap_t *set = read_expression(reading);
        return take(reading, ")") ? set : fail(reading, STATUS_INVALID);
    }
    uint32_t concept = read_concept(reading);
    roaring_bitmap_t *set = bitmap_make(reading->arena);
    if (set == NULL) {
        return fail(reading, STATUS_TOO_COSTLY);
    }
    if (concept != CODE_NONE) {
        roaring_bitmap_add(set, concept);
    }
    return set;
}

static roaring_bitmap_t *members_of(struct reading *reading, const roaring_bitmap_t *sets)
{
    size_t count;
    roaring_bitmap_t *members = bitmap_make(reading->arena);
    struct arena_mark mark = arena_mark(reading->arena);
    const uint32_t *list = bitmap_list(sets, reading->arena, &count);
    for (size_t i = 0; members != NULL && i < count; i++) {
        add_members(reading->release, list[i], members);
    }
    if (list != NULL) {
        arena_rewind(reading->arena, mark);
    }
    return members != NULL ? members : fail(reading, STATUS_TOO_COSTLY);
}

/* The constraint operator, `^`, and what they apply to. */
static roaring_bitmap_t *read_simple(struct reading *reading)
{
    if (++reading->depth > DEPTH_MOST) {
        return fail(reading, STATUS_TOO_COSTLY);
    }
    enum walk walk = take_walk(reading);
    bool members = take(reading, "^") || take_word(reading, "memberOf");
    roaring_bitmap_t *focus = reading->status == STATUS_OK ? read_focus(reading) : NULL;
    if (focus != NULL && members) {
        focus = members_of(reading, focus);
    }
    if (focus != NULL && walk != SELF) {
        focus = walk_from(reading, focus, walk);
    }
    if (peek(reading) == '{' && slice_starts(slice_from(reading->text, reading->at), SLICE("{{"))) {
        focus = fail(reading, STATUS_NOT_SUPPORTED); /* filters, history supplements */
    }
    reading->depth--;
    return reading->status == STATUS_OK ? focus : NULL;
}

/* ---- attributes of concepts -------------------------------------------------------------------
 */

/* One group of a concept's attributes: a number, or one ungrouped attribute by itself. */
struct group {
    bool all;
    uint16_t number;
    uint32_t alone; /* row, when NUMBER is 0 */
};

static bool value_fits(const struct refinement *wanted, const struct release *release,
                       const struct release_property *row)
{
    if (!wanted->concrete) {
        bool in = row->target != CODE_NONE && roaring_bitmap_contains(wanted->values, row->target);
        return in == (wanted->comparison == EQUAL) && row->target != CODE_NONE;
    }
    struct slice text = release_text(release, row->value);
    if (row->target != CODE_NONE || wanted->is_text != (row->type == RELEASE_STRING)) {
        return false;
    }
    if (wanted->is_text) {
        return slice_equals(text, wanted->text) == (wanted->comparison == EQUAL);
    }
    struct decimal number;
    if (!decimal_parse(text, &number)) {
        return false;
    }
    int order = decimal_compare(number, wanted->number);
    switch (wanted->comparison) {
    case EQUAL:
        return order == 0;
    case UNEQUAL:
        return order != 0;
    case LESS:
        return order < 0;
    case AT_MOST:
        return order <= 0;
    case MORE:
        return order > 0;
    case AT_LEAST:
        return order >= 0;
    }
    return false;
}

static bool attribute_fits(const struct refinement *wanted, const struct release *release,
                           uint32_t concept, struct group group)
{
    const struct release_concept *rows = &release->concepts[concept];
    uint32_t found = 0;
    for (uint32_t i = rows[0].properties; i < rows[1].properties; i++) {
        const struct release_property *row = &release->properties[i];
        bool grouped =
            group.all || (group.number == 0 ? i == group.alone : row->group == group.number);
        if (grouped && row->attribute != CODE_NONE &&
            roaring_bitmap_contains(wanted->names, row->attribute) &&
            value_fits(wanted, release, row)) {
            found++;
        }
    }
    return found >= wanted->least && found <= wanted->most;
}

static bool fits(const struct refinement *wanted, const struct release *release, uint32_t concept,
                 struct group group);

/* How many groups of the concept fit? */
static bool groups_fit(const struct refinement *wanted, const struct release *release,
                       uint32_t concept)
{
    const struct release_concept *rows = &release->concepts[concept];
    uint32_t found = 0;
    for (uint32_t i = rows[0].properties; i < rows[1].properties; i++) {
        const struct release_property *row = &release->properties[i];
        bool first = row->attribute != CODE_NONE;
        for (uint32_t j = rows[0].properties; j < i && first && row->group != 0; j++) {
            first = release->properties[j].attribute == CODE_NONE ||
                    release->properties[j].group != row->group;
        }
        struct group group = {.number = row->group, .alone = i};
        if (first && fits(wanted->parts[0], release, concept, group)) {
            found++;
        }
    }
    return found >= wanted->least && found <= wanted->most;
}

static bool fits(const struct refinement *wanted, const struct release *release, uint32_t concept,
                 struct group group)
{
    switch (wanted->kind) {
    case REFINE_ATTRIBUTE:
        return attribute_fits(wanted, release, concept, group);
    case REFINE_GROUP:
        return groups_fit(wanted, release, concept);
    case REFINE_IN:
        return roaring_bitmap_contains(wanted->values, concept);
    case REFINE_AND:
    case REFINE_OR:
        for (size_t i = 0; i < wanted->part_count; i++) {
            bool one = fits(wanted->parts[i], release, concept, group);
            if (one == (wanted->kind == REFINE_OR)) {
                return one;
            }
        }
        return wanted->kind == REFINE_AND;
    }
    return false;
}

/* The values that the attributes of CONCEPTS have: "expression . attribute". */
static roaring_bitmap_t *values_of(struct reading *reading, const roaring_bitmap_t *concepts,
                                   const roaring_bitmap_t *names)
{
    size_t count;
    roaring_bitmap_t *values = bitmap_make(reading->arena);
    struct arena_mark mark = arena_mark(reading->arena);
    const uint32_t *list = bitmap_list(concepts, reading->arena, &count);
    for (size_t i = 0; values != NULL && i < count; i++) {
        const struct release_concept *rows = &reading->release->concepts[list[i]];
        for (uint32_t j = rows[0].properties; j < rows[1].properties; j++) {
            const struct release_property *row = &reading->release->properties[j];
            if (row->target != CODE_NONE && row->attribute != CODE_NONE &&
                roaring_bitmap_contains(names, row->attribute)) {
                roaring_bitmap_add(values, row->target);
            }
        }
        if (i % CLOCK_EVERY == 0 && !in_time(reading)) {
            break;
        }
    }
    if (list != NULL) {
        arena_rewind(reading->arena, mark);
    }
    return values != NULL ? values : fail(reading, STATUS_TOO_COSTLY);
}

/* ---- refinements ------------------------------------------------------------------------------
 */

static struct refinement *refinement_make(struct reading *reading, enum refinement_kind kind)
{
    struct refinement *made = ARENA_NEW(reading->arena, struct refinement);
    if (made == NULL) {
        return fail(reading, STATUS_TOO_COSTLY);
    }
    made->kind = kind;
    made->least = 1;
    made->most = UINT32_MAX;
    return made;
}

/* "[0..1]", "[1..*]" */
static bool read_cardinality(struct reading *reading, uint32_t *ret_least, uint32_t *ret_most)
{
    uint64_t least, most = UINT32_MAX;
    *ret_least = 1;
    *ret_most = UINT32_MAX;
    if (!take(reading, "[")) {
        return true;
    }
    bool whole = slice_to_unsigned(take_digits(reading), 100000, &least) && take(reading, "..");
    if (whole && !take(reading, "*")) {
        whole = slice_to_unsigned(take_digits(reading), 100000, &most);
    }
    if (!whole || !take(reading, "]")) {
        (void)fail(reading, STATUS_INVALID);
        return false;
    }
    *ret_least = (uint32_t)least;
    *ret_most = (uint32_t)most;
    return true;
}

static bool read_comparison(struct reading *reading, enum comparison *ret_comparison)
{
    static const struct {
        const char *token;
        enum comparison comparison;
    } all[] = {{"!=", UNEQUAL}, {"<>", UNEQUAL}, {"<=", AT_MOST}, {">=", AT_LEAST},
               {"=", EQUAL},    {"<", LESS},     {">", MORE}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (take(reading, all[i].token)) {
            *ret_comparison = all[i].comparison;
            return true;
        }
    }
    (void)fail(reading, STATUS_INVALID);
    return false;
}

static void read_concrete(struct reading *reading, struct refinement *made)
{
    made->concrete = true;
    if (take(reading, "#")) {
        size_t from = reading->at;
        while (reading->at < reading->text.length &&
               memchr("+-.0123456789", reading->text.at[reading->at], 13) != NULL) {
            reading->at++;
        }
        struct slice number = slice_of(reading->text.at + from, reading->at - from);
        if (number.length > 0 && number.at[0] == '+') {
            number = slice_from(number, 1);
        }
        if (!decimal_parse(number, &made->number)) {
            (void)fail(reading, STATUS_INVALID);
        }
        return;
    }
    (void)take(reading, "\"");
    size_t length = slice_index(slice_from(reading->text, reading->at), '"');
    made->is_text = true;
    made->text = slice_of(reading->text.at + reading->at, length);
    reading->at += length;
    if (!take(reading, "\"") || made->comparison > UNEQUAL) {
        (void)fail(reading, STATUS_INVALID);
    }
}

/* [cardinality] [R] name = value */
static struct refinement *read_attribute(struct reading *reading, uint32_t least, uint32_t most)
{
    bool reverse = take_word(reading, "R") || take_word(reading, "reverseOf");
    const roaring_bitmap_t *names = read_simple(reading);
    struct refinement *made = refinement_make(reading, REFINE_ATTRIBUTE);
    if (made == NULL || names == NULL || !read_comparison(reading, &made->comparison)) {
        return NULL;
    }
    made->names = names;
    made->least = least;
    made->most = most;
    char next = peek(reading);
    if (next == '#' || next == '"') {
        read_concrete(reading, made);
    } else if (made->comparison > UNEQUAL) {
        return fail(reading, STATUS_INVALID);
    } else {
        made->values = read_simple(reading);
    }
    if (reading->status != STATUS_OK) {
        return NULL;
    }
    if (!reverse) {
        return made;
    }
    if (made->concrete || made->comparison != EQUAL || least != 1 || most != UINT32_MAX) {
        return fail(reading, STATUS_NOT_SUPPORTED);
    }
    made->kind = REFINE_IN;
    made->values = values_of(reading, made->values, names);
    return made->values != NULL ? made : NULL;
}

static struct refinement *read_part(struct reading *reading)
{
    uint32_t least, most;
    if (++reading->depth > DEPTH_MOST) {
        return fail(reading, STATUS_TOO_COSTLY);
    }
    struct refinement *made = NULL;
    if (!read_cardinality(reading, &least, &most)) {
        return NULL;
    }
    if (take(reading, "{")) {
        made = refinement_make(reading, REFINE_GROUP);
        const struct refinement *inside = read_refinement(reading);
        if (made == NULL || inside == NULL || !take(reading, "}")) {
            return fail(reading, STATUS_INVALID);
        }
        made->parts[made->part_count++] = inside;
        made->least = least;
        made->most = most;
    } else if (peek(reading) == '(') {
        /* Brackets hold a refinement, or the name of an attribute. */
        struct reading before = *reading;
        (void)take(reading, "(");
        made = read_refinement(reading);
        if (made == NULL || !take(reading, ")")) {
            *reading = before;
            made = read_attribute(reading, least, most);
        }
    } else {
        made = read_attribute(reading, least, most);
    }
    reading->depth--;
    return reading->status == STATUS_OK ? made : NULL;
}

static struct refinement *read_refinement(struct reading *reading)
{
    struct refinement *all = NULL, *part = read_part(reading);
    while (part != NULL && reading->status == STATUS_OK) {
        bool either = false;
        if (take_word(reading, "OR")) {
            either = true;
        } else if (!take_word(reading, "AND") && !take(reading, ",")) {
            return all != NULL ? all : part;
        }
        enum refinement_kind kind = either ? REFINE_OR : REFINE_AND;
        if (all == NULL) {
            all = refinement_make(reading, kind);
            if (all == NULL) {
                return NULL;
            }
            all->parts[all->part_count++] = part;
        }
        if (all->kind != kind) { /* AND and OR need brackets where both stand */
            return fail(reading, STATUS_INVALID);
        }
        part = read_part(reading);
        if (all->part_count == PARTS_MOST) {
            return fail(reading, STATUS_TOO_COSTLY);
        }
        all->parts[all->part_count++] = part;
    }
    return NULL;
}

static roaring_bitmap_t *refined(struct reading *reading, roaring_bitmap_t *focus)
{
    const struct refinement *wanted = read_refinement(reading);
    roaring_bitmap_t *set = bitmap_make(reading->arena);
    if (wanted == NULL || set == NULL) {
        return fail(reading, STATUS_INVALID);
    }
    size_t count;
    struct arena_mark mark = arena_mark(reading->arena);
    const uint32_t *list = bitmap_list(focus, reading->arena, &count);
    for (size_t i = 0; i < count; i++) {
        if (i % CLOCK_EVERY == 0 && !in_time(reading)) {
            break;
        }
        if (fits(wanted, reading->release, list[i], (struct group){.all = true})) {
            roaring_bitmap_add(set, list[i]);
        }
    }
    if (list == NULL) {
        return fail(reading, STATUS_TOO_COSTLY);
    }
    arena_rewind(reading->arena, mark);
    return set;
}

/* ---- expressions ------------------------------------------------------------------------------
 */

static roaring_bitmap_t *read_refined(struct reading *reading)
{
    roaring_bitmap_t *set = read_simple(reading);
    while (set != NULL && take(reading, ".")) {
        const roaring_bitmap_t *names = read_simple(reading);
        set = names != NULL ? values_of(reading, set, names) : NULL;
    }
    if (set != NULL && take(reading, ":")) {
        set = refined(reading, set);
    }
    return reading->status == STATUS_OK ? set : NULL;
}

enum joint { JOINT_NONE, JOINT_AND, JOINT_OR, JOINT_MINUS };

static enum joint take_joint(struct reading *reading)
{
    return take_word(reading, "AND") || take(reading, ",") ? JOINT_AND
           : take_word(reading, "OR")                      ? JOINT_OR
           : take_word(reading, "MINUS")                   ? JOINT_MINUS
                                                           : JOINT_NONE;
}

static roaring_bitmap_t *read_expression(struct reading *reading)
{
    enum joint kind = JOINT_NONE, next;
    if (++reading->depth > DEPTH_MOST) {
        return fail(reading, STATUS_TOO_COSTLY);
    }
    roaring_bitmap_t *set = read_refined(reading);
    while (set != NULL && (next = take_joint(reading)) != JOINT_NONE) {
        if ((kind != JOINT_NONE && kind != next) || kind == JOINT_MINUS) {
            return fail(reading, STATUS_INVALID); /* without brackets it could mean two things */
        }
        kind = next;
        const roaring_bitmap_t *other = read_refined(reading);
        if (other == NULL) {
            return NULL;
        }
        if (kind == JOINT_AND) {
            roaring_bitmap_and_inplace(set, other);
        } else if (kind == JOINT_OR) {
            roaring_bitmap_or_inplace(set, other);
        } else {
            roaring_bitmap_andnot_inplace(set, other);
        }
    }
    reading->depth--;
    return reading->status == STATUS_OK ? set : NULL;
}

enum status ecl_select(struct scope *scope, const struct code_system *system, struct slice text,
                       roaring_bitmap_t **ret_set)
{
    struct reading reading = {.scope = scope,
                              .system = system,
                              .release = system->release,
                              .arena = scope->arena,
                              .text = text};
    if (system->release == NULL || system->release->head->snomed == 0) {
        return STATUS_NOT_SUPPORTED;
    }
    if (text.length > TEXT_LONGEST) {
        return STATUS_TOO_COSTLY;
    }
    *ret_set = read_expression(&reading);
    if (reading.status == STATUS_OK && (*ret_set == NULL || peek(&reading) != '\0')) {
        reading.status = arena_full(scope->arena) ? STATUS_TOO_COSTLY : STATUS_INVALID;
    }
    return reading.status;
}

/* ---- filters ----------------------------------------------------------------------------------
 */

enum status ecl_filter(struct scope *scope, const struct code_system *system, struct slice property,
                       struct slice op, struct slice value, roaring_bitmap_t *set)
{
    const struct release *release = system->release;
    bool equals = slice_is(op, "=");
    if (release == NULL || release->head->snomed == 0) {
        return STATUS_NOT_SUPPORTED;
    }
    if (equals && (slice_is(property, "constraint") || slice_is(property, "expression"))) {
        roaring_bitmap_t *selected = NULL;
        enum status status = ecl_select(scope, system, value, &selected);
        if (status == STATUS_OK) {
            roaring_bitmap_or_inplace(set, selected);
        }
        return status == STATUS_NOT_SUPPORTED ? STATUS_INVALID : status;
    }
    if (equals && slice_is(property, "expressions")) { /* there are only concepts here */
        roaring_bitmap_add_range(set, 0, system->count);
        return STATUS_OK;
    }
    if (slice_is(property, "concept") && slice_is(op, "in")) {
        uint32_t concept = code_find(system, value);
        if (concept != CODE_NONE && find_set(release, concept) != NULL) {
            add_members(release, concept, set);
            return STATUS_OK;
        }
    }
    return STATUS_NOT_SUPPORTED;
}
