/* SPDX-License-Identifier: MIT */
/* HTML in markdown: what CommonMark 0.30 (section 6.6, "Raw HTML") passes through to the page. */
#include "validate/validate_int.h"

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The length of the run of backticks at AT. */
static size_t ticks_at(struct slice text, size_t at)
{
    size_t count = 0;
    while (at + count < text.length && text.at[at + count] == '`') {
        count++;
    }
    return count;
}

/* Where the code span that begins at AT ends; AT and its backticks, when they close nowhere. */
static size_t after_code(struct slice text, size_t at)
{
    size_t open = ticks_at(text, at);
    for (size_t i = at + open; i < text.length;) {
        size_t close = ticks_at(text, i);
        if (close == open) {
            return i + close;
        }
        i += close > 0 ? close : 1;
    }
    return at + open;
}

/* Does a tag, comment, declaration or instruction begin at the '<' of REST? An autolink's scheme
 * ends in ':', an address has '@' before any space. */
static bool begins_tag(struct slice rest)
{
    size_t at = 1;
    if (rest.length < 3 || slice_index(rest, '>') == rest.length) {
        return false;
    }
    if (rest.at[1] == '!' || rest.at[1] == '?') {
        return rest.at[1] == '?' || is_letter(rest.at[2]) || rest.at[2] == '-' || rest.at[2] == '[';
    }
    at += rest.at[1] == '/';
    if (!is_letter(rest.at[at])) {
        return false;
    }
    while (at < rest.length &&
           (is_letter(rest.at[at]) || is_digit(rest.at[at]) || rest.at[at] == '-')) {
        at++;
    }
    return at < rest.length && strchr(" \t\r\n/>", rest.at[at]) != NULL;
}

bool markdown_has_html(struct slice text)
{
    for (size_t at = 0; at < text.length;) {
        if (text.at[at] == '\\') {
            at += 2; /* an escaped '<' is only that */
        } else if (text.at[at] == '`') {
            at = after_code(text, at);
        } else if (text.at[at] == '<' && begins_tag(slice_from(text, at))) {
            return true;
        } else {
            at++;
        }
    }
    return false;
}
