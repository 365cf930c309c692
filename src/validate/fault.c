/* SPDX-License-Identifier: MIT */
/* How a review says what is wrong. */
#include <stdarg.h>
#include <stdio.h>

#include "validate/profile_int.h"

static bool keeps_more(const struct review *review)
{
    return review->quiet == 0 && review->checker->outcome->count < OUTCOME_LIMIT;
}

static void write_path(const struct review *review, const struct fhirpath_node *node,
                       struct buffer *out)
{
    if (node->parent == NULL) {
        const struct checker *checker = review->checker;
        buffer_add(out, checker->prefix.length > 0 ? checker->prefix : checker->root_name);
        return;
    }
    write_path(review, node->parent, out);
    const struct element_row *element = node->element;
    if (element == NULL) {
        return; /* a resource that was reached through a reference: named by what led there */
    }
    struct slice name = table_text(review->tables, element->name);
    buffer_add_byte(out, '.');
    buffer_add(out, slice_head(name, element->stem_length));
    if ((element->flags & ELEMENT_CHOICE) != 0) {
        buffer_add_text(out, ".ofType(");
        buffer_add(out,
                   table_text(review->tables, element_type_row(review->tables, element)->name));
        buffer_add_byte(out, ')');
    }
    if ((element->flags & ELEMENT_ARRAY) != 0) {
        buffer_print(out, "[%u]", node->index);
    }
}

static bool is_waived_at(const struct review *review, const struct fhirpath_node *node,
                         struct slice rule)
{
    struct buffer path = {.arena = review->scratch};
    if (review->options->waiver_count == 0) {
        return false;
    }
    write_path(review, node, &path);
    return is_waived(review->options, rule, buffer_slice(&path));
}

void fault(struct review *review, const struct fhirpath_node *node, const yyjson_val *at,
           enum severity severity, const char *code, struct slice rule, const char *text)
{
    struct checker *checker = review->checker;
    bool error = severity <= SEVERITY_ERROR;
    if (error && is_waived_at(review, node, rule)) {
        error = false;
        severity = SEVERITY_INFORMATION;
    }
    if (review->quiet > 0) {
        review->failed = review->failed || error;
        return;
    }
    struct issue issue = {
        .severity = severity, .code = code, .rule = rule, .text = slice_text(text)};
    if (keeps_more(review)) {
        struct buffer path = {.arena = checker->outcome->arena};
        write_path(review, node, &path);
        issue.path = buffer_slice(&path);
        /* A key of a profile's own, which may be freed before anybody reads this. */
        issue.rule = arena_copy(checker->outcome->arena, rule);
        const yyjson_val *place = at != NULL            ? at
                                  : node->value != NULL ? node->value
                                                        : node->sibling;
        if (place != NULL) {
            json_position(checker->json, place, &issue.line, &issue.column);
        }
    }
    outcome_add(checker->outcome, &issue);
    if (error && checker->status == STATUS_OK) {
        checker->status = STATUS_UNPROCESSABLE;
    }
}

const char *tell(struct review *review, const char *format, ...)
{
    char text[768];
    va_list arguments;
    if (!keeps_more(review)) {
        return "";
    }
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t kept = length < 0 ? 0 : (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
    struct slice copy = arena_copy(review->checker->outcome->arena, slice_of(text, kept));
    return copy.at != NULL ? copy.at : "";
}
