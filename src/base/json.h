/* SPDX-License-Identifier: MIT */
/* JSON (RFC 8259) by yyjson, read into an arena under limits. Values are yyjson_val: use yyjson's
 * own accessors. Numbers are kept as text (yyjson_get_raw), because FHIR decimals are exact.
 * String and key bytes stay at their offset in a private copy of the input, which is how
 * json_position finds line and column. */
#ifndef CARELAYER_BASE_JSON_H
#define CARELAYER_BASE_JSON_H

#include <yyjson.h>

#include "arena.h"
#include "buffer.h"
#include "outcome.h"
#include "slice.h"
#include "status.h"

/* No document is nested deeper, whatever its limits say. */
#define JSON_DEPTH_MOST 512

struct json_limits {
    size_t bytes;    /* of the input */
    uint32_t depth;  /* nested arrays and objects; JSON_DEPTH_MOST at most */
    uint32_t values; /* values in all */
    bool comments;   /* pass over comments, which JSON does not have (RFC 8259): for people's files,
                        never for what is taken in */
};

/* What the door uses: 64 MiB, depth 64, 4 million values. */
extern const struct json_limits json_limits_default;

struct json {
    yyjson_doc *doc; /* in the arena; do not free */
    yyjson_val *root;
    struct slice text;        /* the input, without a byte order mark; must outlive json_position */
    const char *pool;         /* yyjson's copy: same offsets as text */
    struct json_place *place; /* where json_position last looked: ascending questions are cheap */
};

/* Reads exactly one JSON value; a UTF-8 byte order mark is accepted, other text around it is not.
 * Errors go to OUTCOME (may be NULL) with line and column and never quote the input.
 * STATUS_STRUCTURE: not JSON, too deep; STATUS_TOO_LONG / STATUS_TOO_COSTLY: over a limit or the
 * arena. Duplicate keys are legal here: the FHIR door refuses them (validate/). */
MUST_CHECK enum status json_read(struct slice text, const struct json_limits *limits,
                                 struct arena *arena, struct outcome *outcome,
                                 struct json *ret_json);

/* Line and column (bytes), both from 1, of a string, number or key of this document. For
 * containers, booleans and null give the key or the nearest scalar before. 0,0 when unknown. */
void json_position(const struct json *json, const yyjson_val *value, uint32_t *ret_line,
                   uint32_t *ret_column);

/* For readers of documents that are no JSON and are held in its form (fhir/xml.h): sets text, place
 * and a pool of as many bytes and one more, not cleared. Strings that the reader keeps there at the
 * offset they have in TEXT, with a byte before them, are found by json_position. False: the arena
 * is full. */
MUST_CHECK bool json_begin(struct slice text, struct arena *arena, struct json *ret_json);

/* Line and column of the byte at OFFSET of the text. */
void json_offset_position(const struct json *json, size_t offset, uint32_t *ret_line,
                          uint32_t *ret_column);

/* Typed access without copies; the empty slice when VALUE is NULL or not of that type. */
struct slice json_string(const yyjson_val *value);
struct slice json_number(const yyjson_val *value); /* the number's text */

/* Member NAME of an object, or NULL (also when OBJECT is NULL or no object). */
yyjson_val *json_get(const yyjson_val *object, const char *name);

/* json_string(json_get(object, name)). */
struct slice json_get_string(const yyjson_val *object, const char *name);

/* A whole number from 0 to INT64_MAX; 0 when there is none. */
uint64_t json_get_unsigned(const yyjson_val *object, const char *name);

/* Rewrites a string value while writing: given the member name (empty inside arrays: the array's
 * own name) and text, may put another text into *RET_TEXT and answer true. */
typedef bool json_rewrite(void *context, struct slice name, struct slice text,
                          struct slice *ret_text);

/* Writes VALUE minified, members in their order, numbers digit for digit. REWRITE may be NULL. */
void json_write(const yyjson_val *value, json_rewrite *rewrite, void *context, struct buffer *out);

/* Writes VALUE indented by two spaces, for people. */
void json_write_pretty(const yyjson_val *value, struct buffer *out);

/* A yyjson allocator that takes from the arena: for yyjson_mut_doc. The struct lives in the
 * arena. */
const yyjson_alc *json_allocator(struct arena *arena);

/* A mutable document in the arena holding a deep copy of VALUE as its root; NULL when full. */
yyjson_mut_doc *json_mutable(struct arena *arena, const yyjson_val *value);

/* Writes a mutable value minified. */
void json_write_mutable(const yyjson_mut_val *value, struct buffer *out);

#endif
