/* SPDX-License-Identifier: MIT */
/* Bytes as they may come over a socket, in random pieces, through the parser; and what the parser
 * gives must be the same as when they come in one piece. */
#include <stdlib.h>

#include "http/http_int.h"

struct seen {
    struct arena *arena;
    uint64_t hash;
    uint64_t body;
    unsigned heads, ends;
    int failed;
};

static struct arena *on_begin(void *context)
{
    struct seen *seen = context;
    return seen->arena;
}

static void mix(struct seen *seen, struct slice bytes)
{
    seen->hash = seen->hash * 1099511628211U + slice_hash(bytes) + bytes.length;
}

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static bool is_clean(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if ((byte < ' ' && byte != '\t') || byte == 127) {
            return false;
        }
    }
    return true;
}

/* What the rest of the program relies on. */
static bool on_head(void *context, const struct head *head, struct failure *failure)
{
    struct seen *seen = context;
    (void)failure;
    seen->heads++;
    mix(seen, head->path);
    mix(seen, head->query);
    mix(seen, head->authority);
    check(head->minor <= 1 && is_clean(head->target));
    check(head->authority.length == 0 || authority_is_safe(head->authority));
    check(head->known.host_count == 1 || head->minor == 0);
    check(!(head->chunked && head->has_length));
    for (size_t i = 0; i < head->header_count; i++) {
        mix(seen, head->headers[i].name);
        mix(seen, head->headers[i].value);
        check(is_clean(head->headers[i].name) && is_clean(head->headers[i].value));
    }
    uint64_t from = 0, end = 0;
    enum status status = STATUS_OK;
    if (range_parse(head->known.range, 1000, &from, &end, &status) && status == STATUS_OK) {
        check(from < end && end <= 1000);
    }
    (void)accepts_gzip(head->known.accept_encoding);
    return true;
}

static bool on_body(void *context, struct slice piece, struct failure *failure)
{
    struct seen *seen = context;
    (void)failure;
    for (size_t i = 0; i < piece.length; i++) {
        seen->body = seen->body * 31 + (unsigned char)piece.at[i];
    }
    return true;
}

static const struct parser_events events = {on_begin, on_head, on_body};

static struct seen read_all(struct slice bytes, struct random *random)
{
    struct seen seen = {.arena = arena_create((size_t)1 << 20)};
    struct parser parser;
    parser_init(&parser, &events, &seen, 2048);
    while (bytes.length > 0) {
        size_t cut = random != NULL ? 1 + random_below(random, 40) : bytes.length;
        struct slice piece = slice_head(bytes, cut);
        char *copy = malloc(piece.length);
        check(copy != NULL);
        memcpy(copy, piece.at, piece.length);
        size_t taken = 0;
        enum parse_result result = parser_feed(&parser, slice_of(copy, piece.length), &taken);
        free(copy);
        check(taken <= piece.length);
        if (result == PARSE_FAILED) {
            seen.failed = parser.failure.http;
            check(seen.failed >= 400 && parser.failure.text != NULL);
            break;
        }
        check(result == PARSE_DONE || taken == piece.length);
        if (result == PARSE_DONE) {
            seen.ends++;
            parser_next(&parser);
        }
        bytes = slice_from(bytes, taken);
    }
    arena_destroy(seen.arena);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = {(const char *)data, size};
    struct random random;
    random_seed(&random, slice_hash(bytes), 1);
    struct seen whole = read_all(bytes, NULL);
    struct seen cut = read_all(bytes, &random);
    check(whole.failed == cut.failed && whole.heads == cut.heads && whole.ends == cut.ends);
    check(whole.hash == cut.hash);
    check(whole.failed != 0 || whole.body == cut.body);
    return 0;
}
