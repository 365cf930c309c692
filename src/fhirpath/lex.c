/* SPDX-License-Identifier: MIT */
/* Words of an expression (FHIRPath N1, appendix "Formal Specifications", the grammar's lexer). */
#include <stdarg.h>
#include <stdio.h>

#include "fhirpath/fhirpath_int.h"

enum status expression_fail(struct outcome *outcome, enum status status, struct slice expression,
                            uint32_t position, const char *text, ...)
{
    char message[400];
    va_list arguments;
    if (outcome == NULL) {
        return status;
    }
    va_start(arguments, text);
    (void)vsnprintf(message, sizeof message, text, arguments);
    va_end(arguments);
    struct issue issue = {.severity = SEVERITY_ERROR,
                          .code = status_issue(status),
                          .rule = SLICE("fhirpath"),
                          .text = arena_copy(outcome->arena, slice_text(message)),
                          .line = 1,
                          .column = 1};
    for (size_t i = 0; i < position && i < expression.length; i++) {
        issue.column++;
        if (expression.at[i] == '\n') {
            issue.line++;
            issue.column = 1;
        }
    }
    outcome_add(outcome, &issue);
    return status;
}

static enum status fail(struct lexer *lexer, size_t position, const char *text)
{
    return expression_fail(lexer->outcome, STATUS_STRUCTURE, lexer->text, (uint32_t)position, "%s",
                           text);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char peek(const struct lexer *lexer, size_t ahead)
{
    size_t at = lexer->at + ahead;
    return at < lexer->text.length ? lexer->text.at[at] : '\0';
}

static enum status skip_space(struct lexer *lexer)
{
    for (;;) {
        char c = peek(lexer, 0);
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            lexer->at++;
        } else if (c == '/' && peek(lexer, 1) == '/') {
            lexer->at += slice_index(slice_from(lexer->text, lexer->at), '\n');
        } else if (c == '/' && peek(lexer, 1) == '*') {
            struct slice rest = slice_from(lexer->text, lexer->at + 2);
            const char *end = rest.length > 0 ? memmem(rest.at, rest.length, "*/", 2) : NULL;
            if (end == NULL) {
                return fail(lexer, lexer->at, "A comment is not ended: add */.");
            }
            lexer->at = (size_t)(end - lexer->text.at) + 2;
        } else {
            return STATUS_OK;
        }
    }
}

/* ---- strings ----------------------------------------------------------------------------------
 */

static int hex_digit(char c)
{
    return is_digit(c)              ? c - '0'
           : (c >= 'a' && c <= 'f') ? c - 'a' + 10
           : (c >= 'A' && c <= 'F') ? c - 'A' + 10
                                    : -1;
}

/* The four digits behind \u. */
static bool take_unicode(struct lexer *lexer, uint32_t *ret_code)
{
    uint32_t code = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = hex_digit(peek(lexer, i));
        if (digit < 0) {
            return false;
        }
        code = code << 4 | (uint32_t)digit;
    }
    lexer->at += 4;
    *ret_code = code;
    return true;
}

/* Behind \u; a pair of surrogates is one character, half a pair is none. */
static bool unescape_unicode(struct lexer *lexer, struct buffer *out)
{
    uint32_t code, low;
    if (!take_unicode(lexer, &code)) {
        return false;
    }
    if (code >= 0xD800 && code < 0xDC00) {
        if (peek(lexer, 0) != '\\' || peek(lexer, 1) != 'u') {
            return false;
        }
        lexer->at += 2;
        if (!take_unicode(lexer, &low) || low < 0xDC00 || low > 0xDFFF) {
            return false;
        }
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code < 0xE000) {
        return false;
    }
    buffer_add_utf8(out, code);
    return true;
}

static bool unescape(struct lexer *lexer, struct buffer *out)
{
    static const char names[] = "fnrt", values[] = "\f\n\r\t";
    char c = peek(lexer, 0);
    const char *name = c != '\0' ? strchr(names, c) : NULL;
    lexer->at++;
    if (c == 'u') {
        return unescape_unicode(lexer, out);
    }
    if (name != NULL) {
        buffer_add_byte(out, values[name - names]);
        return true;
    }
    if (c == '\0' || strchr("`'\"\\/", c) == NULL) {
        return false;
    }
    buffer_add_byte(out, c);
    return true;
}

static enum status take_quoted(struct lexer *lexer, char quote, struct token *token)
{
    size_t start = lexer->at;
    struct buffer out = {.arena = lexer->arena};
    bool escaped = false;
    lexer->at++;
    for (;;) {
        if (lexer->at >= lexer->text.length) {
            return fail(lexer, start, "A quotation is not ended.");
        }
        char c = lexer->text.at[lexer->at];
        if (c == quote) {
            break;
        }
        if (c == '\\') {
            if (!escaped) {
                buffer_add(&out, slice_of(lexer->text.at + start + 1, lexer->at - start - 1));
                escaped = true;
            }
            size_t position = lexer->at++;
            if (!unescape(lexer, &out)) {
                return fail(lexer, position,
                            "No such escape: only \\' \\\" \\` \\\\ \\/ \\f \\n \\r \\t \\uXXXX.");
            }
            continue;
        }
        if (escaped) {
            buffer_add_byte(&out, c);
        }
        lexer->at++;
    }
    token->text =
        escaped ? buffer_slice(&out) : slice_of(lexer->text.at + start + 1, lexer->at - start - 1);
    lexer->at++;
    return buffer_ok(&out) ? STATUS_OK : STATUS_TOO_COSTLY;
}

/* ---- numbers and dates ------------------------------------------------------------------------
 */

static enum status take_number(struct lexer *lexer, struct token *token)
{
    size_t start = lexer->at;
    bool fraction = false;
    while (is_digit(peek(lexer, 0))) {
        lexer->at++;
    }
    if (peek(lexer, 0) == '.' && is_digit(peek(lexer, 1))) {
        fraction = true;
        lexer->at++;
        while (is_digit(peek(lexer, 0))) {
            lexer->at++;
        }
    }
    struct slice text = slice_of(lexer->text.at + start, lexer->at - start);
    struct slice bare = text;
    while (bare.length > 1 && bare.at[0] == '0' && is_digit(bare.at[1])) {
        bare = slice_from(bare, 1);
    }
    token->text = text;
    struct decimal decimal;
    if (!decimal_parse(bare, &decimal)) {
        return fail(lexer, start, "A number has at most 36 digits.");
    }
    if (fraction) {
        token->number = (struct fhirpath_value){.kind = FHIRPATH_DECIMAL, .decimal = decimal};
        return STATUS_OK;
    }
    int64_t integer;
    if (!decimal_to_integer(decimal, &integer)) {
        return fail(lexer, start, "An integer of this size is not possible: write it with .0.");
    }
    token->number = (struct fhirpath_value){.kind = FHIRPATH_INTEGER, .integer = integer};
    return STATUS_OK;
}

static enum status take_date(struct lexer *lexer, struct token *token)
{
    static const enum fhirpath_kind kinds[] = {[DATE_KIND_DATE] = FHIRPATH_DATE,
                                               [DATE_KIND_DATETIME] = FHIRPATH_DATETIME,
                                               [DATE_KIND_TIME] = FHIRPATH_TIME};
    size_t start = lexer->at++;
    bool time = peek(lexer, 0) == 'T';
    lexer->at += time ? 1 : 0;
    struct partial_date date;
    enum date_kind kind;
    size_t taken = date_text_read(slice_from(lexer->text, lexer->at), time, &date, &kind);
    lexer->at += taken;
    if (taken == 0 || is_digit(peek(lexer, 0)) || is_letter(peek(lexer, 0))) {
        return fail(lexer, start, "Not a date, dateTime or time that exists.");
    }
    token->number = (struct fhirpath_value){.kind = kinds[kind], .date = date};
    return STATUS_OK;
}

/* ---- the next word ----------------------------------------------------------------------------
 */

static enum status take_symbol(struct lexer *lexer, struct token *token)
{
    char c = peek(lexer, 0), after = peek(lexer, 1);
    token->kind = TOKEN_SYMBOL;
    token->symbol = c == '<' && after == '='   ? SYMBOL_LESS_EQUAL
                    : c == '>' && after == '=' ? SYMBOL_GREATER_EQUAL
                    : c == '!' && after == '=' ? SYMBOL_NOT_EQUAL
                    : c == '!' && after == '~' ? SYMBOL_NOT_EQUIVALENT
                                               : c;
    if (c == '\0' || strchr(".[](){},+-*/&|<>=~%!", c) == NULL || token->symbol == '!') {
        return fail(lexer, lexer->at, "No expression has this character here.");
    }
    lexer->at += token->symbol == c ? 1 : 2;
    return STATUS_OK;
}

enum status lexer_next(struct lexer *lexer, struct token *ret_token)
{
    TRY(skip_space(lexer));
    *ret_token = (struct token){.kind = TOKEN_END, .position = (uint32_t)lexer->at};
    if (lexer->at >= lexer->text.length) {
        return STATUS_OK;
    }
    char c = peek(lexer, 0);
    size_t start = lexer->at;
    if (is_letter(c) || c == '$') {
        ret_token->kind = c == '$' ? TOKEN_DOLLAR : TOKEN_WORD;
        do {
            lexer->at++;
        } while (is_letter(peek(lexer, 0)) || is_digit(peek(lexer, 0)));
        ret_token->text = slice_of(lexer->text.at + start, lexer->at - start);
        return STATUS_OK;
    }
    if (c == '\'' || c == '`') {
        ret_token->kind = c == '`' ? TOKEN_DELIMITED : TOKEN_STRING;
        return take_quoted(lexer, c, ret_token);
    }
    if (c == '"') { /* as FHIRPath before N1 wrote `identifiers` */
        ret_token->kind = TOKEN_DELIMITED;
        return take_quoted(lexer, c, ret_token);
    }
    if (is_digit(c)) {
        ret_token->kind = TOKEN_NUMBER;
        return take_number(lexer, ret_token);
    }
    if (c == '@') {
        ret_token->kind = TOKEN_DATE;
        return take_date(lexer, ret_token);
    }
    return take_symbol(lexer, ret_token);
}
