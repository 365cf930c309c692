/* SPDX-License-Identifier: MIT */
/* The NHSBSA dictionary of medicines and devices (dm+d), release 2 of its XML: moieties (VTM),
 * virtual and actual products (VMP, AMP), their packs (VMPP, AMPP) and ingredients. A product
 * stands under its moiety, an actual one under its virtual one, a pack under its product. */
#include <libxml/xmlreader.h>
#include <stdlib.h>

#include "terms/release.h"

#define DMD "https://dmd.nhs.uk"

#define FIELDS_MOST 64

struct field {
    struct slice name, value;
};

struct record {
    const struct record_kind *kind;
    struct slice id, name, description;
    struct slice parents[2];
    struct field *properties;
    size_t property_count;
    bool invalid;
};

/* An element that is a concept, and which of its children say what. */
static const struct record_kind {
    const char *element, *id, *parents[2];
} kinds[] = {
    {"VTM", "VTMID", {NULL, NULL}},       {"VMP", "VPID", {"VTMID", NULL}},
    {"AMP", "APID", {"VPID", NULL}},      {"VMPP", "VPPID", {"VPID", NULL}},
    {"AMPP", "APPID", {"APID", "VPPID"}}, {"ING", "ISID", {NULL, NULL}},
};

struct ingredient {
    struct slice product, substance;
};

struct dmd {
    struct arena *arena;
    struct record *records;
    size_t count, capacity;
    struct ingredient *ingredients;
    size_t ingredient_count, ingredient_capacity;
    struct slice version; /* digits of the file names */
};

/* ---- files ------------------------------------------------------------------------------------
 */

static bool is_file(struct slice name)
{
    static const char *const starts[] = {"f_vtm2_",  "f_vmp2_",  "f_amp2_",
                                         "f_vmpp2_", "f_ampp2_", "f_ingredient2_"};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        if (slice_starts(name, slice_text(starts[i])) && slice_ends(name, SLICE(".xml"))) {
            return true;
        }
    }
    return false;
}

bool dmd_is(const struct member *members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_file(members[i].name)) {
            return true;
        }
    }
    return false;
}

/* ---- records ----------------------------------------------------------------------------------
 */

static const struct field *field_of(const struct field *fields, size_t count, const char *name)
{
    for (size_t i = 0; name != NULL && i < count; i++) {
        if (slice_is(fields[i].name, name)) {
            return &fields[i];
        }
    }
    return NULL;
}

static struct slice value_of(const struct field *fields, size_t count, const char *name)
{
    const struct field *field = field_of(fields, count, name);
    return field != NULL ? field->value : (struct slice){0};
}

static bool more(struct arena *arena, void **rows, size_t size, size_t count, size_t *capacity)
{
    if (count < *capacity) {
        return true;
    }
    size_t to = *capacity == 0 ? 256 : *capacity * 2;
    void *grown = arena_resize(arena, *rows, *capacity * size, to * size);
    if (grown == NULL) {
        return false;
    }
    *rows = grown;
    *capacity = to;
    return true;
}

static enum status take_record(struct dmd *dmd, const struct record_kind *kind,
                               const struct field *fields, size_t count)
{
    struct slice id = value_of(fields, count, kind->id);
    if (id.length == 0) {
        return STATUS_STRUCTURE;
    }
    if (!more(dmd->arena, (void **)&dmd->records, sizeof *dmd->records, dmd->count,
              &dmd->capacity)) {
        return STATUS_TOO_COSTLY;
    }
    struct record *record = &dmd->records[dmd->count++];
    *record = (struct record){.kind = kind,
                              .id = id,
                              .name = value_of(fields, count, "NM"),
                              .description = value_of(fields, count, "DESC"),
                              .parents = {value_of(fields, count, kind->parents[0]),
                                          value_of(fields, count, kind->parents[1])},
                              .invalid = slice_is(value_of(fields, count, "INVALID"), "1")};
    record->properties = arena_array(dmd->arena, count + 1, sizeof *record->properties);
    for (size_t i = 0; record->properties != NULL && i < count; i++) {
        if (!slice_is(fields[i].name, kind->id) && !slice_is(fields[i].name, "NM") &&
            !slice_is(fields[i].name, "INVALID")) {
            record->properties[record->property_count++] = fields[i];
        }
    }
    return STATUS_OK;
}

static enum status take_ingredient(struct dmd *dmd, const struct field *fields, size_t count)
{
    if (!more(dmd->arena, (void **)&dmd->ingredients, sizeof *dmd->ingredients,
              dmd->ingredient_count, &dmd->ingredient_capacity)) {
        return STATUS_TOO_COSTLY;
    }
    dmd->ingredients[dmd->ingredient_count++] =
        (struct ingredient){value_of(fields, count, "VPID"), value_of(fields, count, "ISID")};
    return STATUS_OK;
}

/* ---- XML --------------------------------------------------------------------------------------
 */

/* The children of the element that the reader stands on, each with its text. */
static enum status read_fields(struct dmd *dmd, xmlTextReaderPtr reader, struct field *fields,
                               size_t *ret_count)
{
    int depth = xmlTextReaderDepth(reader), more_nodes;
    *ret_count = 0;
    if (xmlTextReaderIsEmptyElement(reader) == 1) {
        return STATUS_OK;
    }
    while ((more_nodes = xmlTextReaderRead(reader)) == 1) {
        int type = xmlTextReaderNodeType(reader);
        if (type == XML_READER_TYPE_END_ELEMENT && xmlTextReaderDepth(reader) == depth) {
            return STATUS_OK;
        }
        if (type == XML_READER_TYPE_ELEMENT && xmlTextReaderDepth(reader) == depth + 1 &&
            *ret_count < FIELDS_MOST) {
            const char *name = (const char *)xmlTextReaderConstLocalName(reader);
            fields[(*ret_count)++] =
                (struct field){.name = arena_copy(dmd->arena, slice_text(name))};
        }
        if (type == XML_READER_TYPE_TEXT && xmlTextReaderDepth(reader) == depth + 2 &&
            *ret_count > 0) {
            const char *text = (const char *)xmlTextReaderConstValue(reader);
            fields[*ret_count - 1].value = arena_copy(dmd->arena, slice_trim(slice_text(text)));
        }
    }
    return STATUS_STRUCTURE;
}

static enum status read_element(struct dmd *dmd, xmlTextReaderPtr reader)
{
    struct slice name = slice_text((const char *)xmlTextReaderConstLocalName(reader));
    struct field fields[FIELDS_MOST];
    size_t count;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (slice_is(name, kinds[i].element)) {
            TRY(read_fields(dmd, reader, fields, &count));
            return take_record(dmd, &kinds[i], fields, count);
        }
    }
    if (slice_is(name, "VPI")) {
        TRY(read_fields(dmd, reader, fields, &count));
        return take_ingredient(dmd, fields, count);
    }
    return STATUS_OK;
}

static enum status read_file(struct dmd *dmd, const struct member *member, struct outcome *outcome)
{
    struct slice text;
    TRY(archive_read(member, dmd->arena, outcome, &text));
    xmlTextReaderPtr reader =
        text.length < INT32_MAX
            ? xmlReaderForMemory(text.at, (int)text.length, NULL, NULL,
                                 XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)
            : NULL;
    if (reader == NULL) {
        return STATUS_STRUCTURE;
    }
    enum status status = STATUS_OK;
    int more_nodes = 1;
    while (status == STATUS_OK && (more_nodes = xmlTextReaderRead(reader)) == 1) {
        int type = xmlTextReaderNodeType(reader);
        if (type == XML_READER_TYPE_DOCUMENT_TYPE || type == XML_READER_TYPE_ENTITY_REFERENCE) {
            status = STATUS_STRUCTURE; /* dm+d has none: no entity is ever expanded */
        } else if (type == XML_READER_TYPE_ELEMENT) {
            status = read_element(dmd, reader);
        }
    }
    xmlFreeTextReader(reader);
    return status == STATUS_OK && more_nodes < 0 ? STATUS_STRUCTURE : status;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static int compare_records(const void *a, const void *b)
{
    return slice_compare(((const struct record *)a)->id, ((const struct record *)b)->id);
}

static uint32_t find_record(const struct dmd *dmd, struct slice id)
{
    size_t low = 0, high = dmd->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_compare(dmd->records[middle].id, id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < dmd->count && slice_equals(dmd->records[low].id, id) ? (uint32_t)low : CODE_NONE;
}

static int compare_ingredients(const void *a, const void *b)
{
    return slice_compare(((const struct ingredient *)a)->product,
                         ((const struct ingredient *)b)->product);
}

static size_t first_ingredient(const struct dmd *dmd, struct slice product)
{
    size_t low = 0, high = dmd->ingredient_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_compare(dmd->ingredients[middle].product, product) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void write_property(struct release_writer *writer, struct slice code, struct slice value,
                           enum release_type type)
{
    struct release_property row = {.code = release_add_text(writer, code),
                                   .value = release_add_text(writer, value),
                                   .attribute = CODE_NONE,
                                   .target = CODE_NONE,
                                   .type = (uint16_t)type};
    release_add_property(writer, &row);
}

static void write_record(const struct dmd *dmd, const struct record *record, uint32_t number,
                         struct release_writer *writer)
{
    struct slice display = record->description.length > 0 ? record->description : record->name;
    (void)release_add_concept(writer, release_add_text(writer, record->id),
                              release_add_text(writer, display), (struct text_ref){0},
                              record->invalid ? RELEASE_INACTIVE : 0);
    if (record->description.length > 0 && record->name.length > 0) {
        struct release_designation row = {.value = release_add_text(writer, record->name),
                                          .language = release_add_text(writer, SLICE("en"))};
        release_add_designation(writer, &row);
    }
    write_property(writer, SLICE("class"), slice_text(record->kind->element), RELEASE_CODE);
    write_property(writer, SLICE("inactive"), record->invalid ? SLICE("true") : SLICE("false"),
                   RELEASE_BOOLEAN);
    for (size_t i = 0; i < record->property_count; i++) {
        write_property(writer, record->properties[i].name, record->properties[i].value,
                       RELEASE_STRING);
    }
    for (size_t i = 0; i < 2; i++) {
        uint32_t parent =
            record->parents[i].length > 0 ? find_record(dmd, record->parents[i]) : CODE_NONE;
        if (parent != CODE_NONE) {
            release_add_edge(writer, number, parent);
        }
    }
    for (size_t i = first_ingredient(dmd, record->id);
         i < dmd->ingredient_count && slice_equals(dmd->ingredients[i].product, record->id); i++) {
        write_property(writer, SLICE("ISID"), dmd->ingredients[i].substance, RELEASE_CODE);
    }
}

static enum status write_all(struct dmd *dmd, const char *path)
{
    struct release_writer writer;
    size_t kept = 0;
    release_begin(&writer, dmd->arena);
    if (dmd->count > 0) {
        qsort(dmd->records, dmd->count, sizeof *dmd->records, compare_records);
    }
    if (dmd->ingredient_count > 0) {
        qsort(dmd->ingredients, dmd->ingredient_count, sizeof *dmd->ingredients,
              compare_ingredients);
    }
    for (size_t i = 0; i < dmd->count; i++) {
        if (kept == 0 || !slice_equals(dmd->records[kept - 1].id, dmd->records[i].id)) {
            dmd->records[kept++] = dmd->records[i];
        }
    }
    dmd->count = kept;
    for (size_t i = 0; i < kept; i++) {
        write_record(dmd, &dmd->records[i], (uint32_t)i, &writer);
    }
    struct release_about about = {.url = SLICE(DMD),
                                  .version = dmd->version,
                                  .name = SLICE("Dictionary of medicines and devices"),
                                  .use_system = SLICE(DMD)};
    return release_finish(&writer, &about, path);
}

/* f_vtm2_3150125.xml: what follows the last '_' is the format's 3 and the day, ddmmyy. */
static struct slice version_of(struct slice name, struct arena *arena)
{
    struct slice stem = slice_head(name, name.length - 4);
    size_t at = stem.length;
    while (at > 0 && stem.at[at - 1] != '_') {
        at--;
    }
    struct slice day = slice_from(stem, at);
    if (day.length != 7) {
        return day;
    }
    return slice_text(arena_print(arena, "20%.2s-%.2s-%.2s", day.at + 5, day.at + 3, day.at + 1));
}

enum status dmd_compile(const struct member *members, size_t count, const char *path,
                        struct outcome *outcome)
{
    struct arena *arena = arena_create(0);
    struct dmd *dmd = arena != NULL ? ARENA_NEW(arena, struct dmd) : NULL;
    if (dmd == NULL) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    dmd->arena = arena;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (is_file(members[i].name)) {
            dmd->version = version_of(members[i].name, arena);
            status = read_file(dmd, &members[i], outcome);
        }
    }
    if (status == STATUS_STRUCTURE) {
        status = outcome_fail(outcome, status, "",
                              "A file of the dictionary is no XML of its format: fetch the release "
                              "again.");
    }
    if (status == STATUS_OK) {
        status = write_all(dmd, path);
    }
    arena_destroy(arena);
    return status;
}
