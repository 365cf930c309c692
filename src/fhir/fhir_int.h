/* SPDX-License-Identifier: MIT */
/* fhir, inside: the layout of the blob and what its reader holds. Rows that other modules read are
 * in elements.h. */
#ifndef CARELAYER_FHIR_FHIR_INT_H
#define CARELAYER_FHIR_FHIR_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "fhir/fhir.h"

#define BLOB_MAGIC      "CLFHIRD"
#define BLOB_FORMAT     3u
#define BLOB_BYTE_ORDER UINT64_C(0x0102030405060708)

/* A table of the blob: COUNT rows at byte OFFSET (a multiple of 8). */
struct blob_section {
    uint32_t offset, count;
};

enum blob_table {
    BLOB_STRINGS, /* bytes */
    BLOB_TYPES,
    BLOB_ELEMENTS,
    BLOB_SLOTS,
    BLOB_CODE_SETS,
    BLOB_CODES,
    BLOB_TARGETS,
    BLOB_TYPE_NAMES,        /* uint16_t: all types ordered by name */
    BLOB_PATHS,             /* struct path_row */
    BLOB_STEPS,             /* struct text_row */
    BLOB_PARAMETERS,        /* struct parameter_row, by resource type, then code */
    BLOB_PARAMETER_TARGETS, /* uint16_t resource_type */
    BLOB_COMPONENTS,        /* struct component_row, by composite parameter */
    BLOB_RESOURCES,         /* struct resource_extra_row, one a resource type */
    BLOB_CANONICALS,        /* struct canonical_row, in the order of the packages */
    BLOB_CANONICAL_SLOTS,   /* uint32_t: 1 + row, by the hash of the url, open addressing */
    BLOB_CANONICAL_TEXTS,   /* bytes: the resources, zstd, each by itself */
    BLOB_TABLE_COUNT
};

struct blob_header {
    char magic[8];
    uint32_t format;
    uint32_t header_length;
    uint64_t length;     /* of the file */
    uint64_t byte_order; /* BLOB_BYTE_ORDER as this machine writes it */
    uint8_t hash[32];    /* SHA-256 of what follows the header */
    struct text_row fhir_version;
    struct blob_section tables[BLOB_TABLE_COUNT];
};

struct path_row {
    uint32_t first_step;
    uint16_t step_count;
    uint16_t type; /* enum fhir_type */
    struct text_row filter_name, filter_value;
    uint16_t target; /* resource_type or 0 */
    uint16_t filter_step;
    uint16_t reserved[2];
};

enum parameter_flags { PARAMETER_SIMPLE = 1, PARAMETER_EXISTS = 2 };

struct parameter_row {
    struct text_row code, url, expression;
    uint32_t first_path, first_target;
    uint16_t path_count, target_count;
    uint8_t kind;  /* enum search_kind */
    uint8_t flags; /* enum parameter_flags */
    uint16_t number;
    uint32_t first_component, component_count;
};

struct component_row {
    uint32_t parameter; /* row */
    struct text_row expression;
};

struct resource_extra_row {
    uint32_t first_parameter, parameter_count;
    uint32_t first_home, home_count;     /* in paths */
    uint32_t first_member, member_count; /* in paths */
    uint32_t shared;
    uint32_t reserved;
};

/* The search parameters of a type, ordered by code. */
struct parameter_list {
    const struct search_parameter *items;
    size_t count;
};

/* A conformance resource. */
struct canonical_row {
    struct text_row type, url, version, package;
    uint32_t offset, stored; /* in the texts, compressed */
    uint32_t length;         /* unpacked */
    uint32_t reserved;
};

/* What definitions_open materialises. */
struct resource_extra {
    struct parameter_list *base;               /* the blob's */
    struct parameter_list *_Atomic parameters; /* and the added ones */
    uint16_t last_number;                      /* given out; under the lock */
    const struct search_path *home, *member;
    size_t home_count, member_count;
    bool shared;
};

struct definitions {
    struct arena *arena;
    struct arena *added; /* what comes while the program runs; under the lock */
    pthread_mutex_t *lock;
    const char *map;
    size_t map_length;
    struct element_tables tables;
    const uint16_t *type_names;
    const struct canonical_row *canonicals;
    const uint32_t *canonical_slots;
    uint32_t canonical_count, canonical_slot_count; /* a power of two, or 0 */
    const char *canonical_texts;
    resource_type resource_count;
    struct resource_extra *extras; /* resource_type - 1 */
    struct slice fhir_version;
    char hash[65];
};

/* Bytes of one row of each table of the blob: what the compiler writes and the reader checks. */
extern const size_t blob_row_sizes[BLOB_TABLE_COUNT];

#endif
