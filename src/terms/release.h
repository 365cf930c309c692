/* SPDX-License-Identifier: MIT */
/* The tables of a release (SNOMED CT RF2, dm+d ...), compiled into one file that is mapped into
 * memory: it is used as it lies, so that half a million concepts cost nothing to open. */
#ifndef CARELAYER_TERMS_RELEASE_H
#define CARELAYER_TERMS_RELEASE_H

#include "terms/terms_int.h"

/* ---- the file: a head, then sections of rows, each at a multiple of eight ----------------------
 */

#define RELEASE_MAGIC "CLTERMS2"

struct text_ref {
    uint32_t at, length; /* in the section of texts */
};

enum release_section {
    RELEASE_TEXTS,
    RELEASE_CONCEPTS,
    RELEASE_DESIGNATIONS,
    RELEASE_PROPERTIES,
    RELEASE_TABLE, /* hash of codes to number + 1; a power of two */
    RELEASE_PARENTS_AT,
    RELEASE_PARENTS_TO,
    RELEASE_CHILDREN_AT,
    RELEASE_CHILDREN_TO,
    RELEASE_SETS, /* reference sets, by number of their concept */
    RELEASE_MEMBERS,
    RELEASE_SECTIONS
};

struct release_head {
    char magic[8];
    uint64_t length; /* of the file */
    uint64_t at[RELEASE_SECTIONS];
    uint64_t bytes[RELEASE_SECTIONS];
    struct text_ref url, version, name, use_system;
    uint8_t source[32]; /* SHA-256 of what it was compiled from */
    uint32_t snomed;    /* 1: the concepts are SNOMED CT, ECL applies */
    uint32_t check;     /* CRC-32C of all that follows the head, and of the head with 0 here */
};

#define RELEASE_INACTIVE  1u
#define RELEASE_PRIMITIVE 2u

struct release_concept {
    struct text_ref code, display, definition;
    uint32_t flags;
    uint32_t designations, properties; /* first; the next row's first ends them */
};

struct release_designation {
    struct text_ref value, language, use_code, use_display;
};

struct release_property {
    struct text_ref code, value;
    uint32_t attribute; /* number of the concept that is the property; CODE_NONE: a plain one */
    uint32_t target;    /* number of the concept that is its value, or CODE_NONE */
    uint16_t group;
    uint16_t type; /* enum release_type */
};

enum release_type { RELEASE_CODE, RELEASE_STRING, RELEASE_BOOLEAN, RELEASE_DECIMAL };

struct release_set {
    uint32_t concept;
    uint32_t first, count; /* of the members */
};

/* ---- using one ------------------------------------------------------------------------------- */

struct release {
    const struct release_head *head;
    const char *texts;
    const struct release_concept *concepts; /* COUNT + 1 rows */
    const struct release_designation *designations;
    const struct release_property *properties;
    const uint32_t *table;
    const struct release_set *sets;
    const uint32_t *members;
    uint32_t count, table_size, set_count;
    size_t length;
};

/* Maps the file; it is unmapped with ARENA. STATUS_CORRUPT: it is not one, or it is damaged. */
MUST_CHECK enum status release_open(const char *path, struct arena *arena, struct outcome *outcome,
                                    struct code_system **ret_system);

uint32_t release_find(const struct release *release, struct slice code);
struct slice release_code(const struct release *release, uint32_t code);
struct slice release_display(const struct release *release, uint32_t code);
struct slice release_definition(const struct release *release, uint32_t code);
bool release_inactive(const struct release *release, uint32_t code);
const struct designation *release_designations(const struct release *release, uint32_t code,
                                               struct arena *arena, size_t *ret_count);
const struct property *release_properties(const struct release *release, uint32_t code,
                                          struct arena *arena, size_t *ret_count);
struct slice release_text(const struct release *release, struct text_ref ref);

/* Opens every compiled release of a folder; those that are damaged are left out. They live as long
 * as ARENA. (load.c) */
size_t releases_open(const char *folder, struct arena *arena,
                     const struct code_system ***ret_systems);

/* ---- making one (release_write.c) -------------------------------------------------------------
 *
 * Concepts are begun in the order of their numbers; what belongs to one is added before the next is
 * begun. Edges and sets may be added at any time. */

struct release_writer {
    struct arena *arena; /* unbounded */
    struct buffer texts, concepts, designations, properties, edges, sets, members;
    uint32_t count;
};

void release_begin(struct release_writer *writer, struct arena *arena);
struct text_ref release_add_text(struct release_writer *writer, struct slice text);
/* The number of the concept. */
uint32_t release_add_concept(struct release_writer *writer, struct text_ref code,
                             struct text_ref display, struct text_ref definition, uint32_t flags);
void release_add_designation(struct release_writer *writer, const struct release_designation *row);
void release_add_property(struct release_writer *writer, const struct release_property *row);
void release_add_edge(struct release_writer *writer, uint32_t child, uint32_t parent);
void release_add_set(struct release_writer *writer, uint32_t concept,
                     const roaring_bitmap_t *members);

struct release_about {
    struct slice url, version, name, use_system;
    bool snomed;
};

/* Writes the file, so that it is there whole or not at all. */
MUST_CHECK enum status release_finish(struct release_writer *writer,
                                      const struct release_about *about, const char *path);

/* ---- reading what operators have (archive.c, rf2.c, dmd.c) ------------------------------------
 */

/* A file of a release: in a folder, or in a zip. */
struct member {
    struct slice name;           /* without folders */
    const char *path;            /* of the file or zip */
    uint64_t at, stored, length; /* in a zip */
    bool zipped, deflated;
};

/* Every file below a folder, or in a zip. STATUS_STRUCTURE: no such thing; STATUS_TOO_COSTLY. */
MUST_CHECK enum status archive_list(const char *path, struct arena *arena, struct outcome *outcome,
                                    struct member **ret_members, size_t *ret_count);

/* Its content, in ARENA. */
MUST_CHECK enum status archive_read(const struct member *member, struct arena *arena,
                                    struct outcome *outcome, struct slice *ret_text);

/* SNOMED CT RF2: is there a snapshot among these files? And makes the release file of it. */
bool rf2_is(const struct member *members, size_t count);
MUST_CHECK enum status rf2_compile(const struct member *members, size_t count, const char *path,
                                   struct outcome *outcome);

/* The NHSBSA dictionary of medicines and devices. */
bool dmd_is(const struct member *members, size_t count);
MUST_CHECK enum status dmd_compile(const struct member *members, size_t count, const char *path,
                                   struct outcome *outcome);

#endif
