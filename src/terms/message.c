/* SPDX-License-Identifier: MIT */
/* The problems of an answer, as one table of messages. */
#include <stdlib.h>

#include "terms/terms_int.h"

/* More are counted, not told: each is compared with all before. */
#define PROBLEMS_MOST 500u

static const struct row {
    enum severity severity;
    const char *code, *detail;
    bool joins; /* is part of the parameter `message` */
    const char *id, *text;
} rows[MESSAGE_COUNT] = {
#define MESSAGE_ROW(name, severity, code, detail, joins, id, text)                                 \
    [MESSAGE_##name] = {SEVERITY_##severity, code, detail, joins, id, text},
    MESSAGES(MESSAGE_ROW)
#undef MESSAGE_ROW
};

static struct slice fill(struct arena *arena, const char *text, va_list arguments)
{
    struct buffer out = {.arena = arena};
    for (const char *at = text; *at != '\0'; at++) {
        if (at[0] == '%' && at[1] == 's') {
            buffer_add(&out, va_arg(arguments, struct slice));
            at++;
        } else {
            buffer_add_byte(&out, *at);
        }
    }
    return buffer_slice(&out);
}

struct problem *problem_add(struct problems *problems, enum message message, struct slice path, ...)
{
    va_list arguments;
    va_start(arguments, path);
    struct slice text = fill(problems->arena, rows[message].text, arguments);
    va_end(arguments);
    for (struct problem *old = problems->first; old != NULL; old = old->next) {
        if (old->message == message && slice_equals(old->text, text) &&
            slice_equals(old->path, path)) {
            return old;
        }
    }
    struct problem *problem =
        problems->count < PROBLEMS_MOST ? ARENA_NEW(problems->arena, struct problem) : NULL;
    if (problem == NULL) {
        problems->errors += rows[message].severity <= SEVERITY_ERROR ? 1 : 0;
        return NULL;
    }
    problems->count++;
    *problem = (struct problem){.message = message,
                                .severity = rows[message].severity,
                                .id = slice_text(rows[message].id),
                                .text = text,
                                .path = path};
    if (problems->last != NULL) {
        problems->last->next = problem;
    } else {
        problems->first = problem;
    }
    problems->last = problem;
    problems->errors += problem->severity <= SEVERITY_ERROR ? 1 : 0;
    return problem;
}

static const char *severity_name(enum severity severity)
{
    static const char *const names[] = {"fatal", "error", "warning", "information"};
    return names[severity];
}

static void write_problem(const struct problem *problem, struct buffer *out)
{
    const struct row *row = &rows[problem->message];
    buffer_add_byte(out, '{');
    if (problem->id.length > 0) {
        buffer_add_text(out, "\"extension\":[{\"url\":\"http://hl7.org/fhir/StructureDefinition/"
                             "operationoutcome-message-id\",\"valueString\":");
        buffer_add_json_string(out, problem->id);
        buffer_add_text(out, "}],");
    }
    buffer_print(out, "\"severity\":\"%s\",\"code\":\"%s\",\"details\":{",
                 severity_name(problem->severity), row->code);
    if (row->detail[0] != '\0') {
        buffer_print(out,
                     "\"coding\":[{\"system\":\"http://hl7.org/fhir/tools/CodeSystem/"
                     "tx-issue-type\",\"code\":\"%s\"}],",
                     row->detail);
    }
    buffer_add_text(out, "\"text\":");
    buffer_add_json_string(out, problem->text);
    buffer_add_byte(out, '}');
    if (problem->path.length > 0) {
        buffer_add_text(out, ",\"location\":[");
        buffer_add_json_string(out, problem->path);
        buffer_add_text(out, "],\"expression\":[");
        buffer_add_json_string(out, problem->path);
        buffer_add_byte(out, ']');
    }
    buffer_add_byte(out, '}');
}

void problems_write(const struct problems *problems, struct buffer *out)
{
    buffer_add_text(out, "{\"resourceType\":\"OperationOutcome\",\"issue\":[");
    for (const struct problem *problem = problems->first; problem != NULL;
         problem = problem->next) {
        if (problem != problems->first) {
            buffer_add_byte(out, ',');
        }
        write_problem(problem, out);
    }
    buffer_add_text(out, "]}");
}

static int compare_texts(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

struct slice problems_summary(const struct problems *problems, struct arena *arena)
{
    size_t count = 0, all = 0;
    for (const struct problem *at = problems->first; at != NULL; at = at->next) {
        all++;
    }
    struct slice *texts = arena_array(arena, all + 1, sizeof *texts);
    if (texts == NULL) {
        return (struct slice){0};
    }
    for (const struct problem *at = problems->first; at != NULL; at = at->next) {
        if (rows[at->message].joins) {
            texts[count++] = at->text;
        }
    }
    qsort(texts, count, sizeof *texts, compare_texts);
    struct buffer out = {.arena = arena};
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && slice_equals(texts[i], texts[i - 1])) {
            continue;
        }
        buffer_add_text(&out, i > 0 ? "; " : "");
        buffer_add(&out, texts[i]);
    }
    return buffer_slice(&out);
}
