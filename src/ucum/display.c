/* SPDX-License-Identifier: MIT */
#include "ucum/ucum_int.h"

static void write_symbol(const struct token *token, struct buffer *out)
{
    buffer_add_byte(out, '(');
    if (token->prefix != NULL) {
        buffer_add_text(out, token->prefix->name);
    }
    buffer_add_text(out, unit_table[token->unit].name);
    if (token->exponent != 1) {
        buffer_add_text(out, " ^ ");
        buffer_add_signed(out, token->exponent);
    }
    buffer_add_byte(out, ')');
}

static void write_token(const struct token *token, enum token_kind before, struct buffer *out)
{
    switch (token->kind) {
    case TOKEN_TIMES:
        buffer_add_text(out, " * ");
        break;
    case TOKEN_DIVIDE:
        buffer_add_text(out, before == TOKEN_END ? "1 / " : " / ");
        break;
    case TOKEN_OPEN:
        buffer_add_byte(out, '(');
        break;
    case TOKEN_CLOSE:
        buffer_add_byte(out, ')');
        break;
    case TOKEN_NUMBER:
        buffer_add(out, token->text);
        break;
    case TOKEN_SYMBOL:
        write_symbol(token, out);
        break;
    case TOKEN_ANNOTATION:
        /* Beside a unit it is a remark; alone it is what is counted. */
        if (before != TOKEN_SYMBOL) {
            buffer_add_byte(out, '(');
            buffer_add(out, token->text);
            buffer_add_byte(out, ')');
        }
        break;
    case TOKEN_END:
    case TOKEN_FAULT:
        break;
    }
}

enum status ucum_display(struct slice code, struct arena *arena, struct outcome *outcome,
                         struct slice *ret_text)
{
    struct ucum_unit unit;
    if (code.length == 0) {
        *ret_text = SLICE("(unity)");
        return STATUS_OK;
    }
    TRY(ucum_parse(code, outcome, &unit));
    struct buffer out = {.arena = arena};
    enum token_kind before = TOKEN_END;
    for (size_t at = 0; at < code.length;) {
        struct token token = token_next(code, &at);
        write_token(&token, before, &out);
        before = token.kind;
    }
    *ret_text = buffer_slice(&out);
    return buffer_ok(&out) ? STATUS_OK : STATUS_TOO_COSTLY;
}
