/* SPDX-License-Identifier: MIT */
#ifndef CARELAYER_REQUEST_REQUEST_INT_H
#define CARELAYER_REQUEST_REQUEST_INT_H

#include "request/request.h"

/* The stages, one function each; each runs once and either finishes or parks. */
#define STAGE_DECLARATION(name, always) enum step stage_##name(struct request *request);
STAGES(STAGE_DECLARATION)
#undef STAGE_DECLARATION

/* Ends the snapshot that request_snapshot began, if any. */
void request_snapshot_end(struct request *request);

/* Adds the outbox rows of a write and of its children in the write's own transaction. */
enum status request_outbox(struct request *request, struct store_tx *tx);

/* Counts what the checks said of the request and its children: once, when nothing can fail any
 * more. */
void request_count_verdicts(struct request *request);

/* Does an answer of this status tell something of what was asked for, if only that it was deleted?
 * Then whom it is about stands in the access log. */
bool request_tells(enum status status);

/* The HTTP status that the request will answer, or has answered. */
int request_http(const struct request *request);

/* How much JSON a stage renders where it is: more goes to a worker. */
#define RENDER_ON_LOOP ((size_t)16 << 10)

#define RENDER_XML_TYPE "application/fhir+xml; charset=utf-8"

/* Does the body still have to be turned into XML or indented? */
bool render_is_needed(const struct request *request);

/* Turns the body, a resource in JSON, into the form asked for. */
MUST_CHECK enum status render(struct request *request);

/* Reads Accept, _format, _pretty, _summary, _elements, Prefer and Content-Type. */
enum status negotiate(struct request *request);

/* What a media type is, without its parameters, among those that resources come in. */
enum wanted { WANTED_NONE, WANTED_JSON, WANTED_XML, WANTED_ANY };
enum wanted media_type(struct slice text);

/* The form that RANGES (of Accept or _format) ask for. False: neither is acceptable; JSON then. */
bool format_choose(struct slice ranges, enum format *ret_format);

/* Only the form of the answer, for one that failed before its interaction was found. */
void negotiate_failure(struct request *request);

#endif
