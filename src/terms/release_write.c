/* SPDX-License-Identifier: MIT */
/* The file of a release being made. */
#include "terms/release.h"

struct edge_row {
    uint32_t child, parent;
};

void release_begin(struct release_writer *writer, struct arena *arena)
{
    *writer = (struct release_writer){.arena = arena};
    struct buffer *all[] = {&writer->texts,      &writer->concepts, &writer->designations,
                            &writer->properties, &writer->edges,    &writer->sets,
                            &writer->members};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        all[i]->arena = arena;
    }
}

static void add_row(struct buffer *rows, const void *row, size_t size)
{
    buffer_add(rows, slice_of(row, size));
}

struct text_ref release_add_text(struct release_writer *writer, struct slice text)
{
    if (text.length == 0 || writer->texts.length + text.length > UINT32_MAX) {
        return (struct text_ref){0, 0};
    }
    struct text_ref ref = {(uint32_t)writer->texts.length, (uint32_t)text.length};
    buffer_add(&writer->texts, text);
    return ref;
}

uint32_t release_add_concept(struct release_writer *writer, struct text_ref code,
                             struct text_ref display, struct text_ref definition, uint32_t flags)
{
    struct release_concept row = {
        .code = code,
        .display = display,
        .definition = definition,
        .flags = flags,
        .designations =
            (uint32_t)(writer->designations.length / sizeof(struct release_designation)),
        .properties = (uint32_t)(writer->properties.length / sizeof(struct release_property))};
    add_row(&writer->concepts, &row, sizeof row);
    return writer->count++;
}

void release_add_designation(struct release_writer *writer, const struct release_designation *row)
{
    add_row(&writer->designations, row, sizeof *row);
}

void release_add_property(struct release_writer *writer, const struct release_property *row)
{
    add_row(&writer->properties, row, sizeof *row);
}

void release_add_edge(struct release_writer *writer, uint32_t child, uint32_t parent)
{
    struct edge_row row = {child, parent};
    if (child != parent) {
        add_row(&writer->edges, &row, sizeof row);
    }
}

void release_add_set(struct release_writer *writer, uint32_t concept,
                     const roaring_bitmap_t *members)
{
    size_t count;
    const uint32_t *list = bitmap_list(members, writer->arena, &count);
    struct release_set row = {concept, (uint32_t)(writer->members.length / sizeof *list),
                              (uint32_t)count};
    buffer_add(&writer->members, slice_of((const char *)list, count * sizeof *list));
    add_row(&writer->sets, &row, sizeof row);
}

/* ---- finishing --------------------------------------------------------------------------------
 */

static bool make_rows(const struct release_writer *writer, bool up, struct slice *ret_at,
                      struct slice *ret_to)
{
    const struct edge_row *edges = (const struct edge_row *)(const void *)writer->edges.at;
    size_t count = writer->edges.length / sizeof *edges;
    uint32_t *at = arena_array(writer->arena, (size_t)writer->count + 2, sizeof *at);
    uint32_t *to = arena_array(writer->arena, count + 1, sizeof *to);
    if (at == NULL || to == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        at[(up ? edges[i].child : edges[i].parent) + 2]++;
    }
    for (uint32_t i = 2; i < writer->count + 2; i++) {
        at[i] += at[i - 1];
    }
    for (size_t i = 0; i < count; i++) {
        to[at[(up ? edges[i].child : edges[i].parent) + 1]++] =
            up ? edges[i].parent : edges[i].child;
    }
    *ret_at = slice_of((const char *)at, ((size_t)writer->count + 1) * sizeof *at);
    *ret_to = slice_of((const char *)to, count * sizeof *to);
    return true;
}

static bool make_table(const struct release_writer *writer, struct slice *ret_table)
{
    const struct release_concept *concepts =
        (const struct release_concept *)(const void *)writer->concepts.at;
    uint32_t size = 16;
    while (size < writer->count * 2) {
        size *= 2;
    }
    uint32_t *table = arena_array(writer->arena, size, sizeof *table);
    if (table == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < writer->count; i++) {
        struct slice code =
            slice_of(writer->texts.at + concepts[i].code.at, concepts[i].code.length);
        uint32_t at = (uint32_t)slice_hash(code) & (size - 1);
        while (table[at] != 0) {
            at = (at + 1) & (size - 1);
        }
        table[at] = i + 1;
    }
    *ret_table = slice_of((const char *)table, size * sizeof *table);
    return true;
}

static struct slice whole_file(struct release_writer *writer, struct release_head *head,
                               const struct slice *sections)
{
    size_t length = sizeof *head;
    for (size_t i = 0; i < RELEASE_SECTIONS; i++) {
        length = (length + 7) & ~(size_t)7;
        head->at[i] = length;
        head->bytes[i] = sections[i].length;
        length += sections[i].length;
    }
    head->length = length;
    char *file = arena_zero(writer->arena, length);
    if (file == NULL) {
        return (struct slice){0};
    }
    for (size_t i = 0; i < RELEASE_SECTIONS; i++) {
        if (sections[i].length > 0) {
            memcpy(file + head->at[i], sections[i].at, sections[i].length);
        }
    }
    uint32_t check = crc32c(0, head, sizeof *head);
    head->check = crc32c(check, file + sizeof *head, length - sizeof *head);
    memcpy(file, head, sizeof *head);
    return slice_of(file, length);
}

enum status release_finish(struct release_writer *writer, const struct release_about *about,
                           const char *path)
{
    struct slice sections[RELEASE_SECTIONS] = {{0}};
    struct release_head *head = ARENA_NEW(writer->arena, struct release_head);
    uint32_t count = writer->count;
    if (head == NULL) {
        return STATUS_MEMORY;
    }
    memcpy(head->magic, RELEASE_MAGIC, sizeof head->magic);
    head->url = release_add_text(writer, about->url);
    head->version = release_add_text(writer, about->version);
    head->name = release_add_text(writer, about->name);
    head->use_system = release_add_text(writer, about->use_system);
    head->snomed = about->snomed ? 1 : 0;
    /* One row more ends the last. */
    (void)release_add_concept(writer, (struct text_ref){0}, (struct text_ref){0},
                              (struct text_ref){0}, 0);
    writer->count = count;
    if (!make_table(writer, &sections[RELEASE_TABLE]) ||
        !make_rows(writer, true, &sections[RELEASE_PARENTS_AT], &sections[RELEASE_PARENTS_TO]) ||
        !make_rows(writer, false, &sections[RELEASE_CHILDREN_AT], &sections[RELEASE_CHILDREN_TO])) {
        return STATUS_MEMORY;
    }
    sections[RELEASE_TEXTS] = buffer_slice(&writer->texts);
    sections[RELEASE_CONCEPTS] = buffer_slice(&writer->concepts);
    sections[RELEASE_DESIGNATIONS] = buffer_slice(&writer->designations);
    sections[RELEASE_PROPERTIES] = buffer_slice(&writer->properties);
    sections[RELEASE_SETS] = buffer_slice(&writer->sets);
    sections[RELEASE_MEMBERS] = buffer_slice(&writer->members);
    if (arena_full(writer->arena) || writer->texts.length >= UINT32_MAX) {
        return STATUS_TOO_COSTLY;
    }
    struct slice file = whole_file(writer, head, sections);
    return file.at != NULL ? disk_replace_file(path, file) : STATUS_MEMORY;
}
