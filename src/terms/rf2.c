/* SPDX-License-Identifier: MIT */
/* SNOMED CT Release Format 2, the snapshot files of one or more packages: concepts, descriptions,
 * text definitions, inferred relationships with concrete values, language and other reference sets.
 * Of rows for the same component the latest counts. */
#include <roaring/roaring.h>
#include <stdlib.h>

#include "terms/release.h"

#define SNOMED        "http://snomed.info/sct"
#define IS_A          UINT64_C(116680003)
#define INFERRED      UINT64_C(900000000000011006)
#define FULLY_NAMED   UINT64_C(900000000000003001)
#define SYNONYM       UINT64_C(900000000000013009)
#define PREFERRED     UINT64_C(900000000000548007)
#define DEFINED       UINT64_C(900000000000073002)
#define COLUMNS_MOST  16
#define NOT_PREFERRED 255u

struct concept {
    uint64_t id, module;
    uint32_t time;
    bool active, defined;
};

struct description {
    uint64_t id, type;
    uint32_t concept, time;
    struct slice term, language;
    bool active, definition;
    uint8_t rank; /* of the best language reference set that prefers it */
};

struct relationship {
    uint32_t source, target, attribute; /* numbers; target CODE_NONE: a concrete value */
    uint16_t group;
    struct slice value;
};

struct membership {
    uint32_t set, concept;
};

#define GROWING(type)                                                                              \
    struct {                                                                                       \
        type *rows;                                                                                \
        size_t count, capacity;                                                                    \
    }

struct rf2 {
    struct arena *arena;
    struct outcome *outcome;
    GROWING(struct concept) concepts;
    GROWING(struct description) descriptions;
    GROWING(struct relationship) relationships;
    GROWING(struct membership) memberships;
    uint32_t latest; /* effectiveTime */
    uint64_t module; /* of the concepts that are latest */
    struct text_ref *codes;
};

static bool grow(struct arena *arena, void **rows, size_t size, size_t count, size_t *capacity)
{
    if (count < *capacity) {
        return true;
    }
    size_t to = *capacity == 0 ? 1024 : *capacity * 2;
    void *more = arena_resize(arena, *rows, *capacity * size, to * size);
    if (more == NULL) {
        return false;
    }
    *rows = more;
    *capacity = to;
    return true;
}

#define PUSH(rf2, list)                                                                            \
    (grow((rf2)->arena, (void **)&(rf2)->list.rows, sizeof *(rf2)->list.rows, (rf2)->list.count,   \
          &(rf2)->list.capacity)                                                                   \
         ? &(rf2)->list.rows[(rf2)->list.count++]                                                  \
         : NULL)

/* ---- lines ------------------------------------------------------------------------------------
 */

static uint64_t id_of(struct slice text)
{
    uint64_t id;
    return slice_to_unsigned(text, UINT64_C(999999999999999999), &id) ? id : 0;
}

static uint32_t time_of(struct slice text)
{
    uint64_t time;
    return slice_to_unsigned(slice_head(text, 8), UINT32_MAX, &time) ? (uint32_t)time : 0;
}

typedef enum status take_line(struct rf2 *rf2, const struct slice *columns, size_t count);

static enum status each_line(struct rf2 *rf2, struct slice text, size_t columns_least,
                             take_line *take)
{
    (void)slice_cut(&text, '\n'); /* the names of the columns */
    while (text.at != NULL) {
        struct slice line = slice_cut(&text, '\n'), columns[COLUMNS_MOST];
        size_t count = 0;
        if (line.length > 0 && line.at[line.length - 1] == '\r') {
            line.length--;
        }
        if (line.length == 0) {
            continue;
        }
        while (line.at != NULL && count < COLUMNS_MOST) {
            columns[count++] = slice_cut(&line, '\t');
        }
        if (count < columns_least) {
            return outcome_fail(rf2->outcome, STATUS_STRUCTURE, "",
                                "A row of an RF2 file has too few columns: the file is damaged, "
                                "or of another format.");
        }
        TRY(take(rf2, columns, count));
    }
    return STATUS_OK;
}

/* ---- concepts ---------------------------------------------------------------------------------
 */

/* id effectiveTime active moduleId definitionStatusId */
static enum status take_concept(struct rf2 *rf2, const struct slice *columns, size_t count)
{
    (void)count;
    struct concept *concept = PUSH(rf2, concepts);
    if (concept == NULL) {
        return STATUS_TOO_COSTLY;
    }
    *concept = (struct concept){.id = id_of(columns[0]),
                                .time = time_of(columns[1]),
                                .active = slice_is(columns[2], "1"),
                                .module = id_of(columns[3]),
                                .defined = id_of(columns[4]) == DEFINED};
    if (concept->time > rf2->latest) {
        rf2->latest = concept->time;
        rf2->module = concept->module;
    }
    if (concept->id == 0) {
        return outcome_fail(rf2->outcome, STATUS_STRUCTURE, "",
                            "A concept's id is no SNOMED CT identifier.");
    }
    return STATUS_OK;
}

static int compare_concepts(const void *a, const void *b)
{
    const struct concept *left = a, *right = b;
    return left->id != right->id ? (left->id < right->id ? -1 : 1)
                                 : (left->time > right->time) - (left->time < right->time);
}

static void settle_concepts(struct rf2 *rf2)
{
    struct concept *rows = rf2->concepts.rows;
    size_t kept = 0;
    if (rf2->concepts.count > 0) {
        qsort(rows, rf2->concepts.count, sizeof *rows, compare_concepts);
    }
    for (size_t i = 0; i < rf2->concepts.count; i++) {
        if (kept > 0 && rows[kept - 1].id == rows[i].id) {
            rows[kept - 1] = rows[i]; /* the later one */
        } else {
            rows[kept++] = rows[i];
        }
    }
    rf2->concepts.count = kept;
}

static uint32_t find_concept(const struct rf2 *rf2, uint64_t id)
{
    size_t low = 0, high = rf2->concepts.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rf2->concepts.rows[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < rf2->concepts.count && rf2->concepts.rows[low].id == id ? (uint32_t)low
                                                                         : CODE_NONE;
}

/* ---- descriptions -----------------------------------------------------------------------------
 */

/* id effectiveTime active moduleId conceptId languageCode typeId term caseSignificanceId */
static enum status take_description(struct rf2 *rf2, const struct slice *columns, size_t count)
{
    (void)count;
    uint32_t concept = find_concept(rf2, id_of(columns[4]));
    if (concept == CODE_NONE) {
        return STATUS_OK;
    }
    struct description *row = PUSH(rf2, descriptions);
    if (row == NULL) {
        return STATUS_TOO_COSTLY;
    }
    *row = (struct description){.id = id_of(columns[0]),
                                .time = time_of(columns[1]),
                                .active = slice_is(columns[2], "1"),
                                .concept = concept,
                                .language = columns[5],
                                .type = id_of(columns[6]),
                                .term = columns[7],
                                .rank = NOT_PREFERRED};
    row->definition = row->type != FULLY_NAMED && row->type != SYNONYM;
    return STATUS_OK;
}

static int compare_descriptions(const void *a, const void *b)
{
    const struct description *left = a, *right = b;
    return left->id != right->id ? (left->id < right->id ? -1 : 1)
                                 : (left->time > right->time) - (left->time < right->time);
}

static int compare_by_concept(const void *a, const void *b)
{
    const struct description *left = a, *right = b;
    return left->concept != right->concept ? (left->concept < right->concept ? -1 : 1)
                                           : (left->id > right->id) - (left->id < right->id);
}

static void settle_descriptions(struct rf2 *rf2)
{
    struct description *rows = rf2->descriptions.rows;
    size_t kept = 0;
    if (rf2->descriptions.count > 0) {
        qsort(rows, rf2->descriptions.count, sizeof *rows, compare_descriptions);
    }
    for (size_t i = 0; i < rf2->descriptions.count; i++) {
        if (kept > 0 && rows[kept - 1].id == rows[i].id) {
            rows[kept - 1] = rows[i];
        } else {
            rows[kept++] = rows[i];
        }
    }
    rf2->descriptions.count = kept;
}

/* The language reference sets whose preferences count most, first: those of the UK, of GB English,
 * of US English; then any other. */
static uint8_t language_rank(uint64_t set)
{
    static const uint64_t ranked[] = {UINT64_C(999001261000000100), UINT64_C(999000691000001104),
                                      UINT64_C(900000000000508004), UINT64_C(900000000000509007)};
    uint8_t i = 0;
    while (i < sizeof ranked / sizeof ranked[0] && ranked[i] != set) {
        i++;
    }
    return i;
}

/* id effectiveTime active moduleId refsetId referencedComponentId acceptabilityId */
static enum status take_language(struct rf2 *rf2, const struct slice *columns, size_t count)
{
    (void)count;
    uint64_t id = id_of(columns[5]);
    if (!slice_is(columns[2], "1") || id_of(columns[6]) != PREFERRED) {
        return STATUS_OK;
    }
    size_t low = 0, high = rf2->descriptions.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rf2->descriptions.rows[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < rf2->descriptions.count && rf2->descriptions.rows[low].id == id) {
        uint8_t rank = language_rank(id_of(columns[4]));
        uint8_t *best = &rf2->descriptions.rows[low].rank;
        *best = rank < *best ? rank : *best;
    }
    return STATUS_OK;
}

/* ---- relationships and sets -------------------------------------------------------------------
 */

/* id effectiveTime active moduleId sourceId destinationId (or value) relationshipGroup typeId
 * characteristicTypeId modifierId */
static enum status take_relationship(struct rf2 *rf2, const struct slice *columns, size_t count)
{
    (void)count;
    uint32_t source = find_concept(rf2, id_of(columns[4]));
    uint32_t attribute = find_concept(rf2, id_of(columns[7]));
    bool concrete = columns[5].length > 1 && (columns[5].at[0] == '#' || columns[5].at[0] == '"');
    uint32_t target = concrete ? CODE_NONE : find_concept(rf2, id_of(columns[5]));
    uint64_t group;
    if (!slice_is(columns[2], "1") || source == CODE_NONE || attribute == CODE_NONE ||
        (target == CODE_NONE && !concrete) || id_of(columns[8]) != INFERRED) {
        return STATUS_OK;
    }
    struct relationship *row = PUSH(rf2, relationships);
    if (row == NULL) {
        return STATUS_TOO_COSTLY;
    }
    *row = (struct relationship){
        .source = source, .target = target, .attribute = attribute, .value = columns[5]};
    row->group = slice_to_unsigned(columns[6], UINT16_MAX, &group) ? (uint16_t)group : 0;
    return STATUS_OK;
}

/* id effectiveTime active moduleId refsetId referencedComponentId ... */
static enum status take_member(struct rf2 *rf2, const struct slice *columns, size_t count)
{
    (void)count;
    uint32_t set = find_concept(rf2, id_of(columns[4]));
    uint32_t concept = find_concept(rf2, id_of(columns[5]));
    if (!slice_is(columns[2], "1") || set == CODE_NONE || concept == CODE_NONE) {
        return STATUS_OK;
    }
    struct membership *row = PUSH(rf2, memberships);
    if (row == NULL) {
        return STATUS_TOO_COSTLY;
    }
    *row = (struct membership){set, concept};
    return STATUS_OK;
}

/* ---- files ------------------------------------------------------------------------------------
 */

enum kind { CONCEPTS, DESCRIPTIONS, LANGUAGES, RELATIONSHIPS, MEMBERS, OTHER };

static bool name_has(struct slice name, const char *part)
{
    struct slice wanted = slice_text(part);
    for (size_t i = 0; i + wanted.length <= name.length; i++) {
        if (slice_equals(slice_of(name.at + i, wanted.length), wanted)) {
            return true;
        }
    }
    return false;
}

/* sct2_Concept_Snapshot_INT_20250101.txt, der2_cRefset_LanguageUKSnapshot-en_GB1000000_... */
static enum kind kind_of(struct slice name)
{
    bool core = slice_starts(name, SLICE("sct2_")) || slice_starts(name, SLICE("xsct2_"));
    bool set = slice_starts(name, SLICE("der2_")) || slice_starts(name, SLICE("xder2_"));
    if ((!core && !set) || !name_has(name, "Snapshot") || !slice_ends(name, SLICE(".txt"))) {
        return OTHER;
    }
    return core && name_has(name, "_Concept_") ? CONCEPTS
           : core && (name_has(name, "_Description_") || name_has(name, "_TextDefinition_"))
               ? DESCRIPTIONS
           : core && (name_has(name, "_Relationship_") ||
                      name_has(name, "_RelationshipConcreteValues_"))
               ? RELATIONSHIPS
           : set && name_has(name, "Refset_Language") ? LANGUAGES
           : set && name_has(name, "Refset_")         ? MEMBERS
                                                      : OTHER;
}

bool rf2_is(const struct member *members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (kind_of(members[i].name) == CONCEPTS) {
            return true;
        }
    }
    return false;
}

static enum status read_kind(struct rf2 *rf2, const struct member *members, size_t count,
                             enum kind kind)
{
    static const struct {
        take_line *take;
        size_t columns;
    } kinds[] = {[CONCEPTS] = {take_concept, 5},
                 [DESCRIPTIONS] = {take_description, 8},
                 [LANGUAGES] = {take_language, 7},
                 [RELATIONSHIPS] = {take_relationship, 9},
                 [MEMBERS] = {take_member, 6}};
    for (size_t i = 0; i < count; i++) {
        struct slice text;
        if (kind_of(members[i].name) == kind) {
            TRY(archive_read(&members[i], rf2->arena, rf2->outcome, &text));
            TRY(each_line(rf2, text, kinds[kind].columns, kinds[kind].take));
        }
    }
    return STATUS_OK;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static struct text_ref number_text(struct release_writer *writer, uint64_t id)
{
    char text[24];
    size_t length = sizeof text;
    do {
        text[--length] = (char)('0' + id % 10);
        id /= 10;
    } while (id > 0);
    return release_add_text(writer, slice_of(text + length, sizeof text - length));
}

/* What to show: the name that the best language reference set prefers, else the fully specified. */
static const struct description *best_of(const struct description *rows, size_t count,
                                         bool definition)
{
    const struct description *best = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!rows[i].active || rows[i].definition != definition) {
            continue;
        }
        unsigned rank = rows[i].rank * 2u + (rows[i].type == SYNONYM ? 0u : 1u);
        unsigned old =
            best == NULL ? UINT32_MAX : best->rank * 2u + (best->type == SYNONYM ? 0u : 1u);
        best = rank < old ? &rows[i] : best;
    }
    return best;
}

static void write_descriptions(struct release_writer *writer, const struct description *rows,
                               size_t count, struct text_ref types[2], struct text_ref names[2])
{
    for (size_t i = 0; i < count; i++) {
        size_t type = rows[i].type == FULLY_NAMED ? 0 : 1;
        if (rows[i].active && !rows[i].definition) {
            struct release_designation row = {.value = release_add_text(writer, rows[i].term),
                                              .language =
                                                  release_add_text(writer, rows[i].language),
                                              .use_code = types[type],
                                              .use_display = names[type]};
            release_add_designation(writer, &row);
        }
    }
}

static int compare_relationships(const void *a, const void *b)
{
    const struct relationship *left = a, *right = b;
    return left->source != right->source
               ? (left->source < right->source ? -1 : 1)
               : (left->group > right->group) - (left->group < right->group);
}

static void write_relationships(struct rf2 *rf2, struct release_writer *writer, uint32_t number,
                                size_t *at)
{
    for (; *at < rf2->relationships.count && rf2->relationships.rows[*at].source == number;
         (*at)++) {
        const struct relationship *each = &rf2->relationships.rows[*at];
        if (rf2->concepts.rows[each->attribute].id == IS_A && each->target != CODE_NONE) {
            release_add_edge(writer, number, each->target);
            continue;
        }
        struct release_property row = {.code = rf2->codes[each->attribute],
                                       .attribute = each->attribute,
                                       .target = each->target,
                                       .group = each->group};
        if (each->target != CODE_NONE) {
            row.value = rf2->codes[each->target];
            row.type = RELEASE_CODE;
        } else {
            bool decimal = each->value.at[0] == '#';
            row.value = release_add_text(
                writer, slice_of(each->value.at + 1, each->value.length - (decimal ? 1 : 2)));
            row.type = decimal ? RELEASE_DECIMAL : RELEASE_STRING;
        }
        release_add_property(writer, &row);
    }
}

struct fixed_texts {
    struct text_ref inactive, defined, module, yes, no, types[2], names[2];
};

static void write_plain(struct release_writer *writer, struct text_ref code, struct text_ref value,
                        enum release_type type)
{
    struct release_property row = {.code = code,
                                   .value = value,
                                   .attribute = CODE_NONE,
                                   .target = CODE_NONE,
                                   .type = (uint16_t)type};
    release_add_property(writer, &row);
}

static void write_concepts(struct rf2 *rf2, struct release_writer *writer,
                           const struct fixed_texts *texts)
{
    static const struct description none;
    const struct description *rows = rf2->descriptions.count > 0 ? rf2->descriptions.rows : &none;
    size_t at = 0, related = 0;
    for (uint32_t i = 0; i < rf2->concepts.count; i++) {
        const struct concept *concept = &rf2->concepts.rows[i];
        size_t end = at;
        while (end < rf2->descriptions.count && rows[end].concept == i) {
            end++;
        }
        const struct description *name = best_of(rows + at, end - at, false);
        const struct description *text = best_of(rows + at, end - at, true);
        struct text_ref display = {0}, definition = {0};
        if (name != NULL) {
            display = release_add_text(writer, name->term);
        }
        if (text != NULL) {
            definition = release_add_text(writer, text->term);
        }
        (void)release_add_concept(writer, rf2->codes[i], display, definition,
                                  (concept->active ? 0 : RELEASE_INACTIVE) |
                                      (concept->defined ? 0 : RELEASE_PRIMITIVE));
        struct text_ref types[2] = {texts->types[0], texts->types[1]};
        struct text_ref names[2] = {texts->names[0], texts->names[1]};
        write_descriptions(writer, rows + at, end - at, types, names);
        write_plain(writer, texts->inactive, concept->active ? texts->no : texts->yes,
                    RELEASE_BOOLEAN);
        write_plain(writer, texts->defined, concept->defined ? texts->yes : texts->no,
                    RELEASE_BOOLEAN);
        write_plain(writer, texts->module, number_text(writer, concept->module), RELEASE_CODE);
        write_relationships(rf2, writer, i, &related);
        at = end;
    }
}

static int compare_memberships(const void *a, const void *b)
{
    const struct membership *left = a, *right = b;
    return left->set != right->set
               ? (left->set < right->set ? -1 : 1)
               : (left->concept > right->concept) - (left->concept < right->concept);
}

static void write_sets(struct rf2 *rf2, struct release_writer *writer)
{
    struct membership *rows = rf2->memberships.rows;
    if (rf2->memberships.count > 0) {
        qsort(rows, rf2->memberships.count, sizeof *rows, compare_memberships);
    }
    for (size_t i = 0, next; i < rf2->memberships.count; i = next) {
        roaring_bitmap_t *members = roaring_bitmap_create();
        for (next = i; next < rf2->memberships.count && rows[next].set == rows[i].set; next++) {
            roaring_bitmap_add(members, rows[next].concept);
        }
        release_add_set(writer, rows[i].set, members);
        roaring_bitmap_free(members);
    }
}

static enum status write_all(struct rf2 *rf2, const char *path)
{
    struct release_writer writer;
    release_begin(&writer, rf2->arena);
    rf2->codes = arena_array(rf2->arena, rf2->concepts.count + 1, sizeof *rf2->codes);
    if (rf2->codes == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < rf2->concepts.count; i++) {
        rf2->codes[i] = number_text(&writer, rf2->concepts.rows[i].id);
    }
    struct fixed_texts texts = {
        .inactive = release_add_text(&writer, SLICE("inactive")),
        .defined = release_add_text(&writer, SLICE("sufficientlyDefined")),
        .module = release_add_text(&writer, SLICE("moduleId")),
        .yes = release_add_text(&writer, SLICE("true")),
        .no = release_add_text(&writer, SLICE("false")),
        .types = {number_text(&writer, FULLY_NAMED), number_text(&writer, SYNONYM)},
        .names = {release_add_text(&writer, SLICE("Fully specified name")),
                  release_add_text(&writer, SLICE("Synonym"))}};
    if (rf2->descriptions.count > 0) {
        qsort(rf2->descriptions.rows, rf2->descriptions.count, sizeof *rf2->descriptions.rows,
              compare_by_concept);
    }
    if (rf2->relationships.count > 0) {
        qsort(rf2->relationships.rows, rf2->relationships.count, sizeof *rf2->relationships.rows,
              compare_relationships);
    }
    write_concepts(rf2, &writer, &texts);
    write_sets(rf2, &writer);
    struct release_about about = {
        .url = SLICE(SNOMED),
        .version = slice_text(arena_print(rf2->arena, SNOMED "/%llu/version/%u",
                                          (unsigned long long)rf2->module, rf2->latest)),
        .name = SLICE("SNOMED CT"),
        .use_system = SLICE(SNOMED),
        .snomed = true};
    return release_finish(&writer, &about, path);
}

enum status rf2_compile(const struct member *members, size_t count, const char *path,
                        struct outcome *outcome)
{
    struct arena *arena = arena_create(0);
    struct rf2 *rf2 = arena != NULL ? ARENA_NEW(arena, struct rf2) : NULL;
    if (rf2 == NULL) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    rf2->arena = arena;
    rf2->outcome = outcome;
    enum status status = read_kind(rf2, members, count, CONCEPTS);
    if (status == STATUS_OK) {
        settle_concepts(rf2);
        status = read_kind(rf2, members, count, DESCRIPTIONS);
    }
    if (status == STATUS_OK) {
        settle_descriptions(rf2);
        status = read_kind(rf2, members, count, LANGUAGES);
    }
    if (status == STATUS_OK) {
        status = read_kind(rf2, members, count, RELATIONSHIPS);
    }
    if (status == STATUS_OK) {
        status = read_kind(rf2, members, count, MEMBERS);
    }
    if (status == STATUS_OK) {
        status = write_all(rf2, path);
    }
    arena_destroy(arena);
    return status;
}
