/* SPDX-License-Identifier: MIT */
/* Releases, used as they lie in their mapped file. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "terms/release.h"

struct mapping {
    void *at;
    size_t length;
};

static void unmap(void *thing)
{
    const struct mapping *mapping = thing;
    (void)munmap(mapping->at, mapping->length);
}

/* The head and sections lie where they say, inside the file. */
static bool sound(const struct release_head *head, size_t length)
{
    if (length < sizeof *head || memcmp(head->magic, RELEASE_MAGIC, sizeof head->magic) != 0 ||
        head->length != length) {
        return false;
    }
    for (size_t i = 0; i < RELEASE_SECTIONS; i++) {
        if (head->at[i] % 8 != 0 || head->at[i] > length || head->bytes[i] > length - head->at[i]) {
            return false;
        }
    }
    struct release_head bare = *head;
    bare.check = 0;
    uint32_t check = crc32c(0, &bare, sizeof bare);
    check = crc32c(check, (const char *)head + sizeof *head, length - sizeof *head);
    return check == head->check &&
           head->bytes[RELEASE_CONCEPTS] >= sizeof(struct release_concept) &&
           head->bytes[RELEASE_TABLE] >= sizeof(uint32_t);
}

static enum status map(const char *path, struct arena *arena, const struct release_head **ret_head,
                       size_t *ret_length)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (fd < 0) {
        return STATUS_NOT_FOUND;
    }
    void *at = fstat(fd, &about) == 0 && about.st_size >= (off_t)sizeof(struct release_head)
                   ? mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
                   : MAP_FAILED;
    (void)close(fd);
    if (at == MAP_FAILED) {
        return STATUS_CORRUPT;
    }
    struct mapping *mapping = ARENA_NEW(arena, struct mapping);
    if (mapping == NULL) {
        (void)munmap(at, (size_t)about.st_size);
        return STATUS_MEMORY;
    }
    *mapping = (struct mapping){at, (size_t)about.st_size};
    TRY(arena_defer(arena, unmap, mapping));
    *ret_head = at;
    *ret_length = mapping->length;
    return STATUS_OK;
}

static const void *section(const struct release_head *head, enum release_section which)
{
    return (const char *)head + head->at[which];
}

static struct release *read_tables(const struct release_head *head, size_t length,
                                   struct arena *arena)
{
    struct release *release = ARENA_NEW(arena, struct release);
    if (release == NULL) {
        return NULL;
    }
    *release = (struct release){
        .head = head,
        .texts = section(head, RELEASE_TEXTS),
        .concepts = section(head, RELEASE_CONCEPTS),
        .designations = section(head, RELEASE_DESIGNATIONS),
        .properties = section(head, RELEASE_PROPERTIES),
        .table = section(head, RELEASE_TABLE),
        .sets = section(head, RELEASE_SETS),
        .members = section(head, RELEASE_MEMBERS),
        .count = (uint32_t)(head->bytes[RELEASE_CONCEPTS] / sizeof(struct release_concept)) - 1,
        .table_size = (uint32_t)(head->bytes[RELEASE_TABLE] / sizeof(uint32_t)),
        .set_count = (uint32_t)(head->bytes[RELEASE_SETS] / sizeof(struct release_set)),
        .length = length};
    return release;
}

enum status release_open(const char *path, struct arena *arena, struct outcome *outcome,
                         struct code_system **ret_system)
{
    const struct release_head *head;
    size_t length;
    enum status status = map(path, arena, &head, &length);
    if (status == STATUS_OK && !sound(head, length)) {
        status = STATUS_CORRUPT;
    }
    if (status != STATUS_OK) {
        return outcome_fail(outcome, status, "",
                            "The compiled release cannot be used: remove it from the cache, and "
                            "load the release again.");
    }
    struct release *release = read_tables(head, length, arena);
    struct code_system *system = ARENA_NEW(arena, struct code_system);
    if (release == NULL || system == NULL) {
        return STATUS_MEMORY;
    }
    *system = (struct code_system){
        .url = release_text(release, head->url),
        .version = release_text(release, head->version),
        .name = release_text(release, head->name),
        .title = release_text(release, head->name),
        .language = SLICE("en"),
        .status = SLICE("active"),
        .case_sensitive = true,
        .count = release->count,
        .release = release,
        .parents = {section(head, RELEASE_PARENTS_AT), section(head, RELEASE_PARENTS_TO)},
        .children = {section(head, RELEASE_CHILDREN_AT), section(head, RELEASE_CHILDREN_TO)},
        .status_property = SLICE("status"),
        .inactive_property = SLICE("inactive"),
        .abstract_property = SLICE("notSelectable")};
    *ret_system = system;
    return STATUS_OK;
}

/* ---- rows -------------------------------------------------------------------------------------
 */

struct slice release_text(const struct release *release, struct text_ref ref)
{
    return slice_of(release->texts + ref.at, ref.length);
}

uint32_t release_find(const struct release *release, struct slice code)
{
    uint32_t mask = release->table_size - 1;
    for (uint32_t at = (uint32_t)slice_hash(code) & mask, seen = 0;
         release->table[at] != 0 && seen < release->table_size; at = (at + 1) & mask, seen++) {
        uint32_t number = release->table[at] - 1;
        if (slice_equals(release_code(release, number), code)) {
            return number;
        }
    }
    return CODE_NONE;
}

struct slice release_code(const struct release *release, uint32_t code)
{
    return release_text(release, release->concepts[code].code);
}

struct slice release_display(const struct release *release, uint32_t code)
{
    return release_text(release, release->concepts[code].display);
}

struct slice release_definition(const struct release *release, uint32_t code)
{
    return release_text(release, release->concepts[code].definition);
}

bool release_inactive(const struct release *release, uint32_t code)
{
    return (release->concepts[code].flags & RELEASE_INACTIVE) != 0;
}

const struct designation *release_designations(const struct release *release, uint32_t code,
                                               struct arena *arena, size_t *ret_count)
{
    const struct release_concept *concept = &release->concepts[code];
    uint32_t count = concept[1].designations - concept[0].designations;
    struct designation *all = arena_array(arena, (size_t)count + 1, sizeof *all);
    *ret_count = all != NULL ? count : 0;
    for (uint32_t i = 0; all != NULL && i < count; i++) {
        const struct release_designation *row = &release->designations[concept->designations + i];
        all[i] = (struct designation){.language = release_text(release, row->language),
                                      .use_system =
                                          row->use_code.length > 0
                                              ? release_text(release, release->head->use_system)
                                              : (struct slice){0},
                                      .use_code = release_text(release, row->use_code),
                                      .use_display = release_text(release, row->use_display),
                                      .value = release_text(release, row->value)};
    }
    return all;
}

const struct property *release_properties(const struct release *release, uint32_t code,
                                          struct arena *arena, size_t *ret_count)
{
    static const char *const types[] = {"Code", "String", "Boolean", "Decimal"};
    const struct release_concept *concept = &release->concepts[code];
    uint32_t count = concept[1].properties - concept[0].properties;
    struct property *all = arena_array(arena, (size_t)count + 1, sizeof *all);
    *ret_count = all != NULL ? count : 0;
    for (uint32_t i = 0; all != NULL && i < count; i++) {
        const struct release_property *row = &release->properties[concept->properties + i];
        all[i] = (struct property){.code = release_text(release, row->code),
                                   .type = types[row->type & 3],
                                   .value = release_text(release, row->value)};
    }
    return all;
}
