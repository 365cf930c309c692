/* SPDX-License-Identifier: MIT */
/* The definitions compiler, inside: sources read from packages, and the tables being built. */
#ifndef CARELAYER_FHIR_COMPILE_INT_H
#define CARELAYER_FHIR_COMPILE_INT_H

#include "fhir/fhir_int.h"

/* ---- packages ------------------------------------------------------------------------------- */

/* One file of a package; both slices are only valid during the call. */
typedef enum status package_visit(void *context, struct slice name, struct slice text);

/* Reads every .json file of a package at PATH: a .tgz (npm layout: files directly below one top
 * folder), a folder of .json files, or one .json file. Stops at the visitor's first error. */
MUST_CHECK enum status package_read(const char *path, package_visit *visit, void *context,
                                    struct outcome *outcome);

/* ---- the compiler --------------------------------------------------------------------------- */

struct source {
    struct slice url;  /* canonical, without version */
    struct slice file; /* for messages */
    yyjson_val *root;
    bool base; /* from the first package */
    uint32_t package;
    struct source *next;
};

struct source_list {
    struct source *first, *last;
    struct source **index; /* by url, open addressing, once source_index has run */
    size_t mask, count;
};

struct package_about {
    struct slice name; /* "hl7.fhir.uv.ips#2.0.0", or of its path */
    yyjson_val *dependencies;
};

struct compiler {
    struct arena *arena;
    struct arena *scratch; /* for one search parameter */
    struct outcome *outcome;
    struct source_list structures, value_sets, code_systems, parameters;
    struct source_list canonicals; /* all of these and the other conformance resources */
    struct package_about *packages;
    size_t package_count;
    struct slice fhir_version;
    struct buffer tables[BLOB_TABLE_COUNT];
    struct text_row *interned; /* open addressing over BLOB_STRINGS */
    size_t interned_mask, interned_count;
    struct code_set_memo *code_sets; /* what compile_code_set has answered */
    size_t resource_count;           /* concrete */
    bool *domain;                    /* by resource_type - 1: derives from DomainResource */
};

/* COUNT cleared rows of SIZE bytes at the end of a table; NULL when the arena is full. *RET_FIRST
 * is the number of the first. Rows move when more are added. */
void *table_add(struct compiler *compiler, enum blob_table table, size_t size, size_t count,
                uint32_t *ret_first);

/* Row I of a table. */
#define TABLE_ROW(compiler, table, type, i) (&((type *)(void *)(compiler)->tables[table].at)[i])
#define TABLE_COUNT(compiler, table, type)  ((compiler)->tables[table].length / sizeof(type))

/* The text in the string pool, once however often it is asked for. */
struct text_row compile_text(struct compiler *compiler, struct slice text);
struct slice compiled_text(const struct compiler *compiler, struct text_row text);

/* The source with this canonical (a |version is ignored), or NULL. */
const struct source *source_find(const struct source_list *list, struct slice canonical);

/* StructureDefinitions of the base specification -> types, elements, slots, targets. */
MUST_CHECK enum status compile_types(struct compiler *compiler);

/* A resource type by name while compiling; or RESOURCE_TYPE_NONE. */
resource_type compile_resource_find(const struct compiler *compiler, struct slice name);

/* 1 + the index of the code set of a value set, 0 when it is unknown, infinite or not complete. */
uint16_t compile_code_set(struct compiler *compiler, struct slice canonical);

/* The tables built so far, as a reader sees them. */
struct element_tables compile_view(const struct compiler *compiler);

/* SearchParameters -> parameters, paths, steps; needs types. */
MUST_CHECK enum status compile_search(struct compiler *compiler);

/* Home and member paths and shared types -> resource rows; needs types and parameters. */
MUST_CHECK enum status compile_homes(struct compiler *compiler);

/* Is it a type of conformance resource? */
bool canonical_type(struct slice type);

/* Writes a conformance resource minified, without a narrative that was generated. */
void canonical_write(const yyjson_val *resource, struct buffer *out);

/* Conformance resources -> canonicals and their texts. */
MUST_CHECK enum status compile_canonicals(struct compiler *compiler);

/* ---- expressions ----------------------------------------------------------------------------- */

/* What a FHIRPath expression comes to for one type. */
struct path_list {
    struct path_row *rows; /* in the compiler's scratch; not yet in the table */
    size_t count, capacity;
    struct text_row *steps; /* rows index into this */
    size_t step_count, step_capacity;
    bool simple; /* the paths say all of it */
    bool exists; /* the value is whether any path meets a value other than false */
};

/* Compiles EXPRESSION as far as it applies to TYPE; KIND chooses among an extension's values. */
void compile_expression(struct compiler *compiler, resource_type type, enum search_kind kind,
                        struct slice expression, struct path_list *ret_list);

/* The parts of EXPRESSION's union that apply to TYPE, joined by " | ". */
struct slice compile_expression_for(struct compiler *compiler, resource_type type,
                                    struct slice expression);

/* Adds one path to the blob and gives its number. */
uint32_t compile_path_add(struct compiler *compiler, const struct path_row *path,
                          const struct text_row *steps);

#endif
