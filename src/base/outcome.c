/* SPDX-License-Identifier: MIT */
#include "outcome.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const severity_names[] = {"fatal", "error", "warning", "information"};

void outcome_init(struct outcome *outcome, struct arena *arena)
{
    *outcome = (struct outcome){.arena = arena};
}

void outcome_add(struct outcome *outcome, const struct issue *issue)
{
    if (issue->severity == SEVERITY_FATAL || issue->severity == SEVERITY_ERROR) {
        outcome->errors++;
    }
    struct issue *kept =
        outcome->count < OUTCOME_LIMIT ? arena_alloc(outcome->arena, sizeof *kept) : NULL;
    if (kept == NULL) {
        outcome->dropped++;
        return;
    }
    *kept = *issue;
    kept->next = NULL;
    if (outcome->last != NULL) {
        outcome->last->next = kept;
    } else {
        outcome->first = kept;
    }
    outcome->last = kept;
    outcome->count++;
}

void outcome_forget_errors(struct outcome *outcome)
{
    struct issue **link = &outcome->first;
    outcome->errors = outcome->count = 0;
    outcome->last = NULL;
    while (*link != NULL) {
        if ((*link)->severity <= SEVERITY_ERROR) {
            *link = (*link)->next;
        } else {
            outcome->last = *link;
            outcome->count++;
            link = &outcome->last->next;
        }
    }
}

static void __attribute__((format(printf, 5, 0)))
add_printed(struct outcome *outcome, enum severity severity, const char *code, const char *path,
            const char *text, va_list arguments)
{
    if (outcome == NULL) {
        return;
    }
    struct issue issue = {.severity = severity, .code = code};
    if (outcome->count < OUTCOME_LIMIT) {
        struct buffer message = {.arena = outcome->arena};
        buffer_print_list(&message, text, arguments);
        issue.text = buffer_slice(&message);
        issue.path = arena_copy(outcome->arena, slice_text(path));
    }
    outcome_add(outcome, &issue);
}

enum status outcome_fail(struct outcome *outcome, enum status status, const char *path,
                         const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    add_printed(outcome, SEVERITY_ERROR, status_issue(status), path, text, arguments);
    va_end(arguments);
    return status;
}

void outcome_warn(struct outcome *outcome, const char *code, const char *path, const char *text,
                  ...)
{
    va_list arguments;
    va_start(arguments, text);
    add_printed(outcome, SEVERITY_WARNING, code, path, text, arguments);
    va_end(arguments);
}

void outcome_note(struct outcome *outcome, const char *path, const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    add_printed(outcome, SEVERITY_INFORMATION, "informational", path, text, arguments);
    va_end(arguments);
}

static void write_place(const char *suffix, uint32_t number, struct buffer *out)
{
    buffer_add_text(out, "{\"url\":\"http://hl7.org/fhir/StructureDefinition/"
                         "operationoutcome-issue-");
    buffer_add_text(out, suffix);
    buffer_add_text(out, "\",\"valueInteger\":");
    buffer_add_unsigned(out, number);
    buffer_add_byte(out, '}');
}

static void write_details(const struct issue *issue, struct buffer *out)
{
    if (issue->rule.length == 0 && issue->text.length == 0) {
        return;
    }
    buffer_add_text(out, ",\"details\":{");
    if (issue->rule.length > 0) {
        buffer_add_text(out, "\"coding\":[{\"system\":\"urn:carelayer:rule\",\"code\":");
        buffer_add_json_string(out, issue->rule);
        buffer_add_text(out, "}]");
    }
    if (issue->text.length > 0) {
        buffer_add_text(out, issue->rule.length > 0 ? ",\"text\":" : "\"text\":");
        buffer_add_json_string(out, issue->text);
    }
    buffer_add_byte(out, '}');
    if (issue->text.length > 0) {
        buffer_add_text(out, ",\"diagnostics\":");
        buffer_add_json_string(out, issue->text);
    }
}

static void write_issue(const struct issue *issue, struct buffer *out)
{
    buffer_add_byte(out, '{');
    if (issue->line > 0) {
        buffer_add_text(out, "\"extension\":[");
        write_place("line", issue->line, out);
        if (issue->column > 0) {
            buffer_add_byte(out, ',');
            write_place("col", issue->column, out);
        }
        buffer_add_text(out, "],");
    }
    buffer_add_text(out, "\"severity\":\"");
    buffer_add_text(out, severity_names[issue->severity]);
    buffer_add_text(out, "\",\"code\":");
    buffer_add_json_string(out, slice_text(issue->code));
    write_details(issue, out);
    if (issue->path.length > 0) {
        buffer_add_text(out, ",\"expression\":[");
        buffer_add_json_string(out, issue->path);
        buffer_add_byte(out, ']');
    }
    buffer_add_byte(out, '}');
}

void outcome_write_json(const struct outcome *outcome, struct buffer *out)
{
    buffer_add_text(out, "{\"resourceType\":\"OperationOutcome\",\"issue\":[");
    for (const struct issue *issue = outcome->first; issue != NULL; issue = issue->next) {
        if (issue != outcome->first) {
            buffer_add_byte(out, ',');
        }
        write_issue(issue, out);
    }
    if (outcome->dropped > 0) {
        buffer_add_text(out, outcome->first != NULL ? "," : "");
        char text[96];
        int length =
            snprintf(text, sizeof text, "Further problems not listed here: %u (%u errors in all).",
                     outcome->dropped, outcome->errors);
        struct issue more = {.severity =
                                 outcome->errors > 0 ? SEVERITY_ERROR : SEVERITY_INFORMATION,
                             .code = outcome->errors > 0 ? "too-costly" : "informational",
                             .text = slice_of(text, (size_t)length)};
        write_issue(&more, out);
    } else if (outcome->first == NULL) {
        struct issue fine = {
            .severity = SEVERITY_INFORMATION, .code = "informational", .text = SLICE("All OK")};
        write_issue(&fine, out);
    }
    buffer_add_text(out, "]}");
}

void outcome_write_text(const struct outcome *outcome, struct slice name, struct buffer *out)
{
    for (const struct issue *issue = outcome->first; issue != NULL; issue = issue->next) {
        if (name.length > 0) {
            buffer_add(out, name);
            buffer_add_byte(out, ':');
        }
        if (issue->line > 0) {
            buffer_add_unsigned(out, issue->line);
            buffer_add_byte(out, ':');
            buffer_add_unsigned(out, issue->column);
            buffer_add_byte(out, ':');
        }
        if (name.length > 0 || issue->line > 0) {
            buffer_add_byte(out, ' ');
        }
        buffer_add_text(out, severity_names[issue->severity]);
        buffer_add_text(out, ": ");
        if (issue->path.length > 0) {
            buffer_add(out, issue->path);
            buffer_add_text(out, ": ");
        }
        buffer_add(out, issue->text);
        buffer_add_byte(out, '\n');
    }
    if (outcome->dropped > 0) {
        buffer_print(out, "%u further problems not listed\n", outcome->dropped);
    }
}
