/* SPDX-License-Identifier: MIT */
/* XML (R4 xml.html), the other form of a resource. A chapter of fhir.h; do not include it alone.
 *
 * Reading gives what json_read gives for the same resource in JSON, so that nothing behind it knows
 * which form came; writing goes from that to XML. Both walk along the definitions, and what one
 * writes the other reads back without a difference, decimals digit for digit.
 *
 * SECURITY: outside bytes. Documents with a document type are refused, so there are no entities but
 * XML's own five and character references: nothing can expand, and nothing is ever fetched. */
#ifndef CARELAYER_FHIR_XML_H
#define CARELAYER_FHIR_XML_H

#include "base/base.h"

struct definitions;

/* Reads exactly one resource. Comments and processing instructions are passed over.
 *
 * STATUS_STRUCTURE: not well-formed XML in UTF-8, or not the XML of a FHIR resource: an unknown
 * element or attribute, one in the wrong namespace or out of the order of the definition, text
 * outside narrative, an empty element or attribute, nesting past limits->depth (counted as in the
 * JSON that it becomes). Each is an issue with line, column, path and mend; *RET_JSON then holds
 * what could be read, for checks that report more, or no root when that is nothing. The formats of
 * values are left to validate/: what should be a number or boolean and is none becomes a string.
 * STATUS_TOO_LONG, STATUS_TOO_COSTLY: as json_read, without a root.
 *
 * json_position gives lines and columns of TEXT. Nothing in *RET_JSON points into TEXT but its
 * member of that name; it lives as long as ARENA. */
MUST_CHECK enum status xml_read(const struct definitions *definitions, struct slice text,
                                const struct json_limits *limits, struct arena *arena,
                                struct outcome *outcome, struct json *ret_json);

/* Is the first character of TEXT, byte order mark and white space apart, that of a tag? No JSON
 * begins so. */
bool xml_is_likely(struct slice text);

/* json_read for a resource. Where TEXT is not JSON (RFC 8259), everything that keeps it from being
 * so is an issue, with its path as far as the definitions know the names on the way: comments,
 * commas too many or missing, names and values without quotes, escapes, numbers, brackets.
 * STATUS_STRUCTURE then; *RET_JSON holds what was meant, for checks that report more, or no root
 * when that could only be guessed at. What was meant is never stored. OUTCOME NULL: as json_read.
 */
MUST_CHECK enum status resource_read_json(const struct definitions *definitions, struct slice text,
                                          const struct json_limits *limits, struct arena *arena,
                                          struct outcome *outcome, struct json *ret_json);

/* resource_read_json or xml_read, as TEXT begins. */
MUST_CHECK enum status resource_read_any(const struct definitions *definitions, struct slice text,
                                         const struct json_limits *limits, struct arena *arena,
                                         struct outcome *outcome, struct json *ret_json);

/* Appends RESOURCE, whose type is its resourceType, in the order of the definitions; PRETTY:
 * indented by two spaces, narratives left as they are.
 *
 * RESOURCE has passed validation: its narratives are well-formed XHTML, which goes through byte by
 * byte. STATUS_NOT_ACCEPTABLE: it holds a character that XML cannot say; STATUS_STRUCTURE: members
 * that the definitions do not know, or nesting past JSON_DEPTH_MOST; STATUS_TOO_COSTLY: OUT is
 * broken. OUTCOME (may be NULL) says which; OUT then ends somewhere. */
MUST_CHECK enum status xml_write(const struct definitions *definitions, const yyjson_val *resource,
                                 bool pretty, struct outcome *outcome, struct buffer *out);

/* Does TEXT (UTF-8) hold U+FFFE or U+FFFF? JSON can say them, XML cannot (XML 1.0, 2.2). */
bool xml_has_noncharacter(struct slice text);

#endif
