/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>

#include "validate/validate_int.h"

static const struct {
    const char *name;
    enum status status;
    const char *code; /* NULL: the status's */
} rules[] = {
    [RULE_TYPE] = {"type", STATUS_STRUCTURE, NULL},
    [RULE_UNKNOWN] = {"unknown-element", STATUS_STRUCTURE, NULL},
    [RULE_DUPLICATE] = {"duplicate-key", STATUS_STRUCTURE, NULL},
    [RULE_CHOICE] = {"choice", STATUS_STRUCTURE, NULL},
    [RULE_CARDINALITY] = {"cardinality", STATUS_REQUIRED, NULL},
    [RULE_NULL] = {"null", STATUS_STRUCTURE, NULL},
    [RULE_EMPTY] = {"ele-1", STATUS_STRUCTURE, NULL},
    [RULE_FORMAT] = {"format", STATUS_VALUE, NULL},
    [RULE_RANGE] = {"range", STATUS_VALUE, NULL},
    [RULE_LENGTH] = {"length", STATUS_VALUE, "too-long"},
    [RULE_RESOURCE] = {"resource-type", STATUS_STRUCTURE, NULL},
    [RULE_CONTAINED] = {"dom-2", STATUS_INVALID, NULL},
    [RULE_REFERENCE] = {"reference", STATUS_VALUE, NULL},
    [RULE_TARGET] = {"reference-target", STATUS_STRUCTURE, NULL},
    [RULE_EXTENSION] = {"ext-1", STATUS_STRUCTURE, NULL},
    [RULE_BINDING] = {"binding", STATUS_VALUE, "code-invalid"},
    [RULE_ID] = {"id", STATUS_VALUE, NULL},
    [RULE_TEST_NUMBER] = {"nhs-number-test-range", STATUS_BUSINESS_RULE, "business-rule"},
    [RULE_NARRATIVE] = {"txt-1", STATUS_INVALID, NULL},
    [RULE_DEPTH] = {"depth", STATUS_STRUCTURE, NULL},
    [RULE_FORM] = {"questionnaire", STATUS_INVALID, NULL},
    [RULE_FORM_LINK] = {"questionnaire-link", STATUS_INVALID, "not-found"},
    [RULE_FORM_UNKNOWN] = {"questionnaire-unknown", STATUS_INVALID, "not-found"},
    [RULE_ANSWER] = {"answer", STATUS_INVALID, NULL},
    [RULE_ANSWER_MISSING] = {"answer-required", STATUS_REQUIRED, NULL},
    [RULE_OPTION] = {"answer-option", STATUS_VALUE, "code-invalid"},
    [RULE_FULL_URL] = {"full-url", STATUS_INVALID, NULL},
    [RULE_DEFINITION] = {"definition", STATUS_INVALID, NULL},
    [RULE_LINK] = {"bundle-link", STATUS_INVALID, NULL},
    [RULE_UNIQUE] = {"bdl-7", STATUS_INVALID, "invariant"},
    [RULE_DOCUMENT] = {"document", STATUS_INVALID, NULL},
    [RULE_MEASURE] = {"measure", STATUS_INVALID, "business-rule"},
    [RULE_CRITERION] = {"criterion", STATUS_INVALID, NULL},
    [RULE_MARKDOWN] = {"markdown-html", STATUS_INVALID, NULL},
};

static void write_path(const struct checker *checker, const struct frame *frame, struct buffer *out)
{
    if (frame->up == NULL) {
        buffer_add(out, checker->prefix.length > 0 ? checker->prefix : checker->root_name);
        return;
    }
    write_path(checker, frame->up, out);
    const struct element_row *element = frame->element;
    struct slice name = table_text(checker->tables, element->name);
    buffer_add_byte(out, '.');
    buffer_add(out, slice_head(name, element->stem_length));
    if ((element->flags & ELEMENT_CHOICE) != 0) {
        struct slice type =
            table_text(checker->tables, element_type_row(checker->tables, element)->name);
        buffer_add_text(out, ".ofType(");
        buffer_add(out, type);
        buffer_add_byte(out, ')');
    }
    if (frame->indexed) {
        buffer_print(out, "[%u]", frame->index);
    }
}

static bool keeps_more(const struct checker *checker)
{
    return checker->outcome->count < OUTCOME_LIMIT;
}

/* PATH with its indexes is the element WANTED. */
static bool same_element(struct slice wanted, struct slice path)
{
    size_t at = 0;
    for (size_t i = 0; i < path.length; i++) {
        if (path.at[i] == '[') {
            i += slice_index(slice_from(path, i), ']');
        } else if (at == wanted.length || wanted.at[at++] != path.at[i]) {
            return false;
        }
    }
    return at == wanted.length;
}

bool is_waived(const struct validate_options *options, struct slice rule, struct slice path)
{
    for (size_t i = 0; i < options->waiver_count; i++) {
        const struct waiver *waiver = &options->waivers[i];
        if (slice_equals(waiver->rule, rule) &&
            (waiver->path.length == 0 || same_element(waiver->path, path))) {
            return true;
        }
    }
    return false;
}

static void add_issue(struct checker *checker, const struct frame *frame, const yyjson_val *at,
                      struct issue *issue, enum status status)
{
    bool waivers = checker->options->waiver_count > 0;
    if (keeps_more(checker) || waivers) {
        struct buffer path = {.arena = checker->outcome->arena};
        write_path(checker, frame, &path);
        issue->path = buffer_slice(&path);
        json_position(checker->json, at, &issue->line, &issue->column);
    }
    if (waivers && is_waived(checker->options, issue->rule, issue->path)) {
        issue->severity = SEVERITY_INFORMATION;
    }
    outcome_add(checker->outcome, issue);
    if (checker->status == STATUS_OK && issue->severity <= SEVERITY_ERROR) {
        checker->status = status;
    }
}

void report(struct checker *checker, const struct frame *frame, const yyjson_val *at,
            enum rule rule, const char *text)
{
    report_as(checker, SEVERITY_ERROR, frame, at, rule, text);
}

void report_as(struct checker *checker, enum severity severity, const struct frame *frame,
               const yyjson_val *at, enum rule rule, const char *text)
{
    struct issue issue = {.severity = severity,
                          .code = rules[rule].code != NULL ? rules[rule].code
                                                           : status_issue(rules[rule].status),
                          .rule = slice_text(rules[rule].name),
                          .text = slice_text(text)};
    add_issue(checker, frame, at, &issue, rules[rule].status);
}

void report_rule(struct checker *checker, const struct frame *frame, const yyjson_val *at,
                 enum severity severity, struct slice name, const char *text)
{
    struct issue issue = {.severity = severity,
                          .code = status_issue(STATUS_BUSINESS_RULE),
                          .rule = name,
                          .text = slice_text(text)};
    add_issue(checker, frame, at, &issue, STATUS_BUSINESS_RULE);
}

const char *say(struct checker *checker, const char *format, ...)
{
    char text[512];
    va_list arguments;
    if (!keeps_more(checker)) {
        return "";
    }
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t kept = length < 0 ? 0 : (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
    struct slice copy = arena_copy(checker->outcome->arena, slice_of(text, kept));
    return copy.at != NULL ? copy.at : "";
}
